"""The journal of a store: each ingest that brought facts into it has a number, counted on from 1, an instant and a source."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metering.engine.duckdb import Engine
from metering.model.errors import MisuseError
from metering.model.period import instant_seconds


def last_ingest(engine: Engine) -> int:
    """Give the sequence number of the last ingest, 0 in a new store."""
    return int(engine.scalar("select coalesce(max(ingest_seq), 0) from ingests"))


def ingest_known_at(engine: Engine, known_at: str | int | None) -> int:
    """Give the last ingest that counts for `known_at`: a sequence number, or an instant (ingested at it or before).

    Raises:
        MisuseError: it is neither, or a number that no ingest has yet.
    """
    if known_at is None:
        return last_ingest(engine)
    known_at = str(known_at)
    if known_at.isascii() and known_at.isdigit():
        last, digits = last_ingest(engine), known_at.lstrip("0") or "0"
        if len(digits) > len(str(last)) or int(digits) > last:
            raise MisuseError(f"--known-at {known_at} is no ingest: the last is {last}; give its number, or an instant")
        return int(digits)
    try:
        instant_s = instant_seconds(known_at)
    except ValueError as error:
        raise MisuseError(f"--known-at {known_at!r} {error}; give an ingest number or an instant") from None
    return int(
        engine.scalar(
            "select coalesce(max(ingest_seq), 0) from ingests where ingested_at_s <= $instant_s", {"instant_s": instant_s}
        )
    )


@dataclass(frozen=True, slots=True)
class IngestSource:
    """What an ingest read: how many files, and by table of facts other than samples those that something came from."""

    file_count: int
    files: Mapping[str, list[str]]

    @property
    def text(self) -> str:
        """The source as it is stored: JSON, with its keys in order."""
        return json.dumps({"file_count": self.file_count, "files": self.files}, ensure_ascii=False, sort_keys=True)


def record_ingest(engine: Engine, source: IngestSource, now_s: int) -> int:
    """Record an ingest and give its sequence number; a clock that was set back never puts it before the last."""
    ingest_seq = last_ingest(engine) + 1
    engine.sql(
        "insert into ingests select $ingest_seq, greatest($now_s, coalesce(max(ingested_at_s), $now_s)), $source from ingests",
        {"ingest_seq": ingest_seq, "now_s": now_s, "source": source.text},
    )
    return ingest_seq


def files_of(engine: Engine, ingest_seqs: Sequence[int], table: str) -> list[str]:
    """Name the files of some ingests that brought facts other than samples into a table; an old store tells none."""
    rows = engine.sql("select source from ingests where list_contains($ingests, ingest_seq)", {"ingests": list(ingest_seqs)})
    documents = [json.loads(source) for (source,) in rows if source.startswith("{")]
    return sorted({file for document in documents for file in document.get("files", {}).get(table, [])})
