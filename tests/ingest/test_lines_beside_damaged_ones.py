"""A damaged row changes nothing of what its neighbours say, whatever characters these hold."""

import json

import pytest
from hour_facts import ingested

import metering

ODD = "a\rb"
HEADER = "poll_time,location,account,snapshot,allocated_size,name\n"
SOUND = f'2026-10-05T00:00:00Z,ZRH,a1,s1,5,"{ODD}"\n'
DAMAGED = "2026-10-05T00:05:00Z,ZRH,a1,s1\n"


def test_a_carriage_return_in_a_cell_stands_beside_a_damaged_line(tmp_path):
    (tmp_path / "samples.csv").write_bytes((HEADER + SOUND + DAMAGED).encode())
    outcome = ingested(tmp_path)
    assert (outcome.polls.accepted, outcome.polls.rejected) == (1, 1)
    assert [(rejection.line, rejection.field) for rejection in outcome.rejections] == [(3, "line")]


def test_and_in_a_value_of_json(tmp_path):
    row = {"poll_time": "2026-10-05T00:00:00Z", "location": "ZRH", "account": "a1", "snapshot": "s1", "allocated_size": 5}
    lines = [json.dumps(row | {"name": ODD}), '{"poll_time": "2026-10-05T00:05:00Z", oops', ""]
    (tmp_path / "samples.ndjson").write_text("\n".join(lines))
    outcome = ingested(tmp_path)
    assert (outcome.polls.accepted, [rejection.line for rejection in outcome.rejections]) == (1, [2])


# DuckDB tells of such a line by its beginning, cut after so many bytes, which may be in the middle of a character.
@pytest.mark.parametrize("shift", ["", "n"])
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{{"poll_time": "2026-10-05T00:05:00Z", "name": "{name}", "account": "a1", "account": "a2"}}', "has a key twice"),
        ('["{name}"]', "is no JSON object"),
        ('"{name}"', "is no JSON object"),
    ],
)
def test_a_damaged_line_of_another_alphabet_is_rejected_alone(tmp_path, line, reason, shift):
    row = {"poll_time": "2026-10-05T00:00:00Z", "location": "ZRH", "account": "a1", "snapshot": "s1", "allocated_size": 5}
    (tmp_path / "samples.ndjson").write_text(f"{json.dumps(row)}\n{line.format(name=shift + 'ü' * 200)}\n", encoding="utf-8")
    outcome = ingested(tmp_path)
    assert (outcome.polls.accepted, [(each.line, each.reason) for each in outcome.rejections]) == (1, [(2, reason)])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_cell_of_two_lines_says_the_same_with_and_without_a_damaged_line(tmp_path, end):
    lines = [HEADER.strip(), '2026-10-05T00:00:00Z,ZRH,a1,s1,5,"a\r\nb"']
    (tmp_path / "samples.csv").write_bytes("".join(line + end for line in lines).encode())
    with metering.open(str(tmp_path / "store.duckdb")) as meter:
        assert meter.ingest(tmp_path / "samples.csv").polls.accepted == 1
        (tmp_path / "samples.csv").write_bytes("".join(line + end for line in [*lines, "", DAMAGED.strip()]).encode())
        outcome = meter.ingest(tmp_path / "samples.csv", supersede=True)
        assert (outcome.polls.duplicate, outcome.polls.accepted, outcome.polls.rejected) == (1, 0, 1)
        assert [(each.line, each.value) for each in outcome.rejections] == [(5, DAMAGED.strip())]


def assert_the_same_beside_a_damaged_line(tmp_path, name, sound, damaged):
    with metering.open(str(tmp_path / "store.duckdb")) as meter:
        (tmp_path / name).write_text(sound, encoding="utf-8")
        first = meter.ingest(tmp_path / name)
        assert (first.polls.accepted, first.rejections) == (1, [])
        (tmp_path / name).write_text(sound + damaged, encoding="utf-8")
        again = meter.ingest(tmp_path / name)
    assert (again.polls.duplicate, again.polls.conflicting, again.polls.accepted, len(again.rejections)) == (1, 0, 0, 1)


@pytest.mark.parametrize(
    "cells",
    [
        'a1,s1,5,"x" ', 'a1,s1,5, "x"', 'a1,s1,5, "x"  ', 'a1,s1,5, "x,y"', 'a1,s1,5, "x""y" ', 'a1,s1,5, "x\ny" ', 'a1,s1,5, ""',
        'a1,s1,5,  "x"', 'a1,s1,5,"x" "y"', 'a1,s1,5, """"', '"a1" ,"s1" ,"5" ,"x" ', ' "a1", "s1", "5", "x"', 'a1,s1,5,x" "y',
        "a1,s1,5,x,", "a1,s1,5,x,,", 'a1,s1,5,x,"",',
    ],
)  # fmt: skip
def test_spaces_around_quotes_say_the_same_with_and_without_a_damaged_line(tmp_path, cells):
    sound = f"{HEADER}2026-10-05T00:00:00Z,ZRH,{cells}\n"
    assert_the_same_beside_a_damaged_line(tmp_path, "samples.csv", sound, DAMAGED)


@pytest.mark.parametrize(
    "more",
    ['"other": 1,', '"other": NaN', '"other": -inf', '"other": [1,]', '"other": {"a": [nan , ] , } ,', '"name": "NaN, [1,]",'],
)
def test_json_is_no_stricter_beside_a_damaged_line(tmp_path, more):
    told = '"poll_time": "2026-10-05T00:00:00Z", "location": "ZRH", "account": "a1", "snapshot": "s1", "allocated_size": 5'
    sound = f"{{{told}, {more}}}\n"
    assert_the_same_beside_a_damaged_line(tmp_path, "samples.ndjson", sound, '{"poll_time": "2026-10-05T00:05:00Z", oops\n')


@pytest.mark.parametrize("damaged", ["", '{"poll_time": "2026-10-05T00:05:00Z", oops\n'], ids=["alone", "beside a damaged line"])
@pytest.mark.parametrize(
    ("size", "shown"), [("NaN", "NaN"), ("-Infinity", "-Infinity"), ("[5,]", "[5]"), ('{"a": [{}]}', '{"a":[{}]}')]
)
def test_what_is_no_number_is_no_size_of_a_row_of_json(tmp_path, size, shown, damaged):
    row = (
        f'{{"poll_time": "2026-10-05T00:00:00Z", "location": "ZRH", "account": "a1", "snapshot": "s1", "allocated_size": {size}}}\n'
    )
    other = row.replace("00:00:00Z", "00:10:00Z").replace(size, "5")
    (tmp_path / "samples.ndjson").write_text(row + other + damaged)
    outcome = ingested(tmp_path)
    first = outcome.rejections[0]
    assert (outcome.polls.accepted, first.value, first.reason) == (1, shown, "is no whole number of bytes")
