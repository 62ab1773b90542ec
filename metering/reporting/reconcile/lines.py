"""One line of the ledger held against our burst of its time: does its amount follow from it, and is its burst ours?

A line says: so many bytes beyond the subscription, seen at its begin, for so many seconds, at the price in force. So what it says
is checked first (amount = bytes × seconds × price), then its bytes against ours, second by second; whatever differs has a cause.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from metering.billing.money import LAST_PLACE, Price, plain_decimal, round_ratio
from metering.model.reconciliation import Cause
from metering.model.units import shown_gib, shown_time
from metering.reporting.reconcile.places import Beat, Placed
from metering.reporting.reconcile.tally import Compared, Found
from metering.reporting.unit_steps import UNKNOWN, Step, UnitSteps

# They may round half-even, half-up or down: less than one unit of the 20th decimal either way.
_ROUNDING = LAST_PLACE
# An amount is taken for one at another price where that has few decimals, as prices do, and is not far from ours.
_PRICE_PLACES = 4
_PRICE_TIMES = 10
STATE_CAUSES: dict[str, Cause] = {
    "missing": "missing_time", UNKNOWN: "missing_time", "partial": "partial_time", "held": "held_time",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ledger:
    """What lines of one unit are held against: our steps, the beat, and every price there is by its text."""

    own: UnitSteps
    beat: Beat
    prices: Mapping[Fraction, str]

    def may_have_seen(self, instant_s: int, seen_bytes: int, levels: Callable[[Step], int] = lambda step: step.burst_bytes) -> bool:
        """Whether a look at an instant may have seen this level, by default this burst.

        We know what was there at our polls. What a subscription changes within the cycle lies between what it was and what it
        became. Where a poll of ours later in the cycle shows another level, we did not look when they did: something was written
        or deleted around their look, in an order of which we know nothing, so it may have been anything up to twice the highest.
        """
        end_s = instant_s + self.beat.cycle_s
        known = [levels(step) for step in self.own.between(instant_s, end_s) if step.is_observed]
        if not known:
            return False
        if self.own.changes(instant_s + self.beat.jitter_s + 1, end_s):
            return seen_bytes <= 2 * max(known)
        return min(known) <= seen_bytes <= max(known)

    def state_at(self, instant_s: int) -> str:
        """Tell how well an instant is known."""
        step = self.own.at(instant_s)
        return step.state if step else UNKNOWN


def compare_line(ledger: Ledger, line: Placed, *, is_cut: bool) -> Compared:
    """Compare a line in its place; `is_cut` where it began before the period, so that its look lies outside."""
    row, own = line.row, ledger.own
    amount = row.amount or Fraction(0)
    compared = Compared(line.start_s, max(line.end_s, line.cover_end_s), place=row.place)
    compared.theirs = amount
    compared.ours = own.charge(line.start_s, line.cover_end_s)
    rate = own.rate_at(line.start_s)
    if row.amount is None or rate is None or rate.price is None:
        _unpriced(compared, is_theirs=row.amount is None)
        return compared
    price, bytes_seen = rate.price.per_byte_second, row.burst_bytes
    claim = amount - bytes_seen * line.seconds * price
    if line.is_moved and not line.is_wrong_interval:
        late_s = row.start_s - line.start_s
        said = f"shifted: it says a time {shown_time(abs(late_s))} {'later' if late_s > 0 else 'earlier'} than the one it charges"
        compared.found.append(Found("shifted_line", said, Fraction(0), "warning"))
    if line.is_wrong_interval:
        exact = 0 if abs(claim) <= _ROUNDING else claim
        said = f"it says {row.seconds:,} s and stands for {line.seconds:,} s, until the next line or the cycle's end"
        compared.found.append(Found("wrong_interval", said, Fraction(exact)))
        compared.explain("rounding", claim - exact)
    elif abs(claim) <= _ROUNDING:
        compared.explain("rounding", claim)
    elif any(abs(amount - bytes_seen * (line.seconds + by) * price) <= _ROUNDING for by in _around(ledger.beat.jitter_s)):
        compared.explain("interval_jitter", claim)
    else:
        step = own.at(line.start_s)
        theirs_would_be = step.burst_bytes * line.seconds * price if step and step.burst_bytes else None
        if theirs_would_be is not None and abs(amount - theirs_would_be) <= _ROUNDING and step:
            said = f"its amount is for our burst, its resource_amount is not: {sizes(bytes_seen, step.burst_bytes)}"
            compared.found.append(Found("wrong_quantity", said, Fraction(0)))
            compared.explain("rounding", amount - theirs_would_be)
            bytes_seen = step.burst_bytes
        else:
            compared.found.append(_wrong_claim(ledger, line, rate.price, claim))
    _compare_burst(ledger, line, compared, bytes_seen, price, is_cut=is_cut)
    return compared


def _unpriced(compared: Compared, *, is_theirs: bool) -> None:
    difference = compared.theirs - compared.ours
    if is_theirs and compared.ours:
        compared.found.append(Found("no_amount", "it has no amount, and we have a price", difference))
    elif difference:
        compared.found.append(Found("unpriced", "we have no price for its time: add one to the prices", difference))


def _around(jitter_s: int) -> list[int]:
    return [by for by in range(-jitter_s, jitter_s + 1) if by]


def _wrong_claim(ledger: Ledger, line: Placed, price: Price, claim: Fraction) -> Found:
    """Tell what is wrong with a line whose amount does not follow from its bytes, its seconds and our price."""
    row, seen_s = line.row, line.row.burst_bytes * line.seconds
    amount = row.amount or Fraction(0)
    if not seen_s or not price.per_byte_second:
        return Found("wrong_amount", "it charges no burst" if price.per_byte_second else "the price in force is 0", claim)
    implied = _implied_price(amount, seen_s, price.multiplier)
    if implied is not None:
        known = ledger.prices.get(implied / price.multiplier)
        times = implied / Fraction(price.text)
        is_near = Fraction(1, _PRICE_TIMES) < times < _PRICE_TIMES
        if known or (is_near and 1 not in (times.numerator, times.denominator)):
            other = f"{plain_decimal(implied)} per {price.unit}"
            is_known = f", {known}" if known else ", which is none of ours"
            return Found("wrong_price", f"its amount is at {other}{is_known}; in force is {price.text}", claim)
    seconds = amount / (row.burst_bytes * price.per_byte_second)
    whole = round_ratio(seconds, 0, "half-even")
    if whole > 0 and abs(amount - row.burst_bytes * int(whole) * price.per_byte_second) <= _ROUNDING:
        return Found("wrong_amount", f"its amount is for {whole:,} s, it says {line.seconds:,} s", claim)
    return Found("wrong_amount", "its amount is not resource_amount × interval × price", claim)


def _implied_price(amount: Fraction, byte_seconds: int, multiplier: int) -> Fraction | None:
    """Give the price, of few decimals, that gives a rounded amount; None where none does, or where many do by chance."""
    width = 2 * _ROUNDING * multiplier / byte_seconds
    exact = amount * multiplier / byte_seconds
    for places in range(_PRICE_PLACES + 1):
        if width * 10**places > Fraction(1, 100):
            return None
        price = Fraction(round_ratio(exact, places, "half-even"))
        if price > 0 and abs(amount - byte_seconds * price / multiplier) <= _ROUNDING:
            return price
    return None


def _compare_burst(ledger: Ledger, line: Placed, compared: Compared, bytes_seen: int, price: Fraction, *, is_cut: bool) -> None:
    """Hold the burst that a line saw against ours, second by second; sums to theirs − ours, but for what the claim explained."""
    own, per_second = ledger.own, bytes_seen * price
    shared_end_s = min(line.end_s, line.cover_end_s)
    compared.explain("interval_jitter", -own.charge(line.end_s, line.cover_end_s) if line.cover_end_s > line.end_s else Fraction(0))
    compared.explain("interval_jitter", per_second * (line.end_s - shared_end_s))
    wrong = Fraction(0)
    for step in own.between(line.start_s, shared_end_s):
        difference = (per_second - own.rate_of(step)) * step.seconds
        if not difference:
            continue
        cause = _cause(ledger, line, step, bytes_seen, is_cut=is_cut)
        if cause is None:
            wrong += difference
        else:
            compared.explain(cause, difference)
    if wrong:
        seen = own.at(line.start_s)
        said = f"its burst is not ours: {sizes(bytes_seen, seen.burst_bytes if seen else 0)}"
        compared.found.append(Found("wrong_quantity", said, wrong))


def _cause(ledger: Ledger, line: Placed, step: Step, bytes_seen: int, *, is_cut: bool) -> Cause | None:
    """Tell why a second differs, if that is no mismatch."""
    if step.state in STATE_CAUSES:
        return STATE_CAUSES[step.state]
    if is_cut:
        return "cut"
    looked = ledger.state_at(line.start_s)
    if looked in STATE_CAUSES:
        return STATE_CAUSES[looked]
    if ledger.may_have_seen(line.start_s, bytes_seen):
        return "between_looks"
    return None


def sizes(theirs: int, ours: int) -> str:
    """Write two sizes beside each other, exactly and for the eye."""
    return f"theirs {theirs} bytes ({shown_gib(theirs)} GiB), ours {ours} ({shown_gib(ours)} GiB)"


def uncovered(own: UnitSteps, placed: list[Placed]) -> Iterator[Step]:
    """Give our burst in time that no line charges, priced or not, piece by piece."""
    at = 0
    for burst in own.steps:
        if not burst.burst_bytes:
            continue
        from_s = burst.start_s
        while at < len(placed) and placed[at].cover_end_s <= from_s:
            at += 1
        index = at
        while from_s < burst.end_s:
            coming = placed[index] if index < len(placed) else None
            if coming is None or coming.start_s >= burst.end_s:
                yield burst.clipped(from_s, burst.end_s)
                break
            if coming.start_s > from_s:
                yield burst.clipped(from_s, coming.start_s)
            from_s = max(from_s, coming.cover_end_s)
            index += 1
