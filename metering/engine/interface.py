"""What an engine is: a place where the queries of the SQL tree are run and the tables that they make are kept.

There are two: DuckDB, which also keeps the store, and Spark, for facts that are too many for one machine. What is billed is
computed through this interface only, by the same queries on both.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

Parameters = Mapping[str, Any]


class QueryEngine(Protocol):
    """An engine, as the stages of a computation see it. Text is in the dialect of the SQL tree; values are bound."""

    def sql(self, text: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        """Run SQL and give its rows as Python values: integers of any size, Decimals, text."""

    def scalar(self, text: str, parameters: Parameters | None = None) -> Any:
        """Run SQL that gives one value."""

    def rows(self, query: str, parameters: Parameters | None = None) -> list[dict[str, Any]]:
        """Run a query of the SQL tree and give its rows by column name."""

    def table(self, name: str) -> list[dict[str, Any]]:
        """Give the rows of a table that a query made, by column name."""

    def create(self, query: str, parameters: Parameters | None = None, *, is_wanted: bool = True) -> None:
        """Make the temporary table that a query defines, under the query's own name; without rows unless it is wanted."""

    def accumulate(self, table: str, name: str, *, by: str, along: str, sums: Mapping[str, str]) -> None:
        """Make the temporary table `name` of the rows of another, which is dropped, with running sums and with where the next is.

        Args:
            table: no two of its rows have the same `by` and `along`.
            name: has the columns of `table` but those summed; `next_` and the name of `along`, null in the last row of each `by`;
                and the running sums within each `by`, in the order of `along`, each row's own value included.
            by: a column of whole numbers.
            along: another.
            sums: what the running sums are called, by the columns of whole numbers that are added up: those of one `by` must have
                38 digits at most in whatever order they are added.
        """

    def define(self, query: str, *, name: str | None = None) -> None:
        """Make a temporary view of a query without parameters, under its own name unless another is given."""

    def insert(self, table: str, query: str, parameters: Parameters | None = None) -> int:
        """Append a query's rows to a table of facts, by column name; give their number."""

    def load(self, table: str, columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> None:
        """Make a temporary table of given column types from a few Python rows."""

    def alias(self, name: str, table: str) -> None:
        """Give a table or view a second name."""

    def drop(self, *tables: str) -> None:
        """Drop temporary tables and views that are no longer needed."""
