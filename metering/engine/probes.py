"""Whether an engine can be trusted with sums: a few of them whose overflow must raise, and some that must be exact.

An engine that wraps gives a bill that looks right. pysail, a Spark Connect server that needs no Java, was seen to wrap a sum of
bigints in silence; so every engine that Spark's protocol reaches is asked before it is given facts.
"""

from dataclasses import dataclass
from typing import Any

from metering.engine.spark import SparkEngine, reason_of
from metering.model.errors import EngineError

_MOST = 2**63 - 1
_NINES = 10**38 - 1


@dataclass(frozen=True, slots=True)
class Probe:
    """A question, in the dialect of the SQL tree: `answer` is what it must give, None that it must fail for its overflow."""

    words: str
    sql: str
    answer: Any = None


_BIGINTS = f"(select cast({_MOST} as bigint) as x union all select cast(1 as bigint) as x)"
_DECIMALS = f"(select cast({_NINES} as decimal(38, 0)) as x union all select cast({_NINES} as decimal(38, 0)) as x)"
PROBES = (
    Probe("the sum of 2^63 - 1 and 1 as bigints", f"select sum(x) as y from {_BIGINTS} as t"),
    Probe("2^63 - 1 plus 1 as bigints", f"select min(x + 1) as y from {_BIGINTS} as t"),
    Probe("2^63 - 1 times 2 as bigints", f"select min(x * 2) as y from {_BIGINTS} as t"),
    Probe(
        "the running sum of 2^63 - 1 and 1 as bigints",
        f"select min(y) as y from (select sum(x) over (order by x rows unbounded preceding) as y from {_BIGINTS} as t) as u",
    ),
    Probe("2^63 - 1 as an integer of 32 bits", f"select max(cast(x as integer)) as y from {_BIGINTS} as t"),
    Probe("the sum of two decimals of 38 nines", f"select sum(x) as y from {_DECIMALS} as t"),
    Probe("a decimal of 38 nines times 10", f"select max(x * cast(10 as bigint)) as y from {_DECIMALS} as t"),
    Probe(
        "the sum of 2^53 + 1 and 2^53 + 2 as decimals",
        "select sum(x) as y from (select cast(9007199254740993 as decimal(38, 0)) as x "
        "union all select cast(9007199254740994 as decimal(38, 0)) as x) as t",
        2**54 + 3,
    ),
    Probe(
        "the greatest bigint times a month of seconds, as decimals",
        f"select max(cast(x as decimal(38, 0)) * cast(2592000 as bigint)) as y from {_BIGINTS} as t",
        _MOST * 2_592_000,
    ),
    Probe("-7 % 3", "select min(x % 3) as y from (select cast(-7 as bigint) as x) as t", -1),
)


def assert_trusted(engine: SparkEngine, shown: str) -> None:
    """Ask an engine the probes.

    Args:
        engine: a session.
        shown: what to call it.

    Raises:
        EngineError: it answers one of them wrongly, or not at all.
    """
    for probe in PROBES:
        try:
            found = engine.scalar(probe.sql)
        except Exception as error:  # noqa: BLE001 -- whatever an engine raises: that it does is what is asked
            if probe.answer is not None or not _is_overflow(error):
                raise _refused(shown, f"it cannot tell {probe.words} ({reason_of(error)})") from None
            continue
        if probe.answer is None:
            raise _refused(shown, f"{probe.words} is {found} there, where it must fail for its overflow")
        if found is None or int(found) != probe.answer:
            raise _refused(shown, f"{probe.words} is {found} there, but {probe.answer} in truth")


def _is_overflow(error: Exception) -> bool:
    text = str(error).lower()
    return any(word in text for word in ("overflow", "out_of_range", "out of range", "cannot be represented"))


def _refused(shown: str, reason: str) -> EngineError:
    return EngineError(f"{shown} is no engine to bill with: {reason}; use Apache Spark, or --engine duckdb")
