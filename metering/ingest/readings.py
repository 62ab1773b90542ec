"""What the provider said, compared with what is known: only what is new is a fact.

A reading of a key replaces an older reading of it, never a newer one, so answers may come again in any order. It never
replaces what somebody declared by a file: where the two do not agree, that is a conflict, and the declaration stays. A dated
fact (price, level, discount) that says what the one before it says already adds nothing.
"""

from typing import Any

from metering.engine.duckdb import Engine, quoted_name
from metering.ingest.answers import Reading
from metering.ingest.fact_models import ALL_MODELS, BILLED_RESOURCE, Fact
from metering.ingest.facts import DECLARATION_STAYS, FactOutcome, conflict, validated
from metering.model.limits import ReadingLimits

_Key = tuple[Any, ...]
_FROM = "effective_from_s"


def compare_readings(
    engine: Engine, table: str, readings: list[Reading], declared: list[dict[str, Any]], now_s: int, limits: ReadingLimits
) -> FactOutcome:
    """Decide which readings of one table are facts to store. `declared` is what the same ingest takes from files."""
    model = ALL_MODELS[table]
    outcome = FactOutcome()
    newest = _newest(table, model, readings, outcome, now_s, limits)
    keys = sorted(newest)
    in_force, before = _in_force(engine, table, model, keys)
    for fact in declared:
        in_force[_picked(fact, model.key)] = fact | {"read_s": None}
    last: dict[_Key, dict[str, Any]] = {}
    for key in keys:
        reading, fact = newest[key]
        known = in_force.get(key)
        # A level that was foretold is in force until it is read; what is read for the slot replaces it.
        # Of two that begin at once, what was read just now counts, and not what it replaces.
        earlier = max((f for f in (last.get(key[:-1]), before.get(key)) if f), key=lambda f: f[_FROM], default=None)
        basis = known or (earlier if key and model.key[-1] == _FROM else None)
        if basis is not None and model.meaning(basis, model.content) == model.meaning(fact, model.content):
            outcome.rows.duplicate += 1
        elif known is None or (known["read_s"] is not None and known["read_s"] < reading.read_s):
            outcome.rows.accepted += 1
            outcome.accepted.append(fact | {"read_s": reading.read_s})
            outcome.files.add(reading.place)
            known = fact
        elif known["read_s"] is not None or model.meaning(known, model.agreed) == model.meaning(fact, model.agreed):
            outcome.rows.duplicate += 1
        else:
            outcome.rows.conflicting += 1
            outcome.rejections.append(conflict(table, reading.place, reading.line, fact, DECLARATION_STAYS))
        if known is not None and model.key[-1] == _FROM:
            last[key[:-1]] = known
    return outcome


def _newest(
    table: str, model: type[Fact], readings: list[Reading], outcome: FactOutcome, now_s: int, limits: ReadingLimits
) -> dict[_Key, tuple[Reading, dict[str, Any]]]:
    """Keep the newest reading of every key; what cannot be a fact is rejected, other resources are passed over."""
    newest: dict[_Key, tuple[Reading, dict[str, Any]]] = {}
    for reading in readings:
        if table != "poll_notes" and reading.row.get("resource", BILLED_RESOURCE) != BILLED_RESOURCE:
            outcome.rows.ignored += 1
            continue
        fact = validated(table, model.required(), (reading.place, reading.line), reading.row, now_s, limits, outcome.rejections)
        if fact is None:
            outcome.rows.rejected += 1
            continue
        key = _picked(fact, model.key)
        if key in newest:
            outcome.rows.duplicate += 1
        if key not in newest or newest[key][0].read_s < reading.read_s:
            newest[key] = (reading, fact)
    return newest


def _picked(fact: dict[str, Any], names: tuple[str, ...]) -> _Key:
    return tuple(fact[name] for name in names)


def _in_force(
    engine: Engine, table: str, model: type[Fact], keys: list[_Key]
) -> tuple[dict[_Key, dict[str, Any]], dict[_Key, dict[str, Any]]]:
    """Find what is in force for the keys, and for those of dated facts, what was in force just before."""
    if not keys:
        return {}, {}
    names = list(model.columns)
    engine.load("wanted_keys", {name: model.columns[name] for name in model.key}, keys)
    picks = ", ".join(f"t.{quoted_name(name)}" for name in (*names, "read_s"))
    wanted = ", ".join(f"w.{quoted_name(name)}" for name in model.key)

    def found(joined: str, newest: str) -> dict[_Key, dict[str, Any]]:
        rows = engine.sql(
            f"select {wanted}, {picks} from wanted_keys as w inner join {quoted_name(table)} as t on {joined} "
            f"qualify row_number() over (partition by {wanted} order by {newest}) = 1"
        )
        width = len(model.key)
        return {row[:width]: dict(zip((*names, "read_s"), row[width:], strict=True)) for row in rows}

    same = [f"w.{quoted_name(name)} = t.{quoted_name(name)}" for name in model.key]
    in_force = found(" and ".join(same), "t.ingest_seq desc")
    before = {}
    if model.key[-1] == _FROM:
        before = found(" and ".join([*same[:-1], f"t.{_FROM} < w.{_FROM}"]), f"t.{_FROM} desc, t.ingest_seq desc")
    engine.drop("wanted_keys")
    return in_force, before
