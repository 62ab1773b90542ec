"""Whatever is changed behind the store's back, in any column of any table, `verify` finds it and names it."""

import contextlib
import json
import shutil
import signal
from pathlib import Path

import duckdb
import pytest
from closed_world import day_meter, more_facts
from small_world import GIB, polls, price, subscription, write

from metering import Meter, seals
from metering.books import verification
from metering.books.closings import read_closings, sha256
from metering.config import Settings
from metering.model.errors import MeteringError, StoreMemoryError
from metering.model.period import instant_seconds
from metering.store import transaction

# Runs are sealed as what they say: which samples there are. Any of these names tells where to look.
RUNS = ("closed_runs", "open_runs", "collection_tails", "level_steps", "level_days")
NAMES = {table: {*RUNS, "samples"} for table in RUNS}


def answer(resource, response, **more):
    told = {"poll_time": "2026-10-01T00:00:00Z", "endpoint": "ZRH", "account": "A", "location": "ZRH", "resource": resource}
    return json.dumps(told | {"response": response} | more)


def listing(poll_time):
    def listed(uuid, owner):
        return {
            "uuid": uuid, "name": "n", "status": "available", "allocated_size": GIB, "location": "GVA", "drive": {"uuid": "d"},
            "owner": {"uuid": owner}, "drive_meta": {"size": 5 * GIB},
        }  # fmt: skip

    response = {"meta": {}, "objects": [listed("g", "A"), listed("theirs", "C")]}
    return {"poll_time": poll_time, "endpoint": "GVA", "account": "A", "date": poll_time, "response": response}


def hourly(start, end, sizes):
    return polls(start, end, sizes, step=3600)


def world_with_a_row_in_every_table(folder: Path) -> Meter:
    """Two days, polled by the hour, both closed; every table of the store has a row."""
    settings = Settings(store=":memory:", threads=1, cycle=3600, max_hold=7200)
    meter = Meter(settings, clock=lambda: instant_seconds("2026-12-01"))
    facts = {
        "samples": hourly("2026-10-01", "2026-10-03", {"s": GIB, "t": GIB}),
        "prices": [price("0.30")],
        "accounts": [{"account": "A", "currency": "CHF", "name": "A"}],
        "subscriptions": [subscription("sub-1", GIB, "2026-10-01", "2026-10-02")],
        "burst_levels": [{"location": "ZRH", "resource": "backup", "level": 1, "effective_from": "2026-10-01"}],
    }
    meter.ingest(write(folder / "facts", **facts))
    captured = folder / "gva.capture.ndjson"
    captured.write_text("".join(json.dumps(listing(row["poll_time"])) + "\n" for row in hourly("2026-10-01", "2026-10-03", {})))
    answers = folder / "told.answer.ndjson"
    answers.write_text(
        "\n".join(
            [
                answer("discount", {"objects": [{"period": "1 year", "value": "0.25"}]}),
                answer("locations", {"objects": [{"id": "ZRH", "display_name": "Z", "country_code": "CH", "api_endpoint": "u"}]}),
                answer("remotesnapshots", {}, note={"outcome": "failed", "cause": "timeout", "detail": "30 s"}),
            ]
        )
    )
    meter.ingest([captured, answers])
    # a conflicting poll, then a superseding one; a broken row, then the file mended
    more_facts(meter, folder, "conflict", samples=hourly("2026-10-01T06:00:00Z", "2026-10-01T07:00:00Z", {"s": 2 * GIB}))
    meter.ingest(folder / "conflict", supersede=True)
    broken = hourly("2026-10-03", "2026-10-03T02:00:00Z", {"s": GIB})
    more_facts(meter, folder, "mended", samples=[broken[0] | {"allocated_size": "much"}, broken[1]])
    more_facts(meter, folder, "mended", samples=broken)
    meter.close("2026-10-01", by="ann", reason="so that there is one")
    more_facts(meter, folder, "late", prices=[price("0.60", since="2026-10-01T12:00:00Z")])
    meter.close("2026-10-02", by="ann", reason="so that there is one")
    return meter


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    with world_with_a_row_in_every_table(tmp_path_factory.mktemp("closed")) as meter:
        yield meter


