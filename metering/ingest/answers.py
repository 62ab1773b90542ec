"""The provider's other answers as facts: subscriptions, prices, burst levels, accounts, discounts, places; and poll notes.

Each line of an `*.answer.ndjson.gz` is one answer as it came (captures.py). What it says is dated: a price or level holds from
the begin of the five-minute slot in which it was read, because that is when the provider sets them; `next` levels hold from
the slot after. Only `backup` is kept, the rest is counted and passed over.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from metering.ingest.captures import Source
from metering.ingest.fact_models import BILLED_RESOURCE
from metering.ingest.failure import RequestFailure
from metering.ingest.files import FactFile
from metering.ingest.strict_json import decimal_text, loads_object
from metering.ingest.text import byte_lines
from metering.model.errors import InputError
from metering.model.period import instant_seconds, instant_text

SLOT_SECONDS = 300
# What a bill is wrong without, so it must be known whether it could be read: that it was is a note too (recoveries.py).
AWAITED = ("subscriptions", "pricing")
_MAX_PLAIN_LENGTH = 64
# What a document raises that does not have the parts it should have, of the kinds they should be of.
_NO_ANSWER = (ValueError, KeyError, TypeError, AttributeError)

Rows = Iterator[tuple[str, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Reading:
    """A row that an answer gives: when it was read, where it stands (for messages), and its columns."""

    read_s: int
    place: str
    line: int
    row: dict[str, Any]


def readings_of(files: list[FactFile]) -> dict[str, list[Reading]]:
    """Read answers into rows by table, as they were read.

    Raises:
        InputError: a file is damaged, or a line of it is no answer.
    """
    found: dict[str, list[Reading]] = {}
    for file in files:
        for number, line in enumerate(byte_lines(file.path, file.limits, file.limits.listing_bytes), start=1):
            if line is not None and not line.strip():
                continue
            try:
                answer = loads_object((line or b"").decode(), file.limits.depth)
                read_s = instant_seconds(answer["poll_time"])
                place = f"{answer['endpoint']} {answer['resource']} of {answer['account']}"
                rows = list(_rows(answer, read_s))
            except _NO_ANSWER as error:
                said = str(error) if isinstance(error, ValueError) else f"lacks {error}"
                raise InputError(f"{file.shown} line {number} is no answer of the provider: {said[:200]}") from None
            for place_number, (table, row) in enumerate(rows, start=1):
                found.setdefault(table, []).append(Reading(read_s, place, place_number, row))
        file.assert_unchanged()
    return found


def assert_rows(source: Source, resource: str, response: dict[str, Any]) -> None:
    """Check that an answer can be taken apart into rows, as it is at ingest.

    What cannot be is refused with its file, and with that what others were told; refused here, it is asked for again.

    Raises:
        RequestFailure: it cannot; malformed.
    """
    head = {"endpoint": source.endpoint, "account": source.account, "resource": resource, "location": source.location}
    try:
        for _ in _rows(head | {"response": response}, 0):
            pass
    except _NO_ANSWER:
        raise RequestFailure("malformed", f"the answer holds something that is no row of {resource}", again=True) from None


def _rows(answer: dict[str, Any], read_s: int) -> Rows:
    if note := answer.get("note"):
        yield "poll_notes", _note(answer, note, read_s)
        return
    if answer["resource"] in AWAITED:
        yield "poll_notes", _note(answer, {"outcome": "read", "cause": "read"}, read_s)
    translate = _TRANSLATE.get(answer["resource"])
    if translate is not None:
        yield from translate(answer, answer["response"], read_s)


def _note(answer: dict[str, Any], note: dict[str, Any], read_s: int) -> dict[str, Any]:
    names = ("endpoint", "account", "resource")
    return {name: answer[name] for name in names} | note | {"noted": instant_text(read_s)}


def _subscriptions(answer: dict[str, Any], response: dict[str, Any], read_s: int) -> Rows:
    del read_s
    waiting = list(reversed(response["objects"]))
    while waiting:
        bought = waiting.pop()
        if not isinstance(bought, dict) or (bought.get("id") is None and bought.get("amount") is None):
            continue  # it only names one that is listed by itself
        # An extension is listed below what it extends, and by itself: by its id it counts once.
        waiting += reversed(bought.get("descendants") or [])
        both = bought.get("start_time") and bought.get("end_time")
        yield (
            "subscriptions",
            {
                "id": decimal_text(bought["id"]), "account": answer["account"], "location": answer["location"],
                "resource": bought.get("resource"), "amount": _plain(bought.get("amount")), "start_time": bought.get("start_time"),
                "end_time": bought.get("end_time"), "period": None if both else bought.get("period"),
                "price": _plain(bought.get("price")), "currency": bought.get("currency"), "auto_renew": bought.get("auto_renew"),
            },
        )  # fmt: skip


def _pricing(answer: dict[str, Any], response: dict[str, Any], read_s: int) -> Rows:
    slot_s = read_s - read_s % SLOT_SECONDS
    for which, from_s in (("current", slot_s), ("next", slot_s + SLOT_SECONDS)):
        levels = response.get(which) or {}
        if levels.get(BILLED_RESOURCE) is not None:
            yield (
                "burst_levels",
                {
                    "location": answer["location"], "resource": BILLED_RESOURCE, "level": levels[BILLED_RESOURCE],
                    "effective_from": instant_text(from_s),
                },
            )  # fmt: skip
    for price in response["objects"]:
        names = ("resource", "currency", "level", "unit", "multiplier")
        yield (
            "prices",
            {name: price.get(name) for name in names}
            | {"price": _plain(price.get("price")), "location": answer["location"], "effective_from": instant_text(slot_s)},
        )


def _balance(answer: dict[str, Any], response: dict[str, Any], read_s: int) -> Rows:
    del read_s
    currency, name = response.get("currency"), answer.get("account_name") or ""
    yield "accounts", {"account": answer["account"], "currency": currency, "name": name}


def _discounts(answer: dict[str, Any], response: dict[str, Any], read_s: int) -> Rows:
    # A list that is empty says something too: that there are none. It is a row without a length.
    for discount in response["objects"] or ({"period": "", "value": ""},):
        yield (
            "discounts",
            {
                "location": answer["location"], "period": discount.get("period"), "discount": _plain(discount.get("value")),
                "effective_from": instant_text(read_s - read_s % SLOT_SECONDS),
            },
        )  # fmt: skip


def _places(answer: dict[str, Any], response: dict[str, Any], read_s: int) -> Rows:
    del answer, read_s
    for place in response["objects"]:
        names = ("display_name", "country_code", "api_endpoint")
        yield "places", {"location": place.get("id")} | {name: place.get(name) for name in names}


_TRANSLATE: dict[str, Callable[[dict[str, Any], dict[str, Any], int], Rows]] = {
    "subscriptions": _subscriptions, "pricing": _pricing, "balance": _balance, "discount": _discounts, "locations": _places,
}  # fmt: skip


def _plain(value: Any) -> Any:
    """Write a decimal plainly, `0E-20` as 0 and `3.000` as 3; what is none, or of an absurd size, stays as it came."""
    text = decimal_text(value)
    if text is None or len(text) > _MAX_PLAIN_LENGTH or isinstance(value, bool):
        return value
    try:
        number = Decimal(text)
    except InvalidOperation:
        return value
    if not number.is_finite() or not -_MAX_PLAIN_LENGTH < number.as_tuple().exponent < _MAX_PLAIN_LENGTH:  # type: ignore[operator]  # finite
        return value
    plain = format(number, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
