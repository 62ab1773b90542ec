"""What burst would have cost at any amount of subscription, and the amount at which both together cost least: exactly.

Burst at an amount A costs Σ max(0, occupied − A) × seconds × price: convex and piecewise linear in A, with a bend at each size that
was ever occupied. A subscription of A costs A × its price. So the sum is least at a bend or at nothing, where the price of one more
byte passes what that byte still saves; it is found by bisection, and no amount in between can be better.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from fractions import Fraction
from math import lcm


class BurstCost:
    """What burst costs over a history, as a function of what is subscribed; amounts are bytes, and may be negative.

    Args:
        levels: occupied bytes, seconds, and the price of a byte-second of burst then.
    """

    def __init__(self, levels: Iterable[tuple[int, int, Fraction]]) -> None:
        known = list(levels)
        prices = {id(price): price for _, _, price in known}  # hashing a ratio takes longer than all else here
        self._scale = lcm(1, *(price.denominator for price in prices.values()))
        factors = {key: price.numerator * (self._scale // price.denominator) for key, price in prices.items()}
        weights: dict[int, int] = {}
        for occupied, seconds, price in known:
            weights[occupied] = weights.get(occupied, 0) + seconds * factors[id(price)]
        # A byte more at bends[i - 1] up to bends[i] saves above[i]; all that burst beyond bends[i] is worth sums[i].
        self._bends = sorted(weights)
        self._above, self._sums = [0], [0]
        for occupied in reversed(self._bends):
            self._above.append(self._above[-1] + weights[occupied])
            self._sums.append(self._sums[-1] + occupied * weights[occupied])
        self._above.reverse()
        self._sums.reverse()

    def at(self, amount: int) -> Fraction:
        """Give what burst costs beside a subscription of an amount."""
        i = bisect_right(self._bends, amount)
        return Fraction(self._sums[i] - amount * self._above[i], self._scale)

    def least(self, price: Fraction, kept: int = 0) -> int:
        """Give the least amount on top of `kept` at which subscription and burst cost least, where a byte costs `price`."""
        # What one more byte saves only falls: find the first bend from which on it saves no more than it costs.
        i = bisect_left(self._above, x=True, key=lambda saved: saved <= price * self._scale)
        return max(0, self._bends[i - 1] - kept) if i else 0

    def bends(self, most: int) -> list[int]:
        """Give the sizes at which the cost bends; of more than `most`, as many spread evenly, the two ends among them."""
        count, most = len(self._bends), max(most, 2)
        if count <= most:
            return list(self._bends)
        return [self._bends[i * (count - 1) // (most - 1)] for i in range(most)]


def stepped(cost: BurstCost, amount: int, price: Fraction, kept: int, step: int) -> int:
    """Give the multiple of `step` at which subscription and burst cost least: one of the two beside the best amount."""
    below = amount - amount % step
    choices = (below, below + step) if amount % step else (below,)
    return min(choices, key=lambda each: (each * price + cost.at(kept + each), each))
