"""What a list of the provider's no longer names: a discount that it takes back leaves no row, so the rows must be compared.

The list as it was read at an instant replaces the one before it whole. A discount that was known and is not in it gets a dated
fact of its own that says so: `discount` is empty from then on.
"""

from collections import defaultdict
from dataclasses import replace

from metering.engine.duckdb import Engine
from metering.ingest.answers import Reading
from metering.model.period import instant_seconds
from metering.model.terms import parse_term


def with_withdrawals(engine: Engine, readings: list[Reading]) -> list[Reading]:
    """Give the readings of discounts, and after each list a reading for every length that it has dropped."""
    lists: defaultdict[tuple[int, str], list[Reading]] = defaultdict(list)
    for reading in readings:
        lists[reading.read_s, reading.row["location"]].append(reading)
    known: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for location, period, from_s in engine.sql("select location, period, min(effective_from_s) from discounts group by all"):
        known[location][period] = from_s
    found = []
    for (_, location), listed in sorted(lists.items(), key=lambda item: item[0]):
        begins_s = instant_seconds(listed[0].row["effective_from"])
        named = {_length(reading.row["period"]) for reading in listed}
        earlier = known[location]
        # An old list that comes again takes back nothing that became known after it.
        dropped = sorted(period for period, from_s in earlier.items() if period and period not in named and from_s < begins_s)
        found += listed
        found += [replace(listed[0], row=listed[0].row | {"period": period, "discount": ""}) for period in dropped]
        for period in named:
            earlier[period] = min(begins_s, earlier.get(period, begins_s))
    return found


def _length(period: object) -> str:
    """Write a length as facts have it; what is none is rejected later, and names itself."""
    try:
        return parse_term(str(period)).text if period else ""
    except ValueError:
        return str(period)
