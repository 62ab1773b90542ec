"""Fault switches: what goes wrong out there, seeded and scriptable.

A fault has a kind, and says where it strikes: at which location, for which account, on which path and method, during which
virtual time, how often (`percent` of the requests, decided by the seed; `times` at the most). What struck is kept in `hits`, so
that a test can tell that missing time is where the faults were. Source: PROVIDER.md, "What goes wrong out there".
"""

import random
from dataclasses import asdict, dataclass, field
from typing import Any

# kind: what it does, and what `value` says.
KINDS: dict[str, str] = {
    "page_cap": "the server caps the page size at `value`, whatever limit is asked for",
    "list_changes": "an object goes (`value` delete) or comes (insert) between two pages: what follows the first page shifts",
    "repeat_object": "a page begins with the last object of the page before, and lacks its own last one",
    "twice": "the first object of a page is listed twice, alike",
    "shuffle": "every page is cut from another order",
    "total_count": "`meta.total_count` is `value`, 0 unless given",
    "foreign": "the listing shows `value` snapshots of other accounts too, as if they were shared",
    "drive_null": "the listing shows no drives, as if they were all deleted",
    "hang": "no answer for `value` real seconds (an hour unless given), then none at all",
    "lost": "the request is carried out, but the connection breaks before the answer",
    "status": "status `value` (503 unless given), with `retry_after`, seconds or a date, if that is given",
    "redirect": "302 to `value`, another host",
    "html": "200 with an HTML page",
    "xml": "200 with XML",
    "error_object": "200 with a list of errors",
    "empty": "200 with an empty body",
    "flood": "a body of `value` bytes (5 GiB unless given) that begins like a listing",
    "bomb": "a small gzip body that unfolds to `value` bytes (1 GiB unless given)",
    "deep": "JSON that is nested `value` deep (100 000 unless given)",
    "bad_size": "the first object's `allocated_size` is the raw text `value`: NaN, 1e400, true, \"12.0\"",
    "duplicate_keys": "the first object says `allocated_size` twice",
    "cut_json": "the JSON ends half-way, well framed",
    "cut_gzip": "the body ends inside gzip, well framed (gzip whatever was asked for)",
    "cut": "the connection breaks inside the body",
    "skew": "the `Date` header is `value` seconds off",
}  # fmt: skip
# Whose `value` is a whole number.
COUNTED = frozenset({"page_cap", "total_count", "foreign", "hang", "status", "flood", "bomb", "deep", "skew"})
_ALWAYS = 100


@dataclass(slots=True)
class Fault:
    """One switch; whatever is None matches everything."""

    kind: str
    location: str | None = None
    account: str | None = None
    path: str | None = "/remotesnapshots/"
    method: str | None = "GET"
    from_s: int | None = None
    until_s: int | None = None
    percent: int = 100
    times: int | None = None
    value: Any = None
    retry_after: int | str | None = None
    id: int = 0
    struck: int = 0


@dataclass(frozen=True, slots=True)
class Strike:
    """Where a fault is asked about: a request, as the switches see it."""

    location: str
    account: str | None
    email: str | None
    path: str
    method: str
    now_s: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A fault that struck."""

    kind: str
    location: str
    account: str | None
    path: str
    now_s: int


@dataclass(slots=True)
class Faults:
    """All switches of a server."""

    seed: int = 0
    switches: list[Fault] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)
    _asked: dict[tuple[Any, ...], int] = field(default_factory=dict)
    _asked_at_s: int | None = None
    _last_id: int = 0

    def add(self, kind: str, **where: Any) -> Fault:
        """Switch a fault on; `where` are the fields of `Fault`."""
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no fault; choose from {', '.join(KINDS)}")
        self._last_id += 1
        fault = Fault(kind, id=self._last_id, **where)
        self.switches.append(fault)
        return fault

    def clear(self) -> None:
        """Switch all off, and let go of what hangs."""
        self.switches.clear()

    def remove(self, fault: Fault) -> None:
        """Switch one off."""
        self.switches.remove(fault)

    def strikes(self, strike: Strike, *kinds: str) -> Fault | None:
        """Give the first switch of these kinds that strikes a request, and note the hit."""
        for fault in self.switches:
            if fault.kind in kinds and self._matches(fault, strike) and self._drawn(fault, strike):
                fault.struck += 1
                self.hits.append(Hit(fault.kind, strike.location, strike.account, strike.path, strike.now_s))
                return fault
        return None

    def documents(self) -> list[dict[str, Any]]:
        """Give the switches as JSON."""
        return [asdict(fault) for fault in self.switches]

    def _matches(self, fault: Fault, strike: Strike) -> bool:
        return (
            fault.location in (None, strike.location)
            and fault.account in (None, strike.account, strike.email)
            and (fault.path is None or fault.path in strike.path)
            and fault.method in (None, strike.method)
            and (fault.from_s is None or fault.from_s <= strike.now_s)
            and (fault.until_s is None or strike.now_s < fault.until_s)
            and (fault.times is None or fault.struck < fault.times)
        )

    def _drawn(self, fault: Fault, strike: Strike) -> bool:
        """Draw lots by what is asked and how often, not by who comes first: concurrent requests change nothing."""
        if fault.percent >= _ALWAYS:
            return True
        if strike.now_s != self._asked_at_s:
            self._asked_at_s = strike.now_s
            self._asked.clear()
        key = (fault.id, strike.location, strike.account, strike.path, strike.method, strike.now_s)
        self._asked[key] = nth = self._asked.get(key, 0) + 1
        lot = random.Random(repr((self.seed, key, nth)))  # noqa: S311 -- seeded faults, no secret
        return lot.randrange(100) < fault.percent
