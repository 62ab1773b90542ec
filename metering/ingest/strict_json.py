"""JSON read strictly: no NaN, no Infinity, no key twice, exact numbers.

The standard library accepts all of these silently; a size that was read as a float is not a size any more.
"""

import json
from typing import Any, NoReturn


class Number(str):
    """A JSON number that is no integer, kept as its text: it is never taken for an exact figure by accident."""

    __slots__ = ()


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
        raise ValueError(f"the key {twice!r} stands twice")
    return found


def loads_object(text: str) -> dict[str, Any]:
    """Read one JSON object; numbers with a point or an exponent come back as `Number` text.

    Raises:
        ValueError: the text is no JSON, no object, has NaN, Infinity or a key twice, or is nested too deeply.
    """
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=Number)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError("is no JSON object")  # noqa: TRY004 -- a wrong value of the right type: text
    return document


def decimal_text(value: Any) -> str | None:
    """Give a JSON value as the text that a CSV cell would hold; None for null; numbers keep their digits."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int)):
        return str(value)
    return json.dumps(value)
