"""What was corrected on purpose is settled: the file it corrects, taken in again, adds nothing and asks nothing."""

import json

import pytest
from small_world import GIB, meter_of, polls, price, write

from metering.ingest.samples import Outcome

PERIOD = "2026-10-01T00:00:00Z..2026-10-01T01:00:00Z"


def world(tmp_path):
    """An hour of two snapshots, of which one poll was wrong and is superseded."""
    hour = polls("2026-10-01T00:00:00Z", "2026-10-01T01:00:00Z", {"s": GIB, "t": GIB})
    right = polls("2026-10-01T00:30:00Z", "2026-10-01T00:35:00Z", {"s": 3 * GIB})
    meter = meter_of(tmp_path, samples=hour)
    meter.ingest(write(tmp_path / "right", samples=right), supersede=True)
    return meter, hour, right


def again(meter, folder, samples, **options):
    outcome = meter.ingest(write(folder, samples=samples), **options)
    return outcome.polls, outcome.ingest_seq


def occupied(meter):
    bill = meter.bill(PERIOD)
    assert [finding.check for finding in bill.findings] == []
    return [row.occupied_byte_seconds for row in bill.usage]


def test_what_was_superseded_adds_nothing_when_it_comes_again(tmp_path):
    meter, hour, _ = world(tmp_path)
    billed = [(55 * 2 + 5 * 3) * 60 * GIB]
    assert occupied(meter) == billed
    assert again(meter, tmp_path / "hour", hour) == (Outcome(duplicate=12), None)
    assert occupied(meter) == billed


def test_a_directory_that_holds_the_mistake_and_its_correction_adds_nothing(tmp_path):
    meter, hour, right = world(tmp_path)
    assert again(meter, tmp_path / "both", [*hour, *right]) == (Outcome(duplicate=12), None)
    assert again(meter, tmp_path / "on purpose", [*hour, *right], supersede=True) == (Outcome(duplicate=12), None)
    assert occupied(meter) == [(55 * 2 + 5 * 3) * 60 * GIB]


def test_it_is_put_back_on_purpose(tmp_path):
    meter, hour, right = world(tmp_path)
    assert again(meter, tmp_path / "back", hour, supersede=True) == (Outcome(accepted=1, duplicate=11), 3)
    assert occupied(meter) == [60 * 2 * 60 * GIB]
    assert again(meter, tmp_path / "right again", right) == (Outcome(duplicate=1), None)
    assert occupied(meter) == [60 * 2 * 60 * GIB]


@pytest.mark.parametrize(
    "sizes",
    [{"s": GIB}, {"s": 3 * GIB, "t": GIB}, {"s": 2 * GIB, "t": GIB}, {}, {"s": GIB, "t": GIB, "u": GIB}],
    ids=["a part of it", "of both a part", "another size", "nothing", "more than it"],
)
def test_what_no_version_says_is_still_a_conflict(tmp_path, sizes):
    meter, _, _ = world(tmp_path)
    poll = polls("2026-10-01T00:30:00Z", "2026-10-01T00:35:00Z", sizes)
    assert again(meter, tmp_path / "other", poll) == (Outcome(conflicting=1), 3)


def test_the_mistake_with_a_part_of_its_correction_is_a_contradiction(tmp_path):
    meter, hour, _ = world(tmp_path)
    more = polls("2026-10-01T00:30:00Z", "2026-10-01T00:35:00Z", {"u": GIB})
    assert again(meter, tmp_path / "more", [*hour, *more]) == (Outcome(duplicate=11, conflicting=1), 3)


def test_a_list_of_nothing_that_was_superseded_adds_nothing(tmp_path):
    empty = polls("2026-10-01T00:00:00Z", "2026-10-01T00:05:00Z", {})
    meter = meter_of(tmp_path, samples=empty)
    full = polls("2026-10-01T00:00:00Z", "2026-10-01T00:05:00Z", {"s": GIB})
    meter.ingest(write(tmp_path / "full", samples=full), supersede=True)
    assert again(meter, tmp_path / "empty", empty) == (Outcome(duplicate=1), None)
    assert again(meter, tmp_path / "both", [*empty, *full]) == (Outcome(duplicate=1), None)


def capture(sizes):
    objects = [
        {"uuid": name, "owner": {"uuid": "A"}, "drive": None, "location": "ZRH", "status": "available", "name": name,
         "allocated_size": size} for name, size in sizes.items()
    ]  # fmt: skip
    response = {"meta": {"limit": 0, "offset": 0, "total_count": len(objects)}, "objects": objects}
    return json.dumps({"poll_time": "2026-10-01T00:00:00Z", "endpoint": "ZRH", "account": "A", "response": response})


def test_captures_of_the_mistake_and_of_its_correction_add_nothing_and_a_third_is_a_contradiction(tmp_path):
    wrong, right, other = ({"s": GIB, "t": GIB}, {"s": 3 * GIB}, {"s": GIB})
    meter = meter_of(tmp_path, samples=[])
    files = {name: tmp_path / f"{name}.captures.ndjson" for name in ("wrong", "right", "both", "all")}
    for name, listed in (("wrong", [wrong]), ("right", [right]), ("both", [wrong, right]), ("all", [wrong, right, other])):
        files[name].write_text("\n".join(map(capture, listed)) + "\n", encoding="utf-8")
    meter.ingest(files["wrong"])
    meter.ingest(files["right"], supersede=True)
    assert meter.ingest(files["both"]).polls == Outcome(duplicate=1)
    assert meter.ingest(files["all"]).polls == Outcome(conflicting=1)


def taken(meter, folder, prices, **options):
    rows = meter.ingest(write(folder, prices=prices), **options).tables["prices"]
    return rows.accepted, rows.duplicate, rows.conflicting


def test_a_price_that_was_superseded_adds_nothing_when_it_comes_again(tmp_path):
    meter = meter_of(tmp_path, samples=polls("2026-10-01T00:00:00Z", "2026-10-01T01:00:00Z", {"s": GIB}), prices=[price("1")])
    assert taken(meter, tmp_path / "2 on purpose", [price("2")], supersede=True) == (1, 0, 0)
    assert taken(meter, tmp_path / "1 again", [price("1")]) == (0, 1, 0)
    assert taken(meter, tmp_path / "both", [price("1"), price("2")]) == (0, 2, 0)
    assert taken(meter, tmp_path / "both on purpose", [price("1"), price("2")], supersede=True) == (0, 2, 0)
    bill = meter.bill(PERIOD)
    assert [line.price for line in bill.lines] == ["2"]
    assert [finding.check for finding in bill.findings] == []
    assert taken(meter, tmp_path / "another", [price("1"), price("3")]) == (0, 0, 2)
    assert taken(meter, tmp_path / "back", [price("1")], supersede=True) == (1, 0, 0)
    assert [line.price for line in meter.bill(PERIOD).lines] == ["1"]
