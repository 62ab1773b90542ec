"""What stands in a facts directory in the place of a file or folder: a link, a pipe, what may not be read. None is lost unsaid."""

import os
import re
import subprocess
import sys

import pytest
from hour_facts import HOUR, at, csv_bytes, ingested, sample

import metering
from metering.model.errors import InputError

# Root reads whatever there is, unless it gives that up.
AS_A_USER = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()


@pytest.fixture
def elsewhere(tmp_path):
    """A folder with two polls, of 1000 bytes each, in two files; one lies in a folder below."""
    for minute, name in ((0, "first.csv"), (5, "below/second.csv")):
        path = tmp_path / "elsewhere" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(csv_bytes([sample(at(minute), 1000)]))
    return tmp_path / "elsewhere"


@pytest.fixture
def facts(tmp_path):
    """A facts directory with a poll of its own, ten minutes after the hour."""
    (tmp_path / "facts").mkdir()
    (tmp_path / "facts" / "samples.csv").write_bytes(csv_bytes([sample(at(10), 1000)]))
    return tmp_path / "facts"


def taken(store, *places):
    """Give how many polls are accepted, what is billed of the hour, and the notes."""
    with metering.open(str(store)) as meter:
        outcome = meter.ingest(list(places))
        (usage,) = meter.bill(HOUR).usage
        return outcome.polls.accepted, usage.occupied_byte_seconds, outcome.notes


@pytest.mark.parametrize("store", ["store.duckdb", ":memory:"])
@pytest.mark.parametrize("name", ["samples-linked", "samples-linked/2026/10"])
def test_a_link_to_a_folder_is_that_folder(tmp_path, facts, elsewhere, name, store):
    (facts / name).parent.mkdir(parents=True, exist_ok=True)
    (facts / name).symlink_to(elsewhere)
    # 1000 bytes from the first poll on, held for 900 s after the last, which is ten minutes later.
    assert taken(tmp_path / store if store != ":memory:" else store, facts) == (3, 1000 * (600 + 900), [])


def test_a_link_within_a_linked_folder_is_what_it_stands_for(tmp_path, facts, elsewhere):
    (elsewhere / "below").rename(tmp_path / "moved")
    (elsewhere / "below").symlink_to(tmp_path / "moved")
    (elsewhere / "first.csv").rename(tmp_path / "moved.csv")
    (elsewhere / "first.csv").symlink_to(tmp_path / "moved.csv")
    (facts / "samples").symlink_to(elsewhere)
    assert taken(tmp_path / "store.duckdb", facts) == (3, 1_500_000, [])


def test_links_that_lead_back_are_looked_through_once(tmp_path, facts, elsewhere):
    (facts / "samples").symlink_to(elsewhere)
    (elsewhere / "round").symlink_to(facts)
    (elsewhere / "below" / "here").symlink_to(".")
    assert taken(tmp_path / "store.duckdb", facts) == (3, 1_500_000, [])


def test_a_link_to_a_folder_that_is_of_no_table_is_passed_over_with_a_note(tmp_path, facts, elsewhere):
    (facts / "old").symlink_to(elsewhere)
    (facts / "everything").symlink_to("/")
    said = "is passed over: it is a link to a folder, and no table of facts has its name"
    notes = [f"{facts}/everything {said}", f"{facts}/old {said}"]
    assert taken(tmp_path / "store.duckdb", facts) == (1, 900_000, notes)


def refused(place, said):
    with metering.open(":memory:") as meter, pytest.raises(InputError, match=f"^{re.escape(f'{place} {said}')}$"):
        meter.ingest(place.parent if place.parent.name == "facts" else place.parent.parent)


@pytest.mark.parametrize("target", ["/nowhere/samples.csv", "samples-gone.csv"], ids=["nothing", "itself"])
def test_a_link_to_nothing_is_refused(facts, target):
    (facts / "samples-gone.csv").symlink_to(target)
    refused(facts / "samples-gone.csv", "is a link to what is not there: bring that back, or remove the link")


@pytest.mark.parametrize("name", ["samples", "prices/2026", "samples-old/2026/10"])
def test_a_link_to_a_folder_of_a_table_that_is_gone_is_refused(facts, name):
    """As where the disk that it leads to is not mounted."""
    (facts / name).parent.mkdir(parents=True, exist_ok=True)
    (facts / name).symlink_to("/nowhere/samples")
    refused(facts / name, "is a link to what is not there: bring that back, or remove the link")


def test_a_pipe_among_the_facts_is_refused(facts):
    (facts / "prices").mkdir()
    os.mkfifo(facts / "prices" / "x.csv")
    refused(facts / "prices" / "x.csv", "is no file, but a pipe or a device: name a file in its place, or remove it")


def test_a_pipe_that_is_named_by_itself_is_refused_as_that(tmp_path):
    os.mkfifo(tmp_path / "samples.csv")
    with pytest.raises(InputError, match=r"samples\.csv is no file, but a pipe or a device: name a file in its place"):
        ingested(tmp_path / "samples.csv")


def test_what_is_called_like_no_facts_may_be_anything(tmp_path, facts):
    (facts / "samples-gone.txt").symlink_to("/nowhere")
    (facts / ".samples.csv").symlink_to("/nowhere")
    (facts / "_samples").symlink_to("/nowhere")
    (facts / "latest").symlink_to("/nowhere")
    os.mkfifo(facts / "pipe")
    accepted, _, notes = taken(tmp_path / "store.duckdb", facts)
    assert (accepted, notes) == (1, [])


@pytest.mark.parametrize(("name", "status"), [("samples-2/below", 1), ("lost+found", 0)])
def test_a_folder_that_may_not_be_read_is_refused_where_facts_lie_in_it_and_told_elsewhere(facts, name, status):
    (facts / name).mkdir(parents=True)
    (facts / name / "samples.csv").write_bytes(csv_bytes([sample(at(0), 1000)]))
    (facts / name).chmod(0)
    words = ("ingest", facts, "--store", ":memory:", "--format", "table")
    ended = subprocess.run(
        [*AS_A_USER, sys.executable, "-m", "metering", *words], capture_output=True, text=True, check=False
    )  # fmt: skip
    (facts / name).chmod(0o700)
    said = {
        0: f"note: {facts}/{name} is passed over: it cannot be read (Permission denied)\n",
        1: f"metering: {facts}/{name} cannot be read (Permission denied): let it be read, or take it away\n",
    }
    assert (ended.returncode, ended.stderr) == (status, said[status])
