"""The oracle's facts: instants, the intervals of subscriptions, and what becomes of the rows of a command.

Written from the accounting rules alone; the numbers in comments are their sections. `Books.take` is one command.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 86_400
INSTANT = re.compile(r"\d{4}-\d\d-\d\d([T ]([01]\d|2[0-3]):\d\d(:\d\d([.]\d+)?)?(Z|[+-]\d\d:\d\d))?", re.ASCII)


# --- instants and periods (2) -----------------------------------------------------------------------------------------------


def instant(text: str) -> int:
    """Whole UTC seconds, floored; a bare date is its 00:00Z; anything else without an offset is refused."""
    if not INSTANT.fullmatch(text):
        raise ValueError(f"{text!r}: no instant with an offset")
    whole = re.sub(r"[.]\d+", "", text)  # the floor: a fraction never reaches the next second
    moment = datetime.fromisoformat(whole)
    if len(whole) == len("2026-10-01"):
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(seconds=1)


def shown(second: int) -> str:
    moment = EPOCH + timedelta(seconds=second)
    return f"{moment.year:04}-{moment.month:02}-{moment.day:02}T{moment.hour:02}:{moment.minute:02}:{moment.second:02}Z"


def bounds(period: str) -> tuple[int, int]:
    if ".." in period:
        start, end = period.split("..")
        return instant(start), instant(end)
    if len(period) == len("2026-10"):
        year, month = map(int, period.split("-"))
        return instant(f"{year:04}-{month:02}-01"), instant(f"{year + month // 12:04}-{month % 12 + 1:02}-01")
    return instant(period), instant(period) + DAY


# --- the interval of a subscription (5) -------------------------------------------------------------------------------------


def shifted(second: int, length: str, sign: int) -> int:
    """Calendar arithmetic: the 31st is clamped to the month's last day."""
    count, unit = length.split()
    moment, step = EPOCH + timedelta(seconds=second), sign * int(count)
    if unit.startswith(("day", "week")):
        return second + step * DAY * (7 if unit.startswith("week") else 1)
    months = moment.year * 12 + moment.month - 1 + step * (12 if unit.startswith("year") else 1)
    year, month = months // 12, months % 12 + 1
    last_day = (datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC) - timedelta(days=1)).day
    return (moment.replace(year=year, month=month, day=min(moment.day, last_day)) - EPOCH) // timedelta(seconds=1)


def interval(start: int | None, end: int | None, length: str | None, now: int) -> tuple[int, int]:
    """What start, end and period mean together; ValueError where they say too much, too little, or nothing."""
    if start is not None and end is not None and length:
        raise ValueError("ambiguous")
    if end is None and not length:
        raise ValueError("not specific enough")
    if end is not None:
        if start is None:
            start = shifted(end, length, -1) if length else now
    else:
        if start is None:
            start = now
        elif start > now:
            while start % DAY != DAY // 2:
                start -= 1
        end = shifted(start, length, +1)
        while end % DAY != DAY // 2:
            end += 1
    if end <= start:
        raise ValueError("empty")
    return start, end


# --- facts and how they are taken in (2, 4, 5, 8) ---------------------------------------------------------------------------


class Sample(NamedTuple):
    location: str
    snapshot: str
    size: int
    drive: str = ""
    status: str = ""
    name: str = ""


class PollKey(NamedTuple):
    endpoint: str
    account: str
    second: int


@dataclass
class Taken:
    """What one command brought: polls by outcome, and rows of samples by outcome."""

    number: int
    polls: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    facts: Counter[str] = field(default_factory=Counter)
    shared: int = 0


Versions = list[tuple[Any, int]]  # what was said, and the number of the command that said it


