"""Seals: what every ingest brought, counted and digested when it came, so that a fact changed behind the store's back is found.

A seal is one table and ingest: the number of rows, and a digest that does not depend on their order. Each row is written out
without ambiguity (a text after its length, a null as nothing) and hashed with MD5; the digest is the sum of the hashes' upper
halves and the sum of their lower halves. A sum, unlike an exclusive or, also tells two equal rows from none. Closings put the
seals of the ingests they saw into their hash chain.

Tables with an `ingest_seq` tell themselves which ingest brought a row; those with a `poll_key` tell it by their poll; the
dictionaries (collections, series, labels) are numbered on, so an ingest's rows are a range of numbers. Samples are kept as runs,
which later polls extend; what is append-only about them is where a run begins, with what, and the poll before which it ends.
So these are sealed, each with the ingest of that poll. That open runs reach their collection's tail, and that tails are where
the polls end, follows from the polls, and is held against them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from metering.engine.duckdb import Engine, quoted, quoted_name

SAMPLES = "samples"
# What is not a fact: what the seals and closings say themselves is held by the hash chain, `store_info` by its one known value.
_NO_FACTS = frozenset({"store_info", "seals", "closings", "closed_statements"})
_RUNS = frozenset({"closed_runs", "open_runs", "collection_tails"})
# What is made of facts, and can be made again: metering/levels.py compares it.
_KEPT = frozenset({"level_steps", "level_days"})
_LOWER_HALF = 2**64 - 1
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


def seal_ingest(engine: Engine, ingest_seq: int) -> None:
    """Seal what an ingest wrote, inside its transaction, while `new_runs` and `accepted_blocks` still tell it."""
    sources: dict[str, str] = {}
    last_keys: dict[str, int] = {}
    for facts in _fact_tables(engine):
        name = quoted_name(facts.name)
        if facts.by == "ingest_seq":
            where = f"ingest_seq = {ingest_seq:d}"
        elif facts.by == "poll_key":
            where = f"poll_key in (select poll_key from polls where ingest_seq = {ingest_seq:d})"
        else:
            where = f"{facts.by} > {_last_sealed_key(engine, facts):d}"
            last_keys[facts.name] = int(engine.scalar(f"select coalesce(max({facts.by}), 0) from {name}"))
        sources[facts.name] = f"select {ingest_seq:d}, {facts.text} from {name} where {where}"
    if engine.scalar("select count(*) from polls where ingest_seq = $ingest_seq", {"ingest_seq": ingest_seq}):
        # The polls of an ingest have the numbers from its first one on, however late they came.
        sources[SAMPLES] = (
            f"select {ingest_seq:d}, e.line from ({_events('new_runs', 'new_runs')}) as e inner join "
            "(select collection_key, min(first_poll_key) as first_poll_key from accepted_blocks group by collection_key) as a "
            "on e.poll_key // 4294967296 = a.collection_key where e.poll_key >= a.first_poll_key"
        )
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
        if facts.by == "ingest_seq":
            source = f"select ingest_seq, {facts.text} from {name}"
        elif facts.by == "poll_key":
            source = f"select coalesce(p.ingest_seq, 0), {facts.text} from {name} as f left join {polls} using (poll_key)"
        else:
            # Rows beyond the last seal are of an ingest that kept nothing: no fact refers to them.
            source = (
                f"select coalesce(r.ingest_seq, 0), {facts.text} from {name} as f left join "
                "(select ingest_seq, last_key, lag(last_key, 1, 0) over (order by last_key) as before_key from seals "
                f"where table_name = {quoted(facts.name)}) as r on f.{facts.by} > r.before_key and f.{facts.by} <= r.last_key "
                f"where f.{facts.by} <= {_last_sealed_key(engine, facts):d}"
            )
        yield from _sealed(engine, {facts.name: source})
    events = f"({_events('sample_runs', 'closed_runs')}) as f"
    source = f"select coalesce(p.ingest_seq, 0), f.line from {events} left join {polls} using (poll_key)"
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
    return "polls as p" if is_one_each else "(select distinct poll_key, ingest_seq from polls) as p"


def _events(begun: str, ended: str) -> str:
    """Write where runs begin, and with what, and before which poll those that ended do: each at the key of its poll.

    A run that reaches its collection's tail has not ended.
    """
    tails = "(select max(t.last_number) from collection_tails as t where t.collection_key = last_poll_key // 4294967296)"
    return (
        "select first_poll_key as poll_key, concat_ws('|', 'from', series_key, first_poll_key, allocated_size, label_key) as line "
        f"from {begun} union all "
        "select last_poll_key + 1 as poll_key, concat_ws('|', 'until', series_key, last_poll_key + 1) as line "
        f"from {ended}" + (f" where last_poll_key % 4294967296 is distinct from {tails}" if begun == ended else "")
    )


def _sealed(engine: Engine, sources: dict[str, str]) -> list[Seal]:
    """Count and digest the rows of tables, each written as SQL that gives an ingest and a line a row; in one query."""
    lines = " union all ".join(
        f"select {quoted(table)} as table_name, ingest_seq, md5_number(line) as digest from ({source}) as lines (ingest_seq, line)"
        for table, source in sources.items()
    )
    rows = engine.sql(
        f"select table_name, ingest_seq, count(*), sum(cast(digest >> 64 as ubigint)), "
        f"sum(cast(digest & {_LOWER_HALF} as ubigint)) from ({lines}) group by table_name, ingest_seq order by all"
    )
    return [Seal(table, seq, row_count, f"{int(upper):x}.{int(lower):x}") for table, seq, row_count, upper, lower in rows]


def _last_sealed_key(engine: Engine, facts: _Facts) -> int:
    return int(engine.scalar("select coalesce(max(last_key), 0) from seals where table_name = $table", {"table": facts.name}))


def _fact_tables(engine: Engine) -> list[_Facts]:
    """Give every table of facts but the runs: a new one is sealed without being named here."""
    rows = engine.sql(
        "select c.table_name, c.column_name, c.data_type, c.is_nullable from duckdb_columns() as c inner join duckdb_tables() as t "
        "on c.table_oid = t.table_oid and c.database_oid = t.database_oid where t.database_name = current_database() "
        "and t.schema_name = 'main' and not t.temporary order by c.table_name, c.column_index"
    )
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind, is_nullable in rows:
        if table not in _NO_FACTS | _RUNS | _KEPT:
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
