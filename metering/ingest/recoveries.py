"""Which readings of a list ended a time in which it could not be read.

A list that says what it said before leaves no fact, so that it was read is not seen in the facts. A bill must tell whether what
it rests on could be read, though: of the notes that a list was read, those are kept that come after one that it could not.
"""

from metering.engine.duckdb import Engine
from metering.ingest.answers import AWAITED, Reading
from metering.ingest.fact_models import PollNote
from metering.ingest.facts import validated
from metering.model.limits import ReadingLimits

_TOLD = ("endpoint", "account", "resource", "noted_s", "outcome")


def with_recoveries(engine: Engine, notes: list[Reading], now_s: int, limits: ReadingLimits) -> list[Reading]:
    """Give the notes, and of those that say `read` only the ones whose list could not be read just before."""
    reads = {number for number, note in enumerate(notes) if note.row.get("outcome") == "read"}
    if not reads:
        return notes
    rows = []
    for number, note in enumerate(notes):
        # What is none is told where it is compared; here it tells nothing.
        fact = validated("poll_notes", PollNote.required(), (note.place, note.line), note.row, now_s, limits, [])
        if fact is not None and fact["resource"] in AWAITED:
            rows.append((number, *(fact[name] for name in _TOLD)))
    engine.load("notes_told", {"number": "bigint"} | {name: PollNote.columns[name] for name in _TOLD}, rows)
    kept = {row["number"] for row in engine.rows("staging/recovered_lists")}
    engine.drop("notes_told")
    return [note for number, note in enumerate(notes) if number not in reads or number in kept]
