"""Spark as the engine: the queries of the tree on as many machines as its master has, over facts that no store here holds.

A table that several queries read is computed once and kept in the cluster (a local checkpoint, so that plans stay short); one that
is read once is a view. The tables of facts are views too, and appending is a union: nothing outlives the session.
"""

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from metering.engine.interface import Parameters
from metering.engine.queries import load_query, queries_folder
from metering.engine.translate import to_spark

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class SparkEngine:
    """A Spark session, classic or Connect; tables that queries make are views of it and end with it."""

    def __init__(self, session: "SparkSession") -> None:
        self.session = session

    def sql(self, text: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        """Run SQL with bound values and give its rows as Python values: integers, Decimals, text."""
        return [tuple(row) for row in self.frame(text, parameters).collect()]

    def scalar(self, text: str, parameters: Parameters | None = None) -> Any:
        """Run SQL that gives one value."""
        return self.sql(text, parameters)[0][0]

    def rows(self, query: str, parameters: Parameters | None = None) -> list[dict[str, Any]]:
        """Run a query of the SQL tree and give its rows by column name."""
        return _named(self.frame(load_query(query).sql, parameters))

    def table(self, name: str) -> list[dict[str, Any]]:
        """Give the rows of a table that a query made, by column name."""
        return _named(self.session.table(name))

    def create(self, query: str, parameters: Parameters | None = None, *, is_wanted: bool = True) -> None:
        """Make the table that a query of the SQL tree defines, under the query's own name; without rows unless it is wanted."""
        loaded = load_query(query)
        frame = self.frame(loaded.sql, parameters)
        if not is_wanted:
            frame = frame.limit(0)
        elif _readers()[loaded.name] > 1:
            frame = self.kept(frame)
        frame.createOrReplaceTempView(loaded.name)

    def accumulate(self, table: str, name: str, *, by: str, along: str, sums: Mapping[str, str]) -> None:
        """Make the view `name` of another's rows, with running sums: see `QueryEngine`."""
        others = [column for column in self.session.table(table).columns if column not in sums]
        window = f"over (partition by {by} order by {along}"
        running = [f"sum({column}) {window} rows unbounded preceding) as {sums[column]}" for column in sums]
        picks = ", ".join([*others, f"lead({along}) {window}) as next_{along}", *running])
        self.frame(f"select {picks} from {table}").createOrReplaceTempView(name)
        self.drop(table)

    def define(self, query: str, *, name: str | None = None) -> None:
        """Make a view of a query without parameters: it is computed where it is read, and never kept."""
        loaded = load_query(query)
        self.frame(loaded.sql).createOrReplaceTempView(name or loaded.name)

    def alias(self, name: str, table: str) -> None:
        """Give a table or view a second name."""
        self.session.table(table).createOrReplaceTempView(name)

    def replace(self, table: str, text: str, parameters: Parameters | None = None) -> None:
        """Put what SQL gives in the place of a table, which it may read."""
        self.kept(self.frame(text, parameters)).createOrReplaceTempView(table)

    def insert(self, table: str, query: str, parameters: Parameters | None = None) -> int:
        """Append a query's rows to a table of facts, by column name; give their number."""
        found = self.kept(self.frame(load_query(query).sql, parameters))
        count = found.count()
        if count:
            self._append(table, found)
        return count

    def load(self, table: str, columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> None:
        """Make a table of given column types from a few Python rows; values travel as exact text."""
        self._loaded(columns, rows).createOrReplaceTempView(table)

    def append(self, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
        """Append a few Python rows to a table of facts."""
        if rows:
            self._append(table, self._loaded(columns, rows))

    def drop(self, *tables: str) -> None:
        """Drop views that are no longer needed; what they keep in the cluster goes with the last plan that reads it."""
        # A classic session's own way looks first for a copy in memory, of which there is none: of many views that takes seconds.
        classic = self._classic()
        catalog = self.session.catalog if classic is None else classic.sessionState().catalog()
        for name in tables:
            catalog.dropTempView(name)

    def frame(self, text: str, parameters: Parameters | None = None) -> "DataFrame":
        """Give SQL of the tree's dialect as a frame, not computed yet."""
        sql, bound = to_spark(text, parameters)
        return self.session.sql(sql, args=bound) if bound else self.session.sql(sql)

    def kept(self, frame: "DataFrame") -> "DataFrame":
        """Compute a frame once and keep it in the cluster.

        Its columns are new ones to Spark: a join of what was kept with what it was made from would else find a name twice, or not.
        And nothing is said of its size: Spark would go on with its guess, the product of all that was joined, whose digits double
        with every table made of another until its arithmetic takes minutes.
        """
        found = frame.localCheckpoint()
        classic = self._classic()
        if classic is None:
            return found.toDF(*found.columns)
        from pyspark.sql import DataFrame  # noqa: PLC0415 -- an extra, and heavy

        java = found._jdf  # noqa: SLF001 -- no other way leads to a frame of whose size nothing is said
        rows = java.queryExecution().toRdd()
        made = classic.internalCreateDataFrame(rows, java.schema(), False)  # noqa: FBT003 -- no stream; Java names no arguments
        return DataFrame(made, self.session)

    def _classic(self) -> Any:
        """Give Java's side of the session; a Connect server's is out of reach."""
        return getattr(self.session, "_jsparkSession", None)

    def _append(self, table: str, more: "DataFrame") -> None:
        known = self.session.table(table)
        types = [more[field.name].cast(field.dataType).alias(field.name) for field in known.schema.fields]
        known.union(more.select(*types)).createOrReplaceTempView(table)

    def _loaded(self, columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> "DataFrame":
        import pyarrow as pa  # noqa: PLC0415 -- comes with pyspark's extra, and is heavy

        texts = [[None if value is None else str(value) for value in row] for row in rows]
        if not texts:
            # Spark knows that this is empty, and leaves out of every plan what would be joined with it.
            nothing = ", ".join(f"cast(null as {spark_type(kind)}) as `{name}`" for name, kind in columns.items())
            return self.session.sql(f"select {nothing} where false")
        # Of Python's rows Spark would make rows of its own in a process of whatever `python3` is on the path.
        cells = [pa.array(values, pa.string()) for values in zip(*texts, strict=True)]
        with quietly():
            frame = self.session.createDataFrame(pa.table(cells, names=list(columns)))
        return frame.selectExpr(*(f"cast(`{name}` as {spark_type(kind)}) as `{name}`" for name, kind in columns.items()))


def _named(frame: "DataFrame") -> list[dict[str, Any]]:
    names = frame.columns
    return [dict(zip(names, row, strict=True)) for row in frame.collect()]


def spark_type(kind: str) -> str:
    """Name a type of the SQL tree as Spark does."""
    return "string" if kind == "varchar" else kind


@cache
def _readers() -> Counter[str]:
    """Count the queries of the tree that read each table."""
    names = (file.relative_to(queries_folder()).with_suffix("").as_posix() for file in queries_folder().rglob("*.sql"))
    return Counter(table for name in names for table in load_query(name).reads)


def reason_of(error: Exception) -> str:
    """Say in one line what Spark says of an error: of all that the JVM tells with its stack traces, what was at the bottom."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    causes = [line.partition("Caused by: ")[2] for line in lines if line.startswith("Caused by: ")]
    thrown = [line.removeprefix(": ") for line in lines if line.startswith(": ")]
    return [*lines[:1], *thrown[:1], *causes][-1][:300]


@contextmanager
def quietly() -> Iterator[None]:
    """Keep what pyspark says about the versions of libraries that are not used here to itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
