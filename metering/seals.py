"""Seals: what every ingest brought, counted and digested when it came, so that a fact changed behind the store's back is found.

A seal is one table and ingest: the number of rows, and a digest that does not depend on their order. Each row is written out
without ambiguity (a text after its length, a null as nothing) and hashed with MD5; the digest is the sum of the hashes' upper
halves and the sum of their lower halves. A sum, unlike an exclusive or, also tells two equal rows from none. Closings put the
seals of the ingests they saw into their hash chain.

Tables with an `ingest_seq` tell themselves which ingest brought a row; those with a `poll_key` tell it by their poll; the
dictionaries (collections, series, labels) are numbered on, so an ingest's rows are a range of numbers. Samples are kept as runs,
which later polls extend; what is append-only about them is where a run begins, with what, and the poll before which it ends.
So these are sealed, each with the ingest of that poll; where one ingest brought both, as one line. That open runs reach their
collection's tail, and that tails are where the polls end, follows from the polls, and is held against them.

Writing and hashing a line takes 0.3 µs, and of an ingest of months polls are the most there is. Where they came at a regular time
in each of their slots of five minutes, a block of four hours of them is one line, which holds all that its rows do (`_polls_of`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from metering.engine.duckdb import Engine, quoted, quoted_name

SAMPLES = "samples"
_POLLS = "polls"
# What is not a fact: what the seals and closings say themselves is held by the hash chain, `store_info` by its one known value.
_NO_FACTS = frozenset({"store_info", "seals", "closings", "closed_statements"})
_RUNS = frozenset({"closed_runs", "open_runs", "collection_tails"})
# What is made of facts, and can be made again: metering/levels.py compares it.
_KEPT = frozenset({"level_steps", "level_days"})
_LOWER_HALF = 2**64 - 1
# Only an ingest whose polls reach over as many seconds has lines of whole blocks; one of a cycle is not looked through for them.
_BLOCK_S = 14_400
_SEAL_COLUMNS = {
    "table_name": "varchar", "ingest_seq": "bigint", "row_count": "bigint", "digest": "varchar", "last_key": "bigint",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seal:
    """What an ingest brought into a table; `last_key` is the greatest number of a dictionary by then, else None."""

    table_name: str
    ingest_seq: int
    row_count: int
    digest: str
    last_key: int | None = None


@dataclass(frozen=True, slots=True)
class _Facts:
    """A table of facts: how its rows are written out, and by which column they tell their ingest."""

    name: str
    text: str
    by: str

    def lines(self, ingest: str, rest: str) -> str:
        """Write the lines of its rows, each of one row, with the ingest that they came with; what follows `from` says which."""
        return f"select {ingest}, 1, {self.text} from {rest}"


def seal_ingest(engine: Engine, ingest_seq: int) -> None:
    """Seal what an ingest wrote, inside its transaction, while `new_runs` and `accepted_blocks` still tell it."""
    news: dict[str, str] = {}
    last_keys: dict[str, int] = {}
    fact_tables = _fact_tables(engine)
    for facts in fact_tables:
        name = quoted_name(facts.name)
        if facts.by == "ingest_seq":
            where = f"ingest_seq = {ingest_seq:d}"
        elif facts.by == "poll_key":
            where = f"poll_key in (select poll_key from polls where ingest_seq = {ingest_seq:d})"
        else:
            where = f"{facts.by} > {_last_sealed_key(engine, facts):d}"
            last_keys[facts.name] = int(engine.scalar(f"select coalesce(max({facts.by}), 0) from {name}"))
        news[facts.name] = f"{name} where {where}"
    # A cycle brings rows into four tables of twenty; to write out what none has takes longer than to look.
    looks = " union all ".join(f"(select {quoted(name)} from {new} limit 1)" for name, new in news.items())
    brought = {name for (name,) in engine.sql(looks)}
    sources = {
        facts.name: _polls_of(f"(from {news[_POLLS]})", facts.text)
        if facts.name == _POLLS and engine.scalar(f"select max(poll_s)::hugeint - min(poll_s) >= {_BLOCK_S} from {news[_POLLS]}")
        else facts.lines(f"{ingest_seq:d}", news[facts.name])
        for facts in fact_tables
        if facts.name in brought
    }
    if _POLLS in brought:
        # The polls of an ingest have the numbers from its first one on, however late they came; and a run that reaches its
        # collection's tail has not ended.
        runs = (
            f"select r.*, r.last_poll_key + 1 as until_poll_key, "
            f"case when r.first_poll_key >= a.first_poll_key then {ingest_seq:d} end as from_seq, "
            f"case when r.last_poll_key + 1 >= a.first_poll_key and r.last_poll_key is distinct from a.last_poll_key "
            f"then {ingest_seq:d} end as until_seq from new_runs as r inner join "
            "(select b.collection_key, min(b.first_poll_key) as first_poll_key, "
            "b.collection_key * 4294967296 + max(t.last_number) as last_poll_key from accepted_blocks as b "
            "left join collection_tails as t on b.collection_key = t.collection_key group by b.collection_key) as a "
            "on r.first_poll_key // 4294967296 = a.collection_key"
        )
        sources[SAMPLES] = _samples_of(runs, is_one_ingest=True)
    seals = _sealed(engine, sources)
    rows = [(s.table_name, s.ingest_seq, s.row_count, s.digest, last_keys.get(s.table_name)) for s in seals]
    engine.load("new_seals", _SEAL_COLUMNS, rows)
    engine.sql("insert into seals by name from new_seals")
    engine.drop("new_seals")


def kept_seals(engine: Engine, after_seq: int, until_seq: int) -> list[Seal]:
    """Give the seals of the ingests after one until another, sorted."""
    rows = engine.sql(
        "select table_name, ingest_seq, row_count, digest, last_key from seals where ingest_seq > $after and ingest_seq <= $until "
        "order by ingest_seq, table_name, row_count, digest, last_key",
        {"after": after_seq, "until": until_seq},
    )
    return [Seal(*row) for row in rows]


def actual_seals(engine: Engine) -> Iterator[Seal]:
    """Compute all seals anew from the facts as they stand; rows that belong to no ingest are given as ingest 0."""
    polls = _polls(engine)
    for facts in _fact_tables(engine):
        name = quoted_name(facts.name)
        if facts.name == _POLLS:
            source = _polls_of(name, facts.text)
        elif facts.by == "ingest_seq":
            source = facts.lines("ingest_seq", name)
        elif facts.by == "poll_key":
            source = facts.lines("coalesce(p.ingest_seq, 0)", f"{name} as f left join {polls.format('p')} using (poll_key)")
        else:
            # Rows beyond the last seal are of an ingest that kept nothing: no fact refers to them.
            source = facts.lines(
                "coalesce(r.ingest_seq, 0)",
                f"{name} as f left join "
                "(select ingest_seq, last_key, lag(last_key, 1, 0) over (order by last_key) as before_key from seals "
                f"where table_name = {quoted(facts.name)}) as r on f.{facts.by} > r.before_key and f.{facts.by} <= r.last_key "
                f"where f.{facts.by} <= {_last_sealed_key(engine, facts):d}",
            )
        yield from _sealed(engine, {facts.name: source})
    runs = (
        "select *, last_poll_key + 1 as until_poll_key from closed_runs "
        "union all by name select *, null as until_poll_key from open_runs"
    )
    source = _samples_of(
        "select r.*, coalesce(b.ingest_seq, 0) as from_seq, "
        "case when r.until_poll_key is not null then coalesce(e.ingest_seq, 0) end as until_seq "
        f"from ({runs}) as r left join {polls.format('b')} on r.first_poll_key = b.poll_key "
        f"left join {polls.format('e')} on r.until_poll_key = e.poll_key",
        is_one_ingest=False,
    )
    yield from _sealed(engine, {SAMPLES: source})


def loose_ends(engine: Engine) -> list[tuple[str, int]]:
    """Tell the tables of runs that do not end where the polls end, with the number of rows that do not.

    A tail may say that it changed later than its last poll came: then it was made again, and more is computed anew, nothing else.
    """
    polled = (
        "(select collection_key, max(poll_key) % 4294967296 as last_number, max(poll_s) as last_poll_s, "
        "max(ingest_seq) as last_seq from polls group by collection_key)"
    )
    checks = {
        "collection_tails": (
            f"select 1 from collection_tails as t full join {polled} as p on t.collection_key = p.collection_key "
            "and t.last_number = p.last_number and t.last_poll_s = p.last_poll_s and t.changed_seq >= p.last_seq "
            "and t.changed_seq <= (select max(ingest_seq) from ingests) "
            "where t.collection_key is null or p.collection_key is null "
            "union all select 1 from collection_tails group by collection_key having count(*) > 1"
        ),
        "open_runs": (
            "select 1 from open_runs as o left join series as s on o.series_key = s.series_key left join collection_tails as t "
            "on s.collection_key = t.collection_key and o.last_poll_key = t.collection_key * 4294967296 + t.last_number "
            "where t.collection_key is null"
        ),
    }
    counts = ((table, int(engine.scalar(f"select count(*) from ({rows})"))) for table, rows in checks.items())
    return [(table, count) for table, count in counts if count]


def _polls(engine: Engine) -> str:
    """Write whence the ingest of a poll is told: from the polls, or from each once where there are more of them than were sealed.

    So a poll that was put in twice is found as that, and does not make two of each of its samples; telling them apart costs a
    second in ten million.
    """
    is_one_each = engine.scalar(
        "select (select count(*) from polls) = (select coalesce(sum(row_count), 0) from seals where table_name = 'polls')"
    )
    return "polls as {}" if is_one_each else "(select distinct poll_key, ingest_seq from polls) as {}"


def _samples_of(runs: str, *, is_one_ingest: bool) -> str:
    """Write the lines of runs, given the ingests of the polls with which they begin (`from_seq`) and before which they end.

    Where an ingest is null, that end of the run is none of what is sealed. What two ingests brought is two lines.
    """
    # Of at most 55 characters, as most are, MD5 makes one turn.
    begun = "concat_ws('|', 'from', series_key, first_poll_key, allocated_size, label_key)"
    ended = "concat_ws('|', 'until', series_key, until_poll_key)"
    both = "concat_ws('|', 'run', series_key, first_poll_key, until_poll_key - first_poll_key, allocated_size, label_key)"
    lines = (
        f"select coalesce(from_seq, until_seq), 1, "
        f"case when from_seq is null then {ended} when from_seq = until_seq then {both} else {begun} end "
        "from ends where from_seq is not null or until_seq is not null"
    )
    if not is_one_ingest:
        lines += f" union all select until_seq, 1, {ended} from ends where from_seq <> until_seq"
    return f"with ends as ({runs}) {lines}"


def _polls_of(polls: str, text: str) -> str:
    """Write the lines of polls: a block of four hours a line where that says the same, of an ingest of at least as many hours.

    It does where the polls of a collection have one time in their slots, one to a slot, and are numbered on: slots and numbers
    are told by their bits, and that they follow each other alike by the sum of their products, which no other order reaches.
    """
    slot, number = "greatest((poll_s % 14400) // 300, 0)", "poll_key % 4294967296"
    block_s = "case when poll_s >= 0 then poll_s - poll_s % 14400 else -1 end"
    blocks = (
        f"select ingest_seq, collection_key, {block_s} as block_s, count(*) as poll_count, "
        "min(poll_key) as first_key, max(poll_key) as last_key, min(poll_s) as first_s, max(poll_s) as last_s, "
        "min(poll_s % 300) as phase_s, max(poll_s % 300) as last_phase_s, "
        "min(file_number) as file_number, max(file_number) as last_file_number, "
        f"bit_or(cast(1 as bigint) << cast({slot} as integer)) as slots, "
        "bit_or(cast(1 as bigint) << cast(greatest(poll_key % 62, 0) as integer)) as numbers, "
        f"sum(({number}) * ({slot})) as order_sum from {polls} as p group by all"
    )
    is_regular = (
        "block_s >= 0 and first_key >= 0 and poll_count = bit_count(slots) and poll_count = bit_count(numbers) "
        "and poll_count - 1 = last_key - first_key "
        "and first_key // 4294967296 = collection_key and last_key // 4294967296 = collection_key "
        "and phase_s = last_phase_s and file_number = last_file_number and ingest_seq in "
        f"(select ingest_seq from blocks group by ingest_seq having max(last_s)::hugeint - min(first_s) >= {_BLOCK_S})"
    )
    block = "concat_ws('|', 'block', collection_key, block_s, phase_s, slots, first_key, order_sum, file_number)"
    return (
        f"with blocks as materialized ({blocks}), "
        f"told as materialized (select *, coalesce({is_regular}, false) as is_regular from blocks) "
        f"select ingest_seq, poll_count, {block} from told where is_regular union all "
        f"select ingest_seq, 1, {text} from {polls} as p semi join (select * from told where not is_regular) as b "
        f"on p.ingest_seq = b.ingest_seq and p.collection_key = b.collection_key and {block_s} = b.block_s"
    )


def _sealed(engine: Engine, sources: dict[str, str]) -> list[Seal]:
    """Count and digest the rows of tables, each written as SQL that gives lines: the ingest, how many rows it is of, its text."""
    lines = " union all ".join(
        f"select {quoted(table)} as table_name, ingest_seq, row_count, md5_number(line) as digest "
        f"from ({source}) as lines (ingest_seq, row_count, line)"
        for table, source in sources.items()
    )
    rows = engine.sql(
        f"select table_name, ingest_seq, sum(row_count), sum(cast(digest >> 64 as ubigint)), "
        f"sum(cast(digest & {_LOWER_HALF} as ubigint)) from ({lines}) group by table_name, ingest_seq order by all"
    )
    return [Seal(table, seq, int(row_count), f"{int(upper):x}.{int(lower):x}") for table, seq, row_count, upper, lower in rows]


def _last_sealed_key(engine: Engine, facts: _Facts) -> int:
    return int(engine.scalar("select coalesce(max(last_key), 0) from seals where table_name = $table", {"table": facts.name}))


def _fact_tables(engine: Engine) -> list[_Facts]:
    """Give every table of facts but the runs: a new one is sealed without being named here."""
    stored = (
        "select table_name from duckdb_tables() where database_name = current_database() and schema_name = 'main' and not temporary"
    )
    names = sorted({name for (name,) in engine.sql(stored)} - _NO_FACTS - _RUNS - _KEPT)
    # Asked for table by table: to list all columns there are, DuckDB would look into what each temporary view reads.
    told = (
        f'select {quoted(name)} as table_name, name, type, not "notnull", cid from pragma_table_info({quoted(f"main.{name}")})'
        for name in names
    )
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind, is_nullable, _ in engine.sql(f"{' union all '.join(told)} order by table_name, cid"):
        tables.setdefault(table, {})[column] = _written(column, kind, is_nullable=is_nullable)
    return [
        _Facts(
            name=table,
            text=f"concat_ws('|', {', '.join(columns.values())})",
            by=next((key for key in ("ingest_seq", "poll_key") if key in columns), next(iter(columns))),
        )
        for table, columns in tables.items()
    ]


def _written(column: str, kind: str, *, is_nullable: bool) -> str:
    """Write a column so that no two different rows are written alike, joined by bars."""
    name = quoted_name(column)
    text = f"strlen({name}) || ':' || {name}" if kind == "VARCHAR" else name
    # concat_ws leaves out what is null, and writes a number in half the time that a cast takes.
    return f"coalesce(cast({text} as varchar), '')" if is_nullable else text
