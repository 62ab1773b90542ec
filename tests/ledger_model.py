"""The books as a model keeps them: what was frozen, what is the truth now, and what the next open period must adjust.

The truth is the slow biller's (oracle.py) over all facts. The model knows one rule: for each line of each closed period, what was
billed so far and what the next open period adjusts make what the line is now.
"""

from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from oracle import bill as oracle_bill
from oracle_facts import Books

Document = dict[str, Any]


def key_of(line: Document) -> tuple[Any, ...]:
    """Tell which line of a day a line is."""
    priced = line["price"] and Fraction(line["price"])
    names = ("account", "location", "date", "level", "currency")
    return (*(line[name] for name in names), priced, line["unit"], line["multiplier"])


def figures_of(line: Document) -> tuple[int, int, Fraction | None]:
    return int(line["burst_byte_seconds"]), line["burst_seconds"], None if line["amount"] is None else Fraction(line["amount"])


class Ledger:
    """Every statement that was ever frozen; `before` names the period that ends where one begins, `now` is the clock."""

    def __init__(self, books: Books, now: Callable[[], int], before: Callable[[str], str]) -> None:
        self.books, self.now, self.before = books, now, before
        self.frozen: dict[str, Document] = {}  # period -> document, in the order of closing

    def truth(self, period: str) -> dict[tuple[Any, ...], tuple[int, int, Fraction | None]]:
        return {key_of(line): figures_of(line) for line in oracle_bill(self.books, period, self.now())["lines"]}

    def billed(self, period: str) -> dict[tuple[Any, ...], tuple[int, int, Fraction]]:
        """Add up what was billed for each line of a closed period, over everything that was ever frozen."""
        sums = defaultdict(lambda: (0, 0, Fraction(0)))
        for carrier, document in self.frozen.items():
            states = {(row["account"], row["currency"]): row["state"] for row in document["statements"]}
            for line in document["lines"]:
                of = carrier if line["kind"] == "burst" else line["adjusts"]
                if of == period and states[line["account"], line["currency"]] == "closed":
                    sums[key_of(line)] = tuple(a + b for a, b in zip(sums[key_of(line)], figures_of(line), strict=True))
        return sums

    def assert_agrees(self, period: str, document: Document) -> None:
        """An open period's bill has its own lines as the slow biller does, and adjusts each line that is not what was billed."""
        own = {key_of(line): figures_of(line) for line in document["lines"] if line["kind"] == "burst"}
        assert own == self.truth(period)
        expected = {}
        closed = period
        while (closed := self.before(closed)) in self.frozen:
            truth, billed = self.truth(closed), self.billed(closed)
            for key in truth.keys() | billed.keys():
                now, before = truth.get(key, (0, 0, Fraction(0))), billed[key]
                difference = (now[0] - before[0], now[1] - before[1], None if now[2] is None else now[2] - before[2])
                if any(figure != 0 for figure in difference):
                    expected[closed, key] = difference
        adjusted = [line for line in document["lines"] if line["kind"] == "adjustment"]
        found = {(line["adjusts"], key_of(line)): figures_of(line) for line in adjusted}
        assert len(found) == len(adjusted)
        assert found == expected
        for row in document["statements"]:
            lines = [line for line in document["lines"] if (line["account"], line["currency"]) == (row["account"], row["currency"])]
            assert Fraction(row["burst_amount"]) == sum(Fraction(line["amount"]) for line in lines if line["amount"] is not None)
            assert (row["state"] == "parked") == (row["amount_due"] is None) == any(line["amount"] is None for line in lines)
        reasons = {
            (finding["account"], finding["adjusts"], finding["currency"])
            for finding in document["findings"]
            if finding["check"] == "restated"
        }
        assert reasons == {(key[0], closed, key[4]) for closed, key in expected}
        assert all(finding["causes"] for finding in document["findings"] if finding["check"] == "restated")