def columns():
    """Give every column of every table that a store has."""
    with Meter(Settings(store=":memory:")) as meter, meter._store.reading() as engine:
        return engine.sql(
            "select c.table_name, c.column_name, c.data_type from duckdb_columns() as c inner join duckdb_tables() as t "
            "using (table_oid) where not t.temporary order by c.table_name, c.column_index"
        )


TABLES = sorted({row[0] for row in columns()})


class TamperedError(Exception):
    """Ends a transaction that changed something, so that it never was."""


@contextlib.contextmanager
def undone(meter: Meter):
    """Give the engine of a store in memory; whatever is changed in it is undone."""
    with contextlib.suppress(TamperedError), meter._store.reading() as engine, transaction(engine):
        yield engine
        raise TamperedError


def found_after(meter: Meter, change: str):
    """Change something in the store, verify, and undo it."""
    with undone(meter) as engine:
        engine.sql(change)
        return meter.verify("2026-10-02").differences


def looked_up_after(meter: Meter, change: str):
    """Change something, look as `verify` does but without recomputing statements, which takes time, and undo it."""
    with undone(meter) as engine:
        engine.sql(change)
        return verification.differences_of_facts_and_chain(engine)


def assert_named(table: str, differences) -> None:
    assert differences
    if table in ("closings", "closed_statements"):
        assert {difference.closing_seq for difference in differences} & {1, 2, 3}
    else:
        assert {difference.table_name for difference in differences} & NAMES.get(table, {table})
    assert all(difference.message for difference in differences)


def test_nothing_was_changed_so_nothing_is_found_and_every_table_has_a_row(closed):
    verified = closed.verify()
    assert verified.differences == []
    assert [(row.closing.closing_seq, row.statement_count, row.difference_count) for row in verified.closings] == [
        (1, 1, 0),
        (2, 1, 0),
    ]
    with closed._store.reading() as engine:
        assert [table for table in TABLES if not engine.scalar(f"select count(*) from {table}")] == []
        assert {row[0] for row in engine.sql("select distinct table_name from seals")} == (
            set(TABLES) - {"store_info", "seals", "closings", "closed_statements", *RUNS}
        ) | {"samples"}


@pytest.mark.parametrize(("table", "column", "kind"), columns(), ids=lambda value: str(value).replace(" ", ""))
def test_a_value_that_was_changed_is_found(closed, table, column, kind):
    changed = f"coalesce({column}, '') || 'x'" if kind == "VARCHAR" else f"-coalesce({column}, 0) - 1"
    differences = looked_up_after(closed, f"update {table} set {column} = {changed} where rowid = (select min(rowid) from {table})")
    assert_named(table, differences)


@pytest.mark.parametrize("table", TABLES)
def test_a_row_that_was_removed_is_found(closed, table):
    assert_named(table, looked_up_after(closed, f"delete from {table} where rowid = (select min(rowid) from {table})"))


@pytest.mark.parametrize("table", TABLES)
def test_a_row_that_was_put_in_twice_is_found(closed, table):
    assert_named(table, looked_up_after(closed, f"insert into {table} from {table} limit 1"))


FOUR_HOURS = "collection_key = 1 and poll_s >= 1790812800 and poll_s < 1790827200"
FIRST, SECOND, THIRD, LAST = (f"(select min(poll_key) + {number} from polls where {FOUR_HOURS})" for number in range(4))


