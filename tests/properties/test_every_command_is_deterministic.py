"""Every command gives the same bytes whatever process it runs in and in whatever order its facts lie (G13, §2, §9.1)."""

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

ROOT = Path(__file__).resolve().parents[2]
P = "2026-10-01..2026-10-04"
REPORTS = ("usage", "burst", "snapshots", "subscriptions", "cost", "coverage", "statement")
ENDINGS = ("csv", "ndjson", "parquet", "xlsx")
LINES = (
    "ingest facts/accounts.csv facts/burst_levels.csv facts/prices.csv facts/samples.csv facts/subscriptions.csv",
    *(f"bill {P} --format {form}" for form in ("json", "csv", "table")),
    f"bill {P} -o bill.xlsx",
    *(f"report {report} --period {P} --format {form}" for report in REPORTS for form in ("json", "csv", "table")),
    *(f"report usage --period {P} --by account,day -o usage-days.{ending}" for ending in ENDINGS),
    f"report burst --period {P} --by hour -o burst-hours.csv",
    f"report snapshots --period {P} --by drive,day --format csv",
    f"report html --period {P} -o page.html",
    f"report html --period {P} --account {{account}} -o own.html",
    f"plot usage --period {P} -o usage.svg",
    f"plot burst --period {P} -o burst.svg",
    f"plot cost --period {P} -o cost.svg",
    f"plot burst --period {P} --dark -o burst.png",
    "explain {burst} -v --format json --period " + P,
    "explain {burst} --format table --period " + P,
    "explain {burst} -o charge.html --period " + P,
    *(f"audit -v --period {P} --format {form}" for form in ("json", "csv", "table")),
    *(f"export statement --period {P} -o statement.{ending}" for ending in ("csv", "json", "html", "beancount")),
    f"export statement --period {P} -o statements",
    *(f"export usage --period {P} -o usage.{ending}" for ending in ENDINGS),
    *(f"export focus --period {P} -o focus.{ending}" for ending in ("csv", "parquet")),
    *(f"export ledger --period {P} -o ledger.{ending}" for ending in ("csv", "ndjson", "json")),
    f"export dailyburst --period {P} -o dailyburst.json",
    f"export currentusage --period {P} -o currentusage.json",
    f"export xlsx --period {P} -o book.xlsx",
    *(f"export facts --period {P} -o facts-{form} --facts-format {form}" for form in ("csv", "ndjson", "parquet")),
    f"reconcile --period {P} --ledger facts/provider/ledger.ndjson --account {{account}} --location {{location}} --format json",
    f"reconcile --period {P} --usage facts/provider/usage.ndjson --account {{account}} --format table",
    f"reconcile --period {P} --ledger facts/provider/ledger.ndjson --account {{account}} -o reconciled.html",
    *(f"advise --period {P} --format {form}" for form in ("json", "csv", "table")),
    f"advise --period {P} -o advice.html",
    *(f"forecast --days 3 --as-of 2026-10-04 --format {form}" for form in ("json", "csv", "table")),
    "forecast --days 3 --as-of 2026-10-04 -o ahead.xlsx",
    "quote --amount 100GiB --location {location} --period '1 year' --currency CHF --format json",
    "quote --amount 100GiB --location {location} --period '1 year' --currency CHF --format table",
    "close 2026-10-01 --by ann --reason agreed --format json",
    "close 2026-10-02 --by ann --reason agreed --format table",
    "verify --format json",
    "verify --format table",
    "ingest late/prices.csv --supersede",
    "bill 2026-10-03 --format json",
    "explain {adjustment} --period 2026-10-03 --format json",
    "explain {adjustment} --period 2026-10-03 -o adjustment.html",
    "export focus --period 2026-10-03 -o adjusted.csv",
    "bill 2026-10-01..2026-10-02 --known-at 1 --format json",
)  # fmt: skip
SURROUNDINGS = {
    "here": {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "METERING_THREADS": "1"},
    "elsewhere": {
        "TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8", "LANG": "de_DE.UTF-8", "PYTHONHASHSEED": "4711",
        "METERING_THREADS": "2", "USER": "ben", "TMPDIR": "/var/tmp",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    command = f"-m metering sandbox facts -o facts --period {P} --accounts 2 --drives 1 --elsewhere --missed 3 -q"
    subprocess.run([sys.executable, *command.split()], cwd=folder, check=True, capture_output=True)
    header, *rows = (folder / "facts" / "prices.csv").read_text(encoding="utf-8").splitlines()
    place = header.split(",").index("price")
    dearer = [[f"{cell}1" if i == place else cell for i, cell in enumerate(row.split(","))] for row in rows]
    (folder / "late").mkdir()
    (folder / "late" / "prices.csv").write_text("\n".join([header, *map(",".join, dearer)]) + "\n", encoding="utf-8")
    return folder


def said_in(surroundings, facts, folder, shuffled_by):
    """Copy the facts, their rows shuffled, run every line there, and give the bytes of all files that came of it."""
    random = Random(shuffled_by)
    for path in sorted(facts.rglob("*")):
        copy = folder / path.relative_to(facts)
        if path.is_dir():
            copy.mkdir(parents=True)
            continue
        header, *rows = path.read_bytes().splitlines(keepends=True)
        if shuffled_by and path.suffix == ".csv":
            random.shuffle(rows)
        copy.write_bytes(b"".join([header, *rows]))
    environment = os.environ | SURROUNDINGS[surroundings]
    before = set(folder.rglob("*"))
    subprocess.run(
        [sys.executable, str(ROOT / "tests" / "everything_said.py"), str(folder)],
        cwd=ROOT if shuffled_by else folder, env=environment | {"PYTHONPATH": str(ROOT)}, input="\n".join(LINES), text=True,
        check=True,
    )  # fmt: skip
    made = sorted(path for path in set(folder.rglob("*")) - before if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in made if not path.name.startswith("metering.duckdb")}


def test_every_command_gives_the_same_bytes_in_any_process_and_from_shuffled_facts(facts, tmp_path):
    here = said_in("here", facts, tmp_path / "a", 0)
    elsewhere = said_in("elsewhere", facts, tmp_path / "somewhere else" / "deeper", 7)
    codes = json.loads(here["said/codes.json"])
    errors = {f"{line}: {here[f'said/{n:02d}.err'].decode()}" for n, (line, code) in enumerate(codes.items()) if code}
    assert not errors
    assert sorted(here) == sorted(elsewhere)
    assert [name for name in here if here[name] != elsewhere[name]] == []
