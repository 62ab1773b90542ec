"""A complete list, or nothing: every object of one instant, each once.

    limit=0 ─> whole? ─> yes: done
                      └> a page only: page on, each page overlapping the one before by one object ─> whole? ─> done
                                                                                                  └> no: from the beginning

A server may cap what it gives, its list may change between two pages, its `total_count` may be wrong. A list counts as whole
if its distinct objects are as many as `total_count` says on every page. A count that is less than what came (it has been seen
as 0 beside a full page) says nothing: it speaks neither against what came nor for its being all. So the end of a list is where
a page is short, and never where a count was reached; and a list whose count is too low is taken, and flagged. Anything else is
read again from the beginning, a few times, and is then no list.
"""

import json
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from metering.collector.client import Answer
from metering.ingest.failure import ListChangedError, RequestFailure
from metering.ingest.strict_json import item_texts, member_texts
from metering.model.limits import DEFAULT_LIMITS, ReadingLimits

Ask = Callable[[dict[str, int]], Awaitable[Answer]]
Key = Callable[[dict[str, Any]], Hashable]

REPEATS_LOGIN = "the password or the login's header stands in the answer, and is withheld from what is kept of it"
_PASSES = 3
_MOST_PAGES = 10_000


@dataclass(slots=True)
class Listing:
    """A whole list: the text of one response that holds it all, its objects, and what was odd about it."""

    text: str
    objects: list[dict[str, Any]]
    answered_us: int
    date_s: int | None
    received_bytes: int
    # What was odd: the cause under which it is counted, and what to say of it.
    flags: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Page:
    answer: Answer
    objects: list[dict[str, Any]]
    keys: list[Hashable]
    total: int
    limit: int


async def complete_listing(ask: Ask, key: Key, *, limits: ReadingLimits = DEFAULT_LIMITS) -> Listing:
    """Read a list whole, by pages where the server gives no more at once, again where it changed under way.

    Args:
        ask: asks for one page, given `limit` and `offset`; what it gives passes `assert_list`.
        key: what tells one object from another; raises KeyError or TypeError where an object has none.
        limits: how large all pages together may be, and how many objects they may list.

    Raises:
        RequestFailure: a page could not be had (its cause), is no list (malformed), or no list was whole (incomplete).
    """
    received = 0

    async def counted(params: dict[str, int]) -> Answer:
        nonlocal received
        answer = await ask(params)
        received += answer.received_bytes
        return answer

    said = ""
    for _ in range(_PASSES):
        try:
            listing = await _one_pass(counted, key, limits)
        except ListChangedError as error:
            said = str(error)
        else:
            listing.received_bytes = received
            return listing
    raise RequestFailure("incomplete", f"{said}, {_PASSES} times over")


async def _one_pass(ask: Ask, key: Key, limits: ReadingLimits) -> Listing:
    first = _page(await ask({"limit": 0}), key, 0)
    _assert_few(len(first.keys), limits)
    pages = [first]
    found = _merged({}, first)
    if _may_be_cut(first, len(found)):
        await _page_on(ask, key, limits, pages, found)
    flags = []
    if len(found) < first.total:
        raise ListChangedError(f"{len(found)} objects came, and total_count is {first.total}")
    if len(found) > first.total:
        flags.append(("total_count", f"total_count is {first.total} beside {len(found)} objects"))
    if len(pages) == 1 and len(first.keys) > len(found):
        flags.append(("listed_twice", f"{len(first.keys) - len(found)} of {len(first.keys)} objects are listed again, alike"))
    if any(page.answer.repeats_login for page in pages):
        flags.append(("repeats_login", REPEATS_LOGIN))
    objects = list(found.values())
    text = first.answer.text if len(pages) == 1 else _joined(pages, key, len(found))
    return Listing(text, objects, first.answer.answered_us, first.answer.date_s, 0, flags)


def _may_be_cut(page: _Page, count: int) -> bool:
    """Tell whether there may be more behind a page: the count is not that of what came, or the server cut it at its own limit."""
    return count != page.total or (0 < page.limit <= len(page.keys))


