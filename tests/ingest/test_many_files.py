"""Many small files of one command: they give what one file gives, and each row is told by its own file."""

import random

import pytest
from hour_facts import an_hour, at, bill_json, ingested, sample, write_facts

from metering.ingest import samples

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
