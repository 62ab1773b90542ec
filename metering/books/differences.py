"""Where two frozen documents differ, field by field, in words."""

import json
from collections.abc import Iterator
from typing import Any

# A row is named by what it is of, not by its place in a list.
_NAMES = {
    "usage": ("location",),
    "lines": ("charge_id",),
    "episodes": ("location", "start"),
    "statements": ("currency",),
}


def differing_fields(stored: str, computed: str) -> Iterator[str]:
    """Name each field of a statement's document that is not what it was computed to be; findings are words, and may change.

    Args:
        stored: the document as it stands in the store; it may have been made unreadable.
        computed: the document as the facts give it.
    """
    try:
        before = json.loads(stored)
    except (ValueError, RecursionError):
        yield "the document is no JSON any more"
        return
    after = json.loads(computed)
    if not isinstance(before, dict):
        yield "the document is no statement any more"
        return
    for part, names in _NAMES.items():
        ours, theirs = _rows(before.get(part), names), _rows(after[part], names)
        for name in sorted(ours.keys() | theirs.keys()):
            if name not in theirs:
                yield f"{part} {name} stands in it, but is not computed any more"
            elif name not in ours:
                yield f"{part} {name} is computed, but does not stand in it"
            else:
                yield from _fields(f"{part} {name}", ours[name], theirs[name])


def _rows(rows: Any, names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for row in rows if isinstance(rows, list) else []:
        said = row if isinstance(row, dict) else {}
        name = " ".join(str(said.get(part)) for part in names)
        # A row that stands twice is another row, so that neither hides the other.
        while name in found:
            name += " again"
        found[name] = said
    return found


def _fields(name: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for field in sorted(before.keys() | after.keys()):
        if before.get(field) != after.get(field):
            yield f"{name}: {field} is {before.get(field)!r}, computed {after.get(field)!r}"