def sample_of(row: dict[str, Any]) -> tuple[PollKey | None, Sample | None, bool]:
    """A row's poll (None where the row does not tell), its sample (None for a heartbeat), and whether it is sound."""

    def text(name: str) -> str:
        value = row.get(name)
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} is no text")
        return value or ""

    try:
        account, location, endpoint = text("account"), text("location"), text("endpoint") or text("location")
        key = PollKey(endpoint, account, instant(text("poll_time")))
        if not account or not endpoint or len(account) > 128 or len(endpoint) > 128:
            return None, None, False
    except (TypeError, ValueError):
        return None, None, False
    try:
        snapshot, raw_size = text("snapshot"), row.get("allocated_size")
        size_text = "" if raw_size is None else raw_size if isinstance(raw_size, str) else repr(raw_size)
        if not snapshot:
            return key, None, size_text in ("", "0")
        sound = (
            location != ""
            and max(map(len, (location, snapshot, text("drive")))) <= 128
            and re.fullmatch("[0-9]+", size_text) is not None
            and int(size_text) < 2**63
        )
        if not sound:
            return key, None, False
        return key, Sample(location, snapshot, int(size_text), text("drive"), text("status"), text("name")), True
    except TypeError:
        return key, None, False


def _numbered_rows(tables: dict[str, list[dict[str, Any]]], taken: Taken) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every row of samples, with the listing it comes from; flat rows, from whatever file, are one listing together."""
    for row in tables.get("samples", ()):
        yield 0, row
    for number, capture in enumerate(tables.get("captures", ()), start=1):
        head = {name: capture[name] for name in ("poll_time", "endpoint", "account")}
        yield number, head  # a heartbeat, so that a listing of nothing is a poll too
        for thing in capture["response"]["objects"]:
            if thing["owner"]["uuid"] != capture["account"]:  # 4: shared, so counted and skipped
                taken.shared += 1
                continue
            drive = (thing.get("drive") or {}).get("uuid", "")
            listed = {"location": thing["location"], "snapshot": thing["uuid"], "allocated_size": thing["allocated_size"]}
            yield number, head | listed | {"drive": drive, "status": thing["status"], "name": thing["name"]}


def _is_told_by(versions: list[frozenset[Sample]], samples: set[Sample]) -> bool:
    within = [version for version in versions if version <= samples]
    return bool(within) and set().union(*within) == samples


class Books:
    """Facts taken in, command by command; whoever reads them sees the first `known_at` commands, all unless told."""

    def __init__(self, cycle: int = 300, max_hold: int = 900) -> None:
        self.cycle, self.max_hold = cycle, max_hold
        self.commands = 0
        self.polls: dict[PollKey, Versions] = defaultdict(list)
        self.facts: dict[str, dict[tuple[Any, ...], Versions]] = defaultdict(lambda: defaultdict(list))

    # 8: a poll is taken whole or not at all; the same again adds nothing; with other content it is a conflict, the first stays.
    def take(self, tables: dict[str, list[dict[str, Any]]], now: int, *, supersede: bool = False) -> Taken:
        """Take one command's rows by table; each of `captures` is one listing, `{poll_time, endpoint, account, response}`."""
        self.commands += 1
        taken = Taken(self.commands)
        listings: dict[PollKey, dict[int, set[Sample]]] = defaultdict(lambda: defaultdict(set))
        rows_of_poll: Counter[PollKey] = Counter()
        spoilt: set[PollKey] = set()
        for number, row in _numbered_rows(tables, taken):
            key, sample, sound = sample_of(row)
            if key is None:
                taken.rows["rejected"] += 1
                continue
            rows_of_poll[key] += 1
            if sound:
                listings[key][number] |= {sample} if sample else set()
            else:
                spoilt.add(key)
        for key, count in rows_of_poll.items():
            outcome = "rejected" if key in spoilt else self._take_poll(key, listings[key], supersede=supersede)
            taken.polls[outcome] += 1
            distinct = len(set().union(*listings[key].values())) or 1
            if outcome == "accepted" and not tables.get("captures"):
                taken.rows["accepted"] += distinct
                taken.rows["duplicate"] += count - distinct
            else:
                taken.rows[outcome] += count
        for table in ("subscriptions", "prices", "burst_levels", "accounts"):
            self._take_facts(table, tables.get(table, []), now, taken, supersede=supersede)
        return taken

    def _take_poll(self, key: PollKey, by_listing: dict[int, set[Sample]], *, supersede: bool) -> str:
        content = frozenset().union(*by_listing.values())
        names = [(sample.location, sample.snapshot) for sample in content]
        versions = self.polls[key]
        # 8: what says again what one version, or several, have said before adds nothing
        adds_nothing = all(_is_told_by([told for told, _ in versions], samples) for samples in by_listing.values())
        if len(set(names)) < len(names) or any(samples != content for samples in by_listing.values()):
            return "duplicate" if adds_nothing else "conflicting"  # it contradicts itself: no version of it can be the first
        if versions and versions[-1][0] == content:
            return "duplicate"
        if versions and not supersede:
            return "duplicate" if adds_nothing else "conflicting"
        versions.append((content, self.commands))
        return "accepted"

    def _take_facts(self, table: str, rows: list[dict[str, Any]], now: int, taken: Taken, *, supersede: bool) -> None:
        said: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
        for row in rows:
            if table != "accounts" and (row.get("resource") or "backup") != "backup":
                taken.facts["ignored"] += 1
                continue
            try:
                key, content = _FACTS[table](row)
                if table == "subscriptions":
                    interval(*content[2:5], now)
            except (ValueError, TypeError, KeyError):
                taken.facts["rejected"] += 1
                continue
            said[key].append(content)
        for key, contents in said.items():
            versions = self.facts[table][key]
            known = versions[-1][0] if versions else None
            declared = known[:-1] if known and table == "subscriptions" else known
            told = {version[:-1] if table == "subscriptions" else version for version, _ in versions}
            if len(set(contents)) > 1 or (declared not in (None, contents[0]) and not supersede):
                taken.facts["duplicate" if set(contents) <= told else "conflicting"] += len(contents)
            elif declared == contents[0]:
                taken.facts["duplicate"] += len(contents)
            else:
                meant = (*contents[0], interval(*contents[0][2:5], now)) if table == "subscriptions" else contents[0]
                versions.append((meant, self.commands))
                taken.facts["accepted"] += 1
                taken.facts["duplicate"] += len(contents) - 1

    def known(self, table: str, known_at: int | None) -> dict[tuple[Any, ...], Any]:
        known = {}
        for key, versions in self.facts[table].items():
            for content, number in versions:
                if number <= self._number(known_at):
                    known[key] = content
        return known

    def used_polls(self, as_of: int, known_at: int | None) -> dict[PollKey, frozenset[Sample]]:
        """2: polls at or after as_of are not used; 8: nor is what was not known, and the last known version is in force."""
        used = {}
        for key, versions in self.polls.items():
            for content, number in versions:
                if number <= self._number(known_at) and key.second < as_of:
                    used[key] = content
        return used

    def last_poll(self, as_of: int, known_at: int | None = None) -> int:
        """The last instant of any used poll, -1 where there is none."""
        return max((key.second for key in self.used_polls(as_of, known_at)), default=-1)

    def _number(self, known_at: int | None) -> int:
        return self.commands if known_at is None else known_at


def _declared(value: str | None) -> int | None:
    return instant(value) if value else None


def _subscription(row: dict[str, Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    start, end = _declared(row.get("start_time")), _declared(row.get("end_time"))
    # What it costs decides nothing that it entitles to.
    return (row["location"], row["id"]), (row["account"], int(row["amount"]), start, end, row.get("period") or None)


def _price(row: dict[str, Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    key = (row.get("location") or "", row["currency"], int(row["level"]), instant(row["effective_from"]))
    return key, (row["price"], row["unit"], int(row["multiplier"]))


def _burst_level(row: dict[str, Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    return (row["location"], instant(row["effective_from"])), (int(row["level"]),)


def _account(row: dict[str, Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    return (row["account"],), (row["currency"], row.get("name") or "")


_FACTS = {"subscriptions": _subscription, "prices": _price, "burst_levels": _burst_level, "accounts": _account}
