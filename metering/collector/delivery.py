"""What a spool brought into its store last: a store that lacks it was lost, or replaced by an older one.

`spool/delivered.json` names one poll that was in the store after the last delivery. Facts are never removed, so it is there for
as long as the store is. Without it, a store that is gone would be made anew, and billed as if nobody had looked before: too
little, without a word. A poll, and no number of an ingest, because who takes the spool's evidence in again gives it other numbers.
"""

import contextlib
import shlex
from dataclasses import asdict, dataclass
from typing import Any, Self

from metering.collector.spool import Spool
from metering.engine.duckdb import Engine
from metering.model.errors import StoreError
from metering.model.period import instant_text
from metering.store import Store

_NAME = "delivered"
# Of the last ingest only, which is found without looking through a month of polls; where it brought none, nothing is told.
_LAST = """
select c.endpoint, c.account, p.poll_s from polls as p join collections as c on p.collection_key = c.collection_key
where p.ingest_seq = (select max(ingest_seq) from ingests) order by p.poll_s desc, c.endpoint, c.account limit 1
"""
_KNOWN = """
select 1 from polls as p join collections as c on p.collection_key = c.collection_key
where c.endpoint = $endpoint and c.account = $account and p.poll_s = $poll_s limit 1
"""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A poll that the store has."""

    endpoint: str
    account: str
    poll_s: int

    @classmethod
    def read(cls, document: dict[str, Any]) -> Self | None:
        """Read what was remembered; None where it is of no use."""
        endpoint, account, poll_s = (document.get(name) for name in ("endpoint", "account", "poll_s"))
        if isinstance(endpoint, str) and isinstance(account, str) and isinstance(poll_s, int):
            return cls(endpoint, account, poll_s)
        return None


def assert_store_kept(store: Store, spool: Spool) -> None:
    """Check that the store has what this spool brought last, if that is known.

    Raises:
        StoreError: it has not, or it cannot be read.
    """
    last = Delivered.read(spool.read_document(_NAME))
    if last is None:
        return
    if store.path.exists():
        with store.reading() as engine:
            if engine.sql(_KNOWN, asdict(last)):
                return
    raise StoreError(
        f"{store.shown} was removed or replaced: it lacks what was brought into it from this spool, such as the poll of "
        f"{last.endpoint} at {instant_text(last.poll_s)}; `metering ingest {shlex.quote(str(spool.done))}` brings that back, or "
        f"put the right store there; to begin anew without it, remove {spool.document(_NAME)}"
    )


def remember_delivery(store: Store, spool: Spool) -> None:
    """Remember a poll that the store has now; where that cannot be done, what was remembered before stays."""
    with contextlib.suppress(StoreError, OSError), store.reading() as engine:
        last = _last(engine)
        if last is not None:
            spool.write_document(_NAME, asdict(last))


def _last(engine: Engine) -> Delivered | None:
    rows = engine.sql(_LAST)
    return Delivered(*rows[0]) if rows else None
