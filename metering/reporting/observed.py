"""What was observed in a period, from the polls and samples themselves: what snapshots are summed from, and what audits rest on."""

from metering.billing.usage import Computation
from metering.engine.duckdb import Engine

OBSERVED = ("observed/observed_polls", "observed/observed_stretches", "observed/observed_pieces")


def observe(engine: Engine, computation: Computation, account: str | None = None) -> None:
    """Make the polls, stretches and pieces of a period, of one account or of all: what is not asked for is never looked through."""
    for query in OBSERVED:
        engine.create(query, computation.parameters | {"account": account})


def forget_observed(engine: Engine) -> None:
    """Drop what was observed, to give its memory back."""
    engine.drop(*(query.rpartition("/")[2] for query in OBSERVED))
