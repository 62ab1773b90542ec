"""An independent, slow biller that judges the product: written from the accounting rules alone, sharing no code with it.

Everything is a plain integer or Fraction, and every quantity is looked up at an instant by its definition: what had the last poll
listed, how long ago, which subscriptions ran, which price row won. Between two neighbouring breakpoints nothing changes, so a
period is the sum over its segments. Slow, and meant to be read beside ACCOUNTING.md; the numbers in comments are its sections.

    books = Books()
    books.take(read_tables(Path("sample_data")), now=instant("2026-11-01"))
    bill(books, "2026-10", as_of=instant("2026-11-01"))
"""

from bisect import bisect_right
from collections import defaultdict
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

from oracle_facts import DAY, Books, Sample, bounds, shown

MINOR_UNITS = {"CHF": 2, "USD": 2, "EUR": 2, "GBP": 2, "JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3}
COUNTED = ("measured", "held", "partial")


def bill(books: Books, period: str, as_of: int, known_at: int | None = None) -> dict[str, Any]:
    """The bill as INTERFACE.md shapes it, without charge ids and findings."""
    return Computation(books, period, as_of, known_at).document()


class Collection:
    """One endpoint and account: its used polls in order of time, each with the samples that count."""

    def __init__(self, clock: Books) -> None:
        self.clock = clock
        self.seconds: list[int] = []
        self.listed: list[frozenset[Sample]] = []

    def state(self, t: int) -> str | None:
        """3: what is known of this collection at second t; None before its first poll."""
        at = bisect_right(self.seconds, t) - 1
        if at < 0:
            return None
        since = t - self.seconds[at]
        if at + 1 < len(self.seconds):
            gap = self.seconds[at + 1] - self.seconds[at]
            if Fraction(gap) <= Fraction(3, 2) * self.clock.cycle:
                return "measured"
        if since < self.clock.cycle:
            return "measured"
        return "held" if since < self.clock.max_hold else "missing"

    def occupied(self, t: int, location: str) -> int:
        """3: each sample holds from its poll until the next."""
        listed = self.listed[bisect_right(self.seconds, t) - 1]
        return sum(sample.size for sample in listed if sample.location == location)


class Segment(NamedTuple):
    """Seconds [start, end) of one account and location in which nothing changes."""

    start: int
    end: int
    state: str | None
    occupied: int
    entitled: int
    level: int
    price: tuple[str, str, int] | None

    @property
    def seconds(self) -> int:
        return self.end - self.start

    @property
    def burst(self) -> int:
        return max(0, self.occupied - self.entitled) if self.state in COUNTED else 0


class Computation:
    """One period, at one clock, with what was known."""

    def __init__(self, books: Books, period: str, as_of: int, known_at: int | None) -> None:
        self.books, self.as_of = books, as_of
        self.start, self.end = bounds(period)
        self.collections: dict[tuple[str, str], Collection] = defaultdict(lambda: Collection(books))
        used = books.used_polls(as_of, known_at)
        # 4: one that appears in several collections counts where the endpoint is the location, else at the smallest endpoint
        seen = defaultdict(set)
        for key, samples in used.items():
            for sample in samples:
                seen[key.account, sample.location, sample.snapshot].add(key.endpoint)
        home = {named: named[1] if named[1] in endpoints else min(endpoints) for named, endpoints in seen.items()}
        # 3: the endpoint that is the location feeds it, and every other in which the location appears in a counted sample
        self.feeds: dict[tuple[str, str], set[str]] = defaultdict(set)
        for key in sorted(used, key=lambda key: key.second):
            collection = self.collections[key.endpoint, key.account]
            counted = {s for s in used[key] if home[key.account, s.location, s.snapshot] == key.endpoint}
            collection.seconds.append(key.second)
            collection.listed.append(frozenset(counted))
            for location in {key.endpoint} | {sample.location for sample in counted}:
                self.feeds[key.account, location].add(key.endpoint)
        self.subscriptions = defaultdict(list)
        for (location, _id), content in books.known("subscriptions", known_at).items():
            self.subscriptions[content[0], location].append((content[1], *content[-1]))
        self.prices = books.known("prices", known_at)
        self.levels = books.known("burst_levels", known_at)
        self.accounts = {key[0]: content for key, content in books.known("accounts", known_at).items()}

    def entitled(self, account: str, location: str, t: int) -> int:
        return sum(amount for amount, start, end in self.subscriptions[account, location] if start <= t < end)

    def level(self, location: str, t: int) -> int:
        """6: the burst level in force, of which naming the location beats not naming it; 1 where nothing says otherwise."""
        found = [((where != "", since), level) for (where, since), (level,) in self.levels.items()
                 if where in ("", location) and since <= t]  # fmt: skip
        return max(found)[1] if found else 1

    def price(self, location: str, currency: str | None, level: int, t: int) -> tuple[str, str, int] | None:
        """6: a row that names the location beats every one that does not, then the latest wins."""
        found = [((where != "", since), price) for (where, money, at, since), price in self.prices.items()
                 if where in ("", location) and money == currency and at == level and since <= t]  # fmt: skip
        return max(found)[1] if found else None

    def segments(self, account: str, location: str) -> list[Segment]:
        stop = min(self.end, self.as_of)  # 2: time ends at as_of
        if stop <= self.start:
            return []
        feeding = [self.collections[endpoint, account] for endpoint in sorted(self.feeds[account, location])]
        currency = self.accounts[account][0] if account in self.accounts else None
        cuts = {self.start, stop} | set(range(self.start - self.start % DAY, stop, DAY))
        for collection in feeding:
            for second in collection.seconds:
                cuts |= {second, second + self.books.cycle, second + self.books.max_hold}
        for _amount, start, end in self.subscriptions[account, location]:
            cuts |= {start, end}
        cuts |= {key[-1] for key in self.prices} | {key[-1] for key in self.levels}
        segments = []
        for start, end in pairwise(sorted(cut for cut in cuts if self.start <= cut <= stop)):
            states = [collection.state(start) for collection in feeding]
            known = [state for state in states if state]
            if not known:
                state = None
            elif all(one == "missing" for one in known):
                state = "missing"
            elif "missing" in known:
                state = "partial"
            else:
                state = "held" if "held" in known else "measured"
            seen = [c for c, one in zip(feeding, states, strict=True) if one in ("measured", "held")]
            level = self.level(location, start)
            segments.append(
                Segment(
                    start, end, state, sum(collection.occupied(start, location) for collection in seen),
                    self.entitled(account, location, start), level, self.price(location, currency, level, start),
                )
            )  # fmt: skip
        return segments

    def document(self) -> dict[str, Any]:
        usage, lines, episodes = [], [], []
        for account, location in sorted(self.feeds):
            segments = self.segments(account, location)
            if not any(segment.state for segment in segments):
                continue
            usage.append({"account": account, "location": location} | usage_row(segments))
            currency = self.accounts[account][0] if account in self.accounts else None
            whose = {"account": account, "location": location, "currency": currency}
            lines += [{"kind": "burst"} | whose | row for row in charge_lines(segments)]
            episodes += [whose | row for row in burst_episodes(segments)]
        period = {"start": shown(self.start), "end": shown(self.end), "as_of": shown(self.as_of)}
        statements = [self.statement(account, lines) for account in sorted({row["account"] for row in usage})]
        return {"period": period, "usage": usage, "lines": lines, "episodes": episodes, "statements": statements}

    def statement(self, account: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
        """7: the sum of the rounded amounts, and that sum rounded half-up to the minor unit; null while a line is unpriced."""
        currency, name = self.accounts.get(account, (None, None))
        amounts = [row["amount"] for row in lines if row["account"] == account]
        total = sum((Fraction(amount) for amount in amounts if amount is not None), Fraction(0))
        parked = None in amounts
        places = MINOR_UNITS[currency] if currency else 0  # without a currency nothing is priced: the sum is 0
        due = None if parked else rounded(total, places, half_up=True)
        state = "parked" if parked else "draft"
        return {"account": account, "name": name, "currency": currency, "state": state, "burst_amount": rounded(total, 20),
                "amount_due": due}  # fmt: skip


def usage_row(segments: list[Segment]) -> dict[str, Any]:
    counted = [s for s in segments if s.state in COUNTED]
    row = {
        "occupied_byte_seconds": str(sum(s.occupied * s.seconds for s in counted)),
        "entitled_byte_seconds": str(sum(s.entitled * s.seconds for s in counted)),
        "burst_byte_seconds": str(sum(s.burst * s.seconds for s in counted)),
        "unused_byte_seconds": str(sum(max(0, s.entitled - s.occupied) * s.seconds for s in counted)),
        "peak_occupied_bytes": str(max((s.occupied for s in counted), default=0)),
    }
    states = ("measured", "held", "partial", "missing")
    return row | {f"{state}_seconds": sum(s.seconds for s in segments if s.state == state) for state in states}


def charge_lines(segments: list[Segment]) -> list[dict[str, Any]]:
    """7: one line a UTC date and price with burst; unpriced burst one a date and level."""
    groups = defaultdict(list)
    for segment in segments:
        if segment.burst:
            # 0.3 and 0.30 agree, and so are one price.
            amount, *unit = segment.price or (None,)
            groups[shown(segment.start)[:10], segment.level, amount and Fraction(amount), *unit].append(segment)
    lines = []
    for (date, level, *_), parts in sorted(groups.items(), key=_line_order):
        burst = sum(part.burst * part.seconds for part in parts)
        price = parts[0].price
        amount, unit, multiplier = price or (None, None, None)
        lines.append(
            {
                "date": date, "level": level, "price": amount, "unit": unit, "multiplier": price and str(multiplier),
                "burst_byte_seconds": str(burst), "burst_seconds": sum(part.seconds for part in parts),
                "peak_burst_bytes": str(max(part.burst for part in parts)),
                "amount": price and rounded(burst * Fraction(amount) / multiplier, 20),
            }
        )  # fmt: skip
    return lines


def _line_order(item: tuple[tuple[Any, ...], Any]) -> tuple[Any, ...]:
    date, level, price, *unit = item[0]
    return date, level, -1 if price is None else price, unit[:1]


def burst_episodes(segments: list[Segment]) -> list[dict[str, Any]]:
    """7: maximal runs of burst > 0; missing time, and time in no state, has no burst here and so breaks them."""
    runs: list[list[Segment]] = []
    for segment in segments:
        if not segment.burst:
            continue
        if runs and runs[-1][-1].end == segment.start:
            runs[-1].append(segment)
        else:
            runs.append([segment])
    episodes = []
    for run in runs:
        priced = all(part.price for part in run)
        exact = sum(
            (part.burst * part.seconds * Fraction(part.price[0]) / part.price[2] for part in run if part.price), Fraction(0)
        )
        episodes.append(
            {
                "start": shown(run[0].start), "end": shown(run[-1].end),
                "peak_burst_bytes": str(max(part.burst for part in run)),
                "burst_byte_seconds": str(sum(part.burst * part.seconds for part in run)),
                "amount": rounded(exact, 20) if priced else None,
            }
        )  # fmt: skip
    return episodes


def rounded(value: Fraction, places: int, *, half_up: bool = False) -> str:
    """A plain decimal: half-even, or half-up (away from zero), to `places` decimals."""
    scaled = abs(value) * 10**places
    whole, rest = divmod(scaled, 1)
    units = int(whole) + (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and (half_up or int(whole) % 2 == 1)))
    sign = "-" if value < 0 and units else ""
    digits = str(units).rjust(places + 1, "0")
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)
