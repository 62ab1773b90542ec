"""Facts out of the store as a facts directory: what is exported can be ingested again and gives the same bill."""

import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from metering.engine.duckdb import Engine, quoted
from metering.engine.queries import load_query
from metering.model.errors import MisuseError, NoDataError
from metering.model.period import SECONDS_PER_DAY, date_text, month_start, next_month_start
from metering.model.units import counted
from metering.reporting.facts_folder import FactsFolder, facts_folder

_FORMS = {"csv": "format csv, header", "ndjson": "format json", "parquet": "format parquet, compression zstd"}
# Without a file of its own beside it, DuckDB writes into the one that it is given, which is its owner's only.
_ENDS = {form: f"{options}, use_tmp_file false" for form, options in _FORMS.items()}
_ALL_TIME = (-(2**40), 2**40)


def _instant(column: str) -> str:
    return f"strftime(make_timestamp({column} * 1000000), '%Y-%m-%dT%H:%M:%SZ')"


# The columns of each fact file (INTERFACE.md) from the columns of the store.
_SELECTS = {
    "subscriptions": (
        ("billing/known_subscriptions", "reports/exported_subscriptions"),
        f"select id, account, location, amount, {_instant('start_s')} as start_time, {_instant('end_s')} as end_time, period, "
        "'backup' as resource, price, currency, auto_renew from facts order by account, location, start_time, id",
    ),
    "prices": (
        ("billing/known_prices",),
        f"select location, 'backup' as resource, currency, level, price, unit, multiplier, {_instant('effective_from_s')} as "
        "effective_from from facts order by location, currency, level, effective_from",
    ),
    "burst_levels": (
        ("billing/known_burst_levels",),
        f"select location, 'backup' as resource, level, {_instant('effective_from_s')} as effective_from from facts "
        "order by location, effective_from",
    ),
    "accounts": (
        ("billing/known_accounts", "reports/exported_accounts"),
        "select account, currency, name from facts order by account",
    ),
}
# Text for people's programs; in Parquet an instant, which is read faster and packs better.
_POLL_TIMES = {"parquet": "cast(make_timestamp(poll_s * 1000000) as timestamptz)"}
_PARTS = ("reports/part_polls", "reports/part_runs")
_SAMPLES = "select {poll_time} as poll_time, endpoint, account, location, snapshot, allocated_size, drive, status, name from facts"


def export_facts(
    engine: Engine, folder: Path, form: str, known_seq: int, start_s: int | None, end_s: int | None, account: str | None = None
) -> dict[str, int]:
    """Write the facts in force into a folder, with a manifest, and give the number of rows of each table.

    Each table is a file, in NDJSON if it has a row; in Parquet, samples are a folder of files, one a UTC day, sorted by snapshot.

    With a period, samples are those that its bill rests on: of the polls of the period, of those next to it on both sides, and
    of those that tell what feeds which location. Of an account alone, polls, subscriptions and its currency are its own; prices
    and burst levels are everybody's. What was kept aside (conflicts, rejected rows, shared snapshots) stays.

    Raises:
        MisuseError: the format is none that is written.
        NoDataError: nothing is known of the account.
        InputError: the folder cannot be written, or holds something that no unfinished export left.
    """
    if form not in _ENDS:
        raise MisuseError(f"facts are written as csv, ndjson or parquet, not {form!r}")
    parameters: dict[str, Any] = {"known_seq": known_seq, "start_s": _ALL_TIME[0], "stop_s": _ALL_TIME[1], "account": account}
    if account is not None and not engine.rows("reports/accounts_with_facts", parameters):
        raise NoDataError(f"account {account!r} has no facts: `metering export facts` without --account writes everybody's")
    with facts_folder(folder) as made:
        if start_s is not None and end_s is not None:
            wanted = parameters | {"start_s": start_s, "stop_s": end_s}
            parameters |= engine.rows("reports/neighbouring_polls", wanted)[0]
        engine.create("reports/exported_polls", parameters)
        if start_s is not None:
            engine.insert("exported_polls", "reports/witness_polls", parameters)
        counts = _export_samples(engine, made, form, parameters)
        for table, (queries, select) in _SELECTS.items():
            counts[f"{table}.{form}"] = _export(engine, queries, select, made, f"{table}.{form}", parameters)
        engine.drop("exported_polls")
        made.put({path: count for path, count in counts.items() if _has_file(form, count)})
    tables = ("samples", *_SELECTS)
    return {table: sum(count for path, count in counts.items() if path.startswith((f"{table}.", f"{table}/"))) for table in tables}


def left_out(engine: Engine, known_seq: int) -> list[str]:
    """Tell what of the store a facts directory has no file for, and what to do about it, a line each."""
    (kept,) = engine.rows("reports/facts_left_out", {"known_seq": known_seq})
    closed, told = kept["closing_count"], []
    if closed:
        told.append(f"left out: {counted(closed, 'closed period')}: a `metering backup` has {'it' if closed == 1 else 'them'}")
    if kept["discount_count"]:
        told.append("left out: the discounts that the collector read: name them under `discounts` where these facts are taken in")
    return told


def _export_samples(engine: Engine, made: FactsFolder, form: str, parameters: dict[str, Any]) -> dict[str, int]:
    """Write the samples of the exported polls: in Parquet a file a UTC day, so that engines read them side by side."""
    queries, select = ("reports/exported_samples",), _SAMPLES.format(poll_time=_POLL_TIMES.get(form, _instant("poll_s")))
    days = [row["day_s"] for row in engine.rows("reports/exported_days")]
    parts = {_ALL_TIME: {f"samples.{form}": _ALL_TIME}}
    if form == "parquet" and days:
        (made.place / "samples").mkdir(mode=0o700)
        # A month at a time, for otherwise each day would look through the polls and runs of all time.
        parts = {
            (month_s, next_month_start(month_s)): {
                f"samples/{date_text(day_s)}.{form}": (day_s, day_s + SECONDS_PER_DAY) for day_s in its_days
            }
            for month_s, its_days in groupby(days, key=month_start)
        }
    counts = {}
    for (part_start_s, part_stop_s), files in parts.items():
        for table in _PARTS:
            engine.create(table, parameters | {"start_s": part_start_s, "stop_s": part_stop_s})
        for name, (start_s, stop_s) in files.items():
            wanted = parameters | {"start_s": start_s, "stop_s": stop_s}
            counts[name] = _export(engine, queries, select, made, name, wanted)
    engine.drop(*(load_query(table).name for table in _PARTS))
    return counts


def _export(engine: Engine, queries: Sequence[str], select: str, made: FactsFolder, name: str, parameters: dict[str, Any]) -> int:
    """Write what the last of `queries` gives, each of which reads the one before, and give its number of rows."""
    names, form = [load_query(query).name for query in queries], Path(name).suffix.removeprefix(".")
    for query in queries:
        engine.create(query, parameters)
    count = int(engine.scalar(f"select count(*) from {names[-1]}"))
    if _has_file(form, count):
        with made.file(name) as path:
            engine.sql(f"copy (with facts as (from {names[-1]}) {select}) to {quoted(os.fspath(path))} ({_ENDS[form]})")
    engine.drop(*names)
    return count


def _has_file(form: str, count: int) -> bool:
    """Tell whether a table of so many rows has a file: NDJSON without a row is empty, and is refused as one that lost its rows."""
    return count > 0 or form != "ndjson"