@pytest.mark.parametrize("change", [
    f"poll_s = case poll_s when 1790812800 then 1790816400 else 1790812800 end where {FOUR_HOURS} and poll_s <= 1790816400",
    f"poll_key = case poll_key when {FIRST} then {SECOND} else {FIRST} end where poll_key in ({FIRST}, {SECOND})",
    # The same first and last number, and the same sum of numbers by slots.
    f"poll_key = case poll_key when {SECOND} then {LAST} else {SECOND} end where poll_key in ({SECOND}, {THIRD})",
    f"poll_s = poll_s + 1 where poll_key = {SECOND}", f"poll_s = poll_s + 300 where poll_key = {SECOND}",
    f"poll_s = poll_s + 300 where {FOUR_HOURS}", f"poll_s = poll_s + 14400 where {FOUR_HOURS}",
    f"poll_key = poll_key + 48 where {FOUR_HOURS}", f"poll_key = {FIRST} where poll_key = {SECOND}",
    f"file_number = file_number + 1 where poll_key = {SECOND}", f"file_number = file_number + 1 where {FOUR_HOURS}",
    f"collection_key = 2 where {FOUR_HOURS}", f"ingest_seq = 2 where {FOUR_HOURS}", f"ingest_seq = 2 where poll_key = {SECOND}",
])  # fmt: skip
def test_polls_that_were_changed_within_their_block_are_found(closed, change):
    with undone(closed) as engine:
        text = "concat_ws('|', poll_key, collection_key, poll_s, file_number, ingest_seq)"
        lines = engine.sql(f"select count(*), sum(row_count) from ({seals._polls_of('polls', text)}) as l (i, row_count, line)")
        count = engine.scalar("select count(*) from polls")
        # Of two days by the hour, four to a block.
        assert (4 * lines[0][0] < 2 * count, lines[0][1]) == (True, count)
    assert_named("polls", looked_up_after(closed, f"update polls set {change}"))


@pytest.mark.parametrize("table", ["polls", "subscriptions", "prices", "closed_runs", "seals"])
def test_a_row_of_an_ingest_that_never_was_is_found(closed, table):
    number = "first_poll_key = -first_poll_key" if table == "closed_runs" else "ingest_seq = 99"
    change = (
        f"create or replace temp table forged as from {table} limit 1; update forged set {number}; insert into {table} from forged"
    )
    assert_named(table, found_after(closed, change))


def test_nulls_and_texts_that_run_together_are_told_apart(closed):
    """`ab` + `c` is not `a` + `bc`, and nothing is not an empty text."""
    label = "update labels set drive = '', status = drive || status where rowid = (select max(rowid) from labels)"
    assert_named("labels", found_after(closed, label))
    assert_named("subscriptions", found_after(closed, "update subscriptions set period = ''"))


def test_two_rows_that_changed_places_are_found(closed):
    swap = (
        "update closed_runs set allocated_size = case allocated_size when 1073741824 then 2147483648 else 1073741824 end, "
        "label_key = label_key where allocated_size in (1073741824, 2147483648)"
    )
    assert_named("closed_runs", found_after(closed, swap))


def test_a_run_that_one_ingest_brought_and_that_was_shortened_is_found(tmp_path):
    samples = hourly("2026-10-01", "2026-10-01T06:00:00Z", {"s": GIB}) + hourly(
        "2026-10-01T06:00:00Z", "2026-10-01T09:00:00Z", {"s": 2 * GIB}
    )
    with Meter(
        Settings(store=":memory:", threads=1, cycle=3600, max_hold=7200), clock=lambda: instant_seconds("2026-12-01")
    ) as meter:
        meter.ingest(write(tmp_path / "facts", samples=samples, prices=[price("0.30")]))
        assert looked_up_after(meter, "update closed_runs set allocated_size = allocated_size") == []
        assert_named("closed_runs", looked_up_after(meter, "update closed_runs set last_poll_key = last_poll_key - 1"))


def test_a_statement_that_was_changed_together_with_its_digest_is_found_by_its_figures(closed):
    forged = (
        """update closed_statements set document = replace(document, '"amount_due":"', '"amount_due":"9') where closing_seq = 2; """
        "update closed_statements set sha256 = sha256(document) where closing_seq = 2"
    )
    messages = [difference.message for difference in found_after(closed, forged)]
    assert "closing 2 of 2026-10-02 does not hash to what it says" in messages
    assert [text for text in messages if text.startswith("2026-10-02 of A: statements CHF: amount_due is '9")]


