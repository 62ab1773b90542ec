"""JSON read strictly: no NaN, no Infinity, no key twice, exact numbers, only text that UTF-8 can hold.

The standard library accepts all of these silently; a size that was read as a float is not a size any more.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

# Finds where a value ends. Its numbers stay text: Python refuses to make one of more than 4 300 digits.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)


class Number(str):
    """A JSON number that is no plain integer, kept as its text: it is never taken for an exact figure by accident."""

    __slots__ = ()


def is_text(value: Any) -> bool:
    """Tell whether a JSON value is text, or null; a number that was kept as text is none."""
    return value is None or (isinstance(value, str) and not isinstance(value, Number))


class NoObjectError(ValueError):
    """The text is JSON, but no object."""


class RepeatedKeyError(ValueError):
    """An object names a key twice: which of the values counts cannot be told."""


class NestingError(ValueError):
    """The text is nested more deeply than anything that is meant."""


# An integer of more digits fits nothing here, and Python refuses to read one of more than 4 300.
_MAX_DIGITS = 100


class _Members(tuple[tuple[str, Any], ...]):
    """An object's members as they stand, repeated ones included."""

    __slots__ = ()


# Text is passed over, to the end of the line where it has none itself: to look on within it would take a square of its length.
# What is in no text is a comma more, behind a value, or no number.
_LENIENT = re.compile(
    r'"(?:[^"\\]|\\.)*+"?|(?<=["\w\]}])(\s*),(?=\s*[\]}])|(-?)\b(nan|inf(?:inity)?)\b', re.IGNORECASE | re.ASCII | re.DOTALL
)


def _strict(found: re.Match[str]) -> str:
    if found[3]:
        return "NaN" if found[3][0] in "nN" else f"{found[2]}Infinity"
    return found[0] if found[1] is None else found[1]


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _integer(text: str) -> int | Number:
    return int(text) if len(text) <= _MAX_DIGITS else Number(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise RepeatedKeyError(f"the key {twice[:_MAX_DIGITS]!r} stands twice")
    return found


def _loads(text: str, hook: Any, max_depth: int, constant: Callable[[str], Any] = _refuse_constant) -> Any:
    try:
        document = json.loads(text, object_pairs_hook=hook, parse_constant=constant, parse_float=Number, parse_int=_integer)
        if "\\u" in text:
            # Half of a surrogate pair is no character; nothing could store it.
            json.dumps(document, ensure_ascii=False).encode()
    except RecursionError:
        raise NestingError("is nested too deeply") from None
    # What opens no more brackets than may be nested is nested no deeper.
    if text.count("[") + text.count("{") > max_depth:
        assert_depth(document, max_depth)
    return document


def loads_object(text: str, max_depth: int) -> dict[str, Any]:
    """Read one JSON object; numbers with a point or an exponent come back as `Number` text.

    Raises:
        ValueError: the text is no JSON, no object, has NaN, Infinity or a key twice, or is nested too deeply; each has a class.
    """
    document = _loads(text, _object, max_depth)
    if not isinstance(document, dict):
        raise NoObjectError("is no JSON object")
    return document


def loads_document(text: str, max_depth: int) -> dict[str, Any] | list[Any]:
    """Read one JSON object or list, as strictly as `loads_object`.

    Raises:
        ValueError: the text is neither, or is refused as `loads_object` does.
    """
    document = _loads(text, _object, max_depth)
    if not isinstance(document, (dict, list)):
        raise NoObjectError("is neither a JSON object nor a list")
    return document


def loads_members(text: str, max_depth: int) -> tuple[tuple[str, Any], ...]:
    """Read one JSON object as its members in order, repeated ones included, and as leniently as DuckDB reads rows in bulk.

    One comma more at the end of an object or a list says nothing; NaN and Infinity are no text, and no figure either.

    Raises:
        ValueError: as `loads_object`, but for these, and for keys that stand twice.
    """
    try:
        document = _loads(text, _Members, max_depth)
    except (NestingError, UnicodeEncodeError):
        raise
    except ValueError:
        lenient = _LENIENT.sub(_strict, text)
        document = _loads(lenient, _Members, max_depth, Number)
    if not isinstance(document, _Members):
        raise NoObjectError("is no JSON object")
    return document


def assert_depth(document: Any, max_depth: int) -> None:
    """Refuse a document whose objects and lists are nested deeper than `max_depth`.

    Raises:
        NestingError: it is.
    """
    level = [document]
    for _ in range(max_depth):
        level = [part for value in level for part in _parts(value) if isinstance(part, (dict, list, _Members))]
        if not level:
            return
    raise NestingError("is nested too deeply")


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return (part for _, part in value) if isinstance(value, _Members) else value


def member_texts(text: str) -> dict[str, str]:
    """Take the text of a JSON object apart into the texts of its members, each as it came; `text` is known to be valid."""
    members: dict[str, str] = {}
    at = _skipped(text, text.index("{") + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, _skipped(text, at, ","))
        start = _skipped(text, at, ":")
        _, at = _DECODER.raw_decode(text, start)
        members[name] = text[start:at]
        at = _skipped(text, at)
        if text[at] == ",":
            at += 1
    return members


def item_texts(text: str) -> list[str]:
    """Take the text of a JSON list apart into the texts of its items, each as it came; `text` is known to be valid."""
    items: list[str] = []
    at = _skipped(text, text.index("[") + 1)
    while text[at] != "]":
        start = _skipped(text, at, ",")
        _, at = _DECODER.raw_decode(text, start)
        items.append(text[start:at])
        at = _skipped(text, at)
    return items


def _skipped(text: str, at: int, mark: str = "") -> int:
    """Go past white space, and one `mark` if it stands there."""
    while text[at] in " \t\r\n":
        at += 1
    return _skipped(text, at + 1) if mark and text[at] == mark else at


def decimal_text(value: Any) -> str | None:
    """Give a JSON value as the text that a CSV cell would hold; None for null; numbers keep their digits, no spaces are added."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int)):
        return str(value)
    return json.dumps(_as_objects(value), ensure_ascii=False, separators=(",", ":"))


def _as_objects(value: Any) -> Any:
    """Give members as the object that they are of, at every depth."""
    if isinstance(value, _Members):
        return {name: _as_objects(part) for name, part in value}
    return [_as_objects(part) for part in value] if isinstance(value, list) else value
