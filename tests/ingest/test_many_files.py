"""Many small files of one command: they give what one file gives, and each row is told by its own file."""

import gzip
import json
import random

import pytest
from hour_facts import an_hour, at, bill_json, csv_bytes, ingested, ndjson_bytes, sample, write_facts

import metering
from metering.ingest import samples, sources

WRONG = {"-1": "allocated_size", "1.5": "allocated_size", "soon": "poll_time", "a" * 200: "snapshot"}


def in_files(folder, ending):
    """Write an hour and wrong rows as files of five rows, in no order, some without a column; tell where each wrong value is."""
    facts = an_hour()
    rows = facts.pop("samples")
    rows += [sample(at(3), "-1", "x"), sample(at(4), "1.5", "x"), sample("soon", 1, "x"), sample(at(6), 7, "a" * 200)]
    random.Random(7).shuffle(rows)
    write_facts(folder, facts)
    places = {}
    (folder / "samples").mkdir()
    parts = [rows[start : start + 5] for start in range(0, len(rows), 5)]
    for number, part in zip(random.Random(1).sample(range(100), len(parts)), parts, strict=True):
        kept = [{column: value for column, value in row.items() if number % 3 or column != "drive"} for row in part]
        write_facts(folder / "one", {"samples": kept}, ending)
        place = folder / "samples" / f"part-{number:03d}[1].{ending}"
        (folder / "one" / f"samples.{ending}").rename(place)
        for row in part:
            places |= {value: str(place) for value in map(str, row.values()) if value in WRONG}
    (folder / "one").rmdir()
    return places


def told(outcome):
    return [rejection.text for rejection in outcome.rejections], outcome.tables["samples"], outcome.polls


@pytest.mark.parametrize("ending", ["parquet", "csv", "ndjson"])
def test_each_wrong_row_of_many_files_is_told_by_its_own_file(tmp_path, ending):
    places = in_files(tmp_path / "facts", ending)
    found = {rejection.value: (rejection.field, rejection.file) for rejection in ingested(tmp_path / "facts").rejections}
    assert found == {value: (field, places[value]) for value, field in WRONG.items()}


def test_parquet_files_that_are_read_together_give_what_they_give_one_by_one(tmp_path, monkeypatch):
    in_files(tmp_path / "facts", "parquet")
    outcome, bill = told(ingested(tmp_path / "facts")), bill_json(tmp_path / "facts")
    groups = []
    read_together = samples.read_together

    def one_by_one(engine, files):
        groups.extend(read_together(engine, files))
        return [{number: file} for number, file in files.items()]

    monkeypatch.setattr(samples, "read_together", one_by_one)
    assert told(ingested(tmp_path / "facts")) == outcome
    assert bill_json(tmp_path / "facts") == bill
    assert max(map(len, groups)) > 5, "many were read in one look"
    assert len(groups) > 1, "those without a column were not"


# What a damaged line looks like, and the lines of a file that holds ten polls and then this one.
DAMAGED = {"csv": (b'2026-10-05T00:00:00Z,zz,ZRH,"s', 12), "ndjson": (b'{"poll_time": "2026-1', 11), "capture.ndjson": (b"[1", 11)}


def in_text_files(folder, ending, damaged):
    """Write 60 files of ten polls, of many manners: ends of lines, blank lines, packed or not; some end in a damaged line.

    Gives the sizes that are accepted, and where what is rejected stands.
    """
    rng, accepted, rejected = random.Random(ending), [], []
    folder.mkdir()
    for number in rng.sample(range(60), 60):
        account = f"a{number}"
        rows = [sample(at(minute), rng.randrange(10**12), "s", account) for minute in range(0, 50, 5)]
        wrong = rng.randrange(10) if rng.random() < 0.3 else None
        blanks = rng.randrange(3)
        if wrong is not None:
            rows[wrong] |= {"allocated_size": "1.5"}
        accepted += [row["allocated_size"] for row in rows if row["allocated_size"] != "1.5"]
        if ending == "csv":
            columns = sorted(rows[0], reverse=rng.random() < 0.5)
            content = csv_bytes(rows, columns, end=rng.choice(["\n", "\r\n"]), bom=rng.random() < 0.3)
            blanks = 0
        elif ending == "ndjson":
            content = b"\n" * blanks + ndjson_bytes(rows, end=rng.choice(["\n", "\r\n"]))
        else:
            content = b"\n" * blanks + b"".join(map(_as_capture, rows))
        place = folder / f"{'' if 'capture' in ending else 'samples-'}{number:02d}.{ending}{rng.choice(['', '.gz'])}"
        if wrong is not None:
            rejected.append((str(place), wrong + 1 + blanks + (ending == "csv"), "allocated_size"))
        if number in damaged:
            line, last = DAMAGED[ending]
            content += line
            rejected.append((str(place), last + blanks, "line"))
        place.write_bytes(gzip.compress(content) if place.suffix == ".gz" else content)
    return sorted(accepted), sorted(rejected)


def _as_capture(row):
    size = row["allocated_size"]
    listed = {"uuid": row["snapshot"], "location": row["location"], "allocated_size": size, "owner": {"uuid": row["account"]}}
    head = {"poll_time": row["poll_time"], "endpoint": row["location"], "account": row["account"]}
    return json.dumps(head | {"response": {"objects": [listed]}}).encode() + b"\n"


@pytest.mark.parametrize("damaged", [(), (0, 31, 32)])
@pytest.mark.parametrize("ending", DAMAGED)
def test_small_text_files_are_parsed_together_and_each_line_is_told_by_its_own(tmp_path, monkeypatch, ending, damaged):
    accepted, rejected = in_text_files(tmp_path / "facts", ending, damaged)
    parsed = []
    bulk = sources._bulk

    def told_bulk(texts):
        parsed.append(len(texts))
        return bulk(texts)

    monkeypatch.setattr(sources, "_bulk", told_bulk)
    with metering.open(":memory:") as meter:
        outcome = meter.ingest(tmp_path / "facts")
        with meter._store.reading() as engine:
            sizes = engine.sql("select r.allocated_size from sample_runs as r order by 1")
    assert sorted((item.file, item.line, item.field) for item in outcome.rejections if item.field != "poll") == rejected
    assert [size for (size,) in sizes] == accepted
    if damaged and ending != "capture.ndjson":
        assert len(damaged) <= parsed.count(1) <= 2 * len(damaged), "few are parsed by themselves"
    else:
        assert len(parsed) < 7, "by their columns and ends; no file by itself; a damaged line of a capture is told in passing"


def test_what_is_parsed_together_is_bounded(tmp_path, monkeypatch):
    in_text_files(tmp_path / "facts", "ndjson", ())
    told_together = told(ingested(tmp_path / "facts"))
    for most in (4_000, 1):
        monkeypatch.setattr(sources, "_TOGETHER_BYTES", most)
        assert told(ingested(tmp_path / "facts")) == told_together
    monkeypatch.setattr(sources, "_SMALL_BYTES", 0)
    assert told(ingested(tmp_path / "facts")) == told_together
    monkeypatch.undo()
    monkeypatch.setattr(sources, "_FILES_TOGETHER", 7)
    assert told(ingested(tmp_path / "facts")) == told_together