def test_a_chain_that_was_forged_to_its_end_is_found_by_what_it_says_of_the_facts(closed):
    """Whoever rewrites the last statement and every hash after it still has the facts against them, and the head that is kept."""
    head = closed.closings()[-1].hash
    with undone(closed) as engine:
        ((document,),) = engine.sql("select document from closed_statements where closing_seq = 2")
        forged = document.replace('"burst_seconds":', '"burst_seconds":1')
        engine.sql(
            "update closed_statements set document = $d, sha256 = $s where closing_seq = 2", {"d": forged, "s": sha256(forged)}
        )
        chain = read_closings(engine)[-1].hashed({"A": sha256(forged)})
        engine.sql("update closings set hash = $h where closing_seq = 2", {"h": chain.hash})
        verified = closed.verify(head=head)
    assert {difference.what for difference in verified.differences} == {"statement", "head"}


def test_a_closing_that_was_rewritten_whole_is_told_by_the_one_after_it(closed):
    """Its own hash is made to fit, and the next one is made to name it: that one then does not hash to what it says."""
    with undone(closed) as engine:
        engine.sql("update closings set closed_by = 'eve', reason = 'none of yours' where closing_seq = 1")
        digests = dict(engine.sql("select account, sha256 from closed_statements where closing_seq = 1"))
        forged = read_closings(engine)[0].hashed(digests).hash
        engine.sql("update closings set hash = $h where closing_seq = 1", {"h": forged})
        engine.sql("update closings set previous_hash = $h where closing_seq = 2", {"h": forged})
        messages = [difference.message for difference in verification.differences_of_facts_and_chain(engine)]
    assert messages == ["closing 2 of 2026-10-02 does not hash to what it says"]


def test_a_closing_that_is_missing_is_named(closed):
    without_first = found_after(closed, "delete from closings where closing_seq = 1")
    assert "closing 1 is missing" in [difference.message for difference in without_first]
    assert "there are statements of closing 1, but the closing is missing" in [difference.message for difference in without_first]


def test_what_an_ingest_brought_is_named_by_table_and_ingest(closed):
    (first, *_) = found_after(closed, "update prices set price = '0.31' where ingest_seq = 1")
    assert (first.table_name, first.ingest_seq) == ("prices", 1)
    assert first.message == "prices of ingest 1: some of its 1 rows were changed"
    (note,) = found_after(closed, "delete from poll_notes")
    assert note.message == "poll_notes of ingest 2: all 1 rows are gone"


def test_facts_that_came_after_the_last_closing_are_held_too(tmp_path):
    meter = day_meter(tmp_path)
    assert meter.verify().differences == []
    change(meter, "update polls set poll_s = poll_s + 1 where poll_s = 1790812800")
    assert "polls" in {difference.table_name for difference in meter.verify().differences}


def test_only_the_statements_of_the_period_that_is_named_are_recomputed(tmp_path):
    meter = day_meter(tmp_path)
    meter.close("2026-10-01")
    meter.close("2026-10-02")
    assert [row.closing.period.text for row in meter.verify("2026-10-02").closings] == ["2026-10-02"]
    with pytest.raises(MeteringError, match="2026-10-03 is not closed: `metering verify` verifies all that are"):
        meter.verify("2026-10-03")


def test_where_memory_does_not_suffice_nothing_is_said_of_the_books(tmp_path):
    meter = day_meter(tmp_path)
    meter.close("2026-10-01")
    refusals = []
    for megabytes in (1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64):
        try:
            found = Meter(meter.settings.model_copy(update={"memory": f"{megabytes}MB"})).verify()
        except StoreMemoryError as error:
            refusals.append(str(error))
        else:
            assert found.differences == []
    assert refusals
    assert {"it needs more memory than it may use: raise the setting `memory`" in refusal for refusal in refusals} == {True}


