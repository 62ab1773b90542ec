"""The SQL tree as Spark reads it: translated by sqlglot, and put right where both engines mean another thing by the same words.

- An empty series (`generate_series(5, 4)`) has no element; Spark's `sequence` fails, or counts down.
- `$` in a pattern is the end of the text; Java's also fits before a last line end, so `123` and a line end would be a number.
- `not materialized` is DuckDB's: it keeps a part that is read twice in memory, unless it is told not to.
- A bound whole number is a BIGINT; Spark takes a small one for an INT. Bits are shifted by an INT.
"""

from functools import cache
from typing import Any

import sqlglot
from sqlglot import exp

from metering.engine.interface import Parameters


def to_spark(sql: str, parameters: Parameters | None = None) -> tuple[str, dict[str, Any]]:
    """Give SQL of the tree's dialect in Spark's, and of the parameters those that it takes.

    Raises:
        sqlglot.errors.SqlglotError: it cannot be translated; a test translates every query of the tree.
    """
    given = parameters or {}
    whole = frozenset(name for name, value in given.items() if isinstance(value, int) and not isinstance(value, bool))
    text, names = _translated(sql, whole)
    return text, {name: given[name] for name in names}


@cache
def _translated(sql: str, whole: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    tree = sqlglot.parse_one(sql, read="duckdb")
    names = tuple(sorted({node.name for node in tree.find_all(exp.Placeholder)}))

    def plain(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Placeholder) and node.name in whole:
            return exp.cast(node, "bigint")
        if isinstance(node, exp.RegexpLike) and node.expression.name.endswith("$"):
            return exp.RegexpLike(this=node.this, expression=exp.Literal.string(node.expression.name[:-1] + r"\z"))
        if isinstance(node, exp.CTE):
            node.set("materialized", None)
        if isinstance(node, exp.BitwiseLeftShift):
            return exp.BitwiseLeftShift(this=node.this, expression=exp.cast(node.expression, "int"))
        return node

    mended = tree.transform(plain).transform(_guarded)
    return mended.sql("spark", unsupported_level=sqlglot.ErrorLevel.RAISE, comments=False), names


def _guarded(node: exp.Expression) -> exp.Expression:
    """Let a series whose end is before its start be empty."""
    if not isinstance(node, exp.GenerateSeries):
        return node
    start, end, step = node.args["start"], node.args["end"], node.args.get("step")
    steps = [exp.cast(part.copy(), "bigint") for part in (start, end, *([step] if step is not None else []))]
    is_some = exp.LTE(this=exp.paren(start.copy()), expression=exp.paren(end.copy()))
    return exp.If(this=is_some, true=exp.func("sequence", *steps, dialect="spark"), false=exp.Array())