async def _page_on(ask: Ask, key: Key, limits: ReadingLimits, pages: list[_Page], found: dict[Hashable, dict[str, Any]]) -> None:
    first = pages[0]
    size = len(first.keys)
    if not size:
        raise ListChangedError(f"no object came, and total_count is {first.total}")
    overlap = 1 if size > 1 else 0
    decoded = len(first.answer.text)
    while len(pages) < _MOST_PAGES:
        offset = sum(len(page.keys) for page in pages) - overlap * len(pages)
        page = _page(await ask({"limit": size, "offset": offset}), key, offset)
        decoded += len(page.answer.text)
        if decoded > limits.response_bytes:
            said = f"the list is larger than {limits.response_bytes} bytes (limits.response_bytes)"
            raise RequestFailure("too_large", said)
        _assert_few(len(found) + len(page.keys), limits)
        if page.total != first.total:
            raise ListChangedError(f"total_count changed from {first.total} to {page.total} between two pages")
        if overlap and (not page.keys or page.keys[0] != pages[-1].keys[-1]):
            raise ListChangedError("two pages do not join: the list changed between them")
        before = len(found)
        _merged(found, page)
        pages.append(page)
        if len(found) - before != len(page.keys) - overlap:
            raise ListChangedError("an object is listed on two pages")
        if len(page.keys) < size:
            return
    raise RequestFailure("malformed", f"the list has more than {_MOST_PAGES} pages")


def _assert_few(count: int, limits: ReadingLimits) -> None:
    if count > limits.objects:
        said = f"the list has more than {limits.objects} objects (limits.objects)"
        raise RequestFailure("too_large", said)


def assert_list(document: dict[str, Any]) -> None:
    """Check that an answer is a page of a list that tells its `total_count`.

    Raises:
        RequestFailure: it is none; malformed.
    """
    meta, objects = document.get("meta"), document.get("objects")
    if not isinstance(meta, dict) or not isinstance(objects, list):
        raise RequestFailure("malformed", "the answer is no list: it lacks meta or objects", again=True)
    total, limit = meta.get("total_count"), meta.get("limit", 0)
    if type(total) is not int or total < 0 or type(limit) is not int:
        raise RequestFailure("malformed", "the list does not tell its total_count and limit", again=True)


def _page(answer: Answer, key: Key, offset: int) -> _Page:
    meta, objects = answer.document["meta"], answer.document["objects"]
    total, limit = meta["total_count"], meta.get("limit", 0)
    if meta.get("offset", offset) != offset:
        raise ListChangedError(f"the page begins elsewhere than at {offset}")
    try:
        keys = [key(found) for found in objects]
        frozenset(keys)  # a list or an object is no identity
    except (KeyError, TypeError, ValueError):
        raise RequestFailure("malformed", "the list holds something that has no identity of its own") from None
    return _Page(answer, objects, keys, total, limit)


def _merged(found: dict[Hashable, dict[str, Any]], page: _Page) -> dict[Hashable, dict[str, Any]]:
    for name, said in zip(page.keys, page.objects, strict=True):
        if found.setdefault(name, said) != said:
            raise ListChangedError("an object is listed twice, with two contents")
    return found


def _joined(pages: list[_Page], key: Key, count: int) -> str:
    """Write one response that holds all pages; every object keeps the very text it came with."""
    first = member_texts(pages[0].answer.text)
    seen: set[Hashable] = set()
    texts = []
    for page in pages:
        items = item_texts(member_texts(page.answer.text)["objects"])
        for name, text in zip((key(found) for found in page.objects), items, strict=True):
            if name not in seen:
                seen.add(name)
                texts.append(text)
    first["meta"] = f'{{"limit": 0, "offset": 0, "total_count": {count}, "pages": {len(pages)}}}'
    first["objects"] = f"[{', '.join(texts)}]"
    return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in first.items()) + "}"