def test_where_somebody_interrupts_it_nothing_is_said_of_the_books(tmp_path):
    meter = day_meter(tmp_path)
    meter.close("2026-10-01")

    def interrupt(_number, _frame):
        raise KeyboardInterrupt

    def verified_until(delay_s):
        """Verify, and interrupt it so long after it begins to recompute; say what came of it."""

        def after_the_facts(step, _done, _steps):
            signal.setitimer(signal.ITIMER_REAL, delay_s if step == "facts" else 0)

        try:
            found = meter.verify(progress=after_the_facts)
            return [difference.message for difference in found.differences]
        except (KeyboardInterrupt, RuntimeError) as error:
            return str(error)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        outcomes = [verified_until(milliseconds / 1_000) for milliseconds in range(5, 65, 5)]
    finally:
        signal.signal(signal.SIGALRM, before)
    # In a query, between two, or behind the last.
    assert "Query interrupted" in outcomes
    assert set(map(str, outcomes)) <= {"Query interrupted", "", "[]"}


def change(meter: Meter, sql: str) -> None:
    """Change a store as somebody would who has only its file."""
    with duckdb.connect(meter.settings.store) as connection:
        connection.execute(sql)


def test_a_store_restored_from_an_old_backup_is_found_and_bills_with_an_error(tmp_path):
    meter = day_meter(tmp_path)
    meter.close("2026-10-01")
    backup = shutil.copy(meter.settings.store, tmp_path / "backup.duckdb")
    hash_of_second = meter.close("2026-10-02").closing.hash
    shutil.copy(backup, meter.settings.store)
    (difference,) = meter.verify().differences
    assert difference.what == "head"
    assert (
        "store.duckdb.head tells of closing 2, but the store's last is 1: it was restored from an old backup" in difference.message
    )
    with pytest.raises(MeteringError, match="it was restored from an old backup"):
        meter.close("2026-10-03")
    with pytest.raises(MeteringError, match="it was restored from an old backup"):
        meter.close("2026-10-01")
    (finding,) = [finding for finding in meter.bill("2026-10-02").findings if finding.check == "closings_missing"]
    assert finding.severity == "error"
    # without the head file, the hash that was kept elsewhere tells it
    (tmp_path / "store.duckdb.head").unlink()
    assert meter.verify().notes == ["there is no head file beside the store, so that an old backup could not be told from it"]
    (difference,) = meter.verify(head=hash_of_second).differences
    assert difference.message == f"no closing has the hash {hash_of_second}: the store is older than that, or another"
    assert meter.close("2026-10-03").is_new


def test_another_store_in_its_place_is_found(tmp_path):
    meter = day_meter(tmp_path)
    meter.close("2026-10-01", by="ann")
    other = day_meter(tmp_path / "other")
    other.close("2026-10-01", by="bob")
    shutil.copy(other.settings.store, meter.settings.store)
    (difference,) = meter.verify().differences
    assert "tell different hashes of closing 1" in difference.message


NO_HEADS = ["", "{}", "[1]", '{"closing": "x", "hash": 1}', "\x00", '{"closing": 1e400, "hash": ""}', "[" * 200_000]


@pytest.mark.parametrize("text", NO_HEADS, ids=range(len(NO_HEADS)))
def test_a_head_file_that_is_none_is_found(tmp_path, text):
    meter = day_meter(tmp_path)
    meter.close("2026-10-01")
    (tmp_path / "store.duckdb.head").write_text(text)
    (difference,) = meter.verify().differences
    assert "store.duckdb.head does not tell a closing" in difference.message
    with pytest.raises(MeteringError, match="does not tell a closing"):
        meter.close("2026-10-02")


def test_any_byte_of_the_file_that_is_changed_is_found_or_says_nothing_else(tmp_path):
    """Flip bytes all over the file: either the store is found damaged, or nothing that it says has changed."""
    meter = day_meter(tmp_path)
    meter.close("2026-10-01")
    whole = Path(meter.settings.store).read_bytes()
    said = meter.bill("2026-10-01").document()
    for place in range(len(whole) // 40, len(whole), len(whole) // 40):
        torn = bytearray(whole)
        torn[place] ^= 0x40
        Path(meter.settings.store).write_bytes(torn)
        try:
            assert meter.verify().differences or meter.bill("2026-10-01").document() == said
        except MeteringError as error:
            assert "damaged" in str(error) or "cannot be opened" in str(error) or "changed" in str(error)  # noqa: PT017
