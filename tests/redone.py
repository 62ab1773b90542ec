"""A charge redone from the JSON of its explanation alone, as an accountant would on paper; nothing of the product is used."""

from fractions import Fraction


def seconds_between(start: str, end: str) -> int:
    from datetime import datetime  # noqa: PLC0415

    return int((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())


def rounded(value: Fraction) -> str:
    """Round half-even to 20 decimals, in long division."""
    units, rest = divmod(value.numerator * 10**20, value.denominator)
    if 2 * rest > value.denominator or (2 * rest == value.denominator and units % 2 == 1):
        units += 1
    return f"{units // 10**20}.{units % 10**20:020d}"


def redo(document: dict) -> dict:
    """Check every interval against what it rests on, and give the line's figures summed up from them."""
    line, subscriptions = document["line"], {bought["id"]: bought for bought in document["subscriptions"]}
    charged = []
    for before, part in zip([None, *document["intervals"]], document["intervals"], strict=False):
        assert before is None or before["end"] <= part["start"]
        assert part["seconds"] == seconds_between(part["start"], part["end"]) > 0
        _redo_state(part)
        occupied = sum(int(snapshot["allocated_bytes"]) for snapshot in part["snapshots"])
        entitled = sum(int(subscriptions[name]["amount_bytes"]) for name in part["subscriptions"])
        for bought in subscriptions.values():
            is_in_force = bought["start"] <= part["start"] and part["end"] <= bought["end"]
            assert is_in_force == (bought["id"] in part["subscriptions"])
        assert (part["occupied_bytes"], part["entitled_bytes"]) == (str(occupied), str(entitled))
        burst = max(0, occupied - entitled)
        assert (part["burst_bytes"], part["burst_byte_seconds"]) == (str(burst), str(burst * part["seconds"]))
        price = document["prices"][part["price"]]
        is_same_price = (price["level"], price["currency"]) == (line["level"], line["currency"]) and _rate(price) == _rate(line)
        assert part["is_charged"] == (burst > 0 and part["state"] != "missing" and is_same_price)
        if part["is_charged"]:
            charged.append((burst, part["seconds"]))
    byte_seconds = sum(burst * seconds for burst, seconds in charged)
    amount = None if line["price"] is None else rounded(byte_seconds * Fraction(line["price"]) / int(line["multiplier"]))
    return {
        "burst_byte_seconds": str(byte_seconds), "burst_seconds": sum(seconds for _, seconds in charged),
        "peak_burst_bytes": str(max((burst for burst, _ in charged), default=0)), "amount": amount,
    }  # fmt: skip


def _rate(row: dict) -> tuple | None:
    return None if row["price"] is None else (Fraction(row["price"]), row["unit"], row["multiplier"])


def _redo_state(part: dict) -> None:
    """The polls of an interval cover it endpoint by endpoint, and say together how well it is known."""
    states = {}
    for endpoint in {poll["endpoint"] for poll in part["polls"]}:
        rests = [poll for poll in part["polls"] if poll["endpoint"] == endpoint]
        assert [poll["start"] for poll in rests] == [part["start"], *(poll["end"] for poll in rests[:-1])]
        assert rests[-1]["end"] == part["end"]
        assert all(poll["poll_time"] <= poll["start"] for poll in rests)
        states[endpoint] = {poll["state"] for poll in rests}
    flat = set().union(*states.values())
    expected = (
        "missing" if flat == {"missing"} else "partial" if "missing" in flat else "held" if "held" in flat else "measured"
    )  # fmt: skip
    assert part["state"] == expected
    assert {snapshot["endpoint"] for snapshot in part["snapshots"]} <= {
        name for name, held in states.items() if "missing" not in held
    }


def redo_adjustment(document: dict) -> dict:
    """Redo both ends of an adjustment and what was billed between them, and give the line's figures as what is left."""
    now, then, line = document["now"], document["then"], document["line"]
    for end in (now, then):
        assert redo(end) == {name: end["line"][name] for name in redo(end)}, "each end is a charge of its own"
        assert _rate(end["line"]) == _rate(line)
        assert all(end["line"][name] == line[name] for name in ("account", "location", "date", "currency"))
    billed = [part for part in document["billed"] if part["closing"]["is_billed"]]
    changed = sum(int(change["byte_seconds_difference"]) for change in document["changes"])
    assert changed == int(now["line"]["burst_byte_seconds"]) - int(then["line"]["burst_byte_seconds"])
    for change in document["changes"]:
        assert change["seconds"] == seconds_between(change["start"], change["end"]) > 0
        charged = int(change["charged_bytes_now"]) - int(change["charged_bytes_then"])
        assert int(change["byte_seconds_difference"]) == charged * change["seconds"] != 0
    is_unpriced = line["price"] is None and now["line"]["burst_byte_seconds"] != "0"
    amounts = Fraction(now["line"]["amount"] or 0) - sum(Fraction(part["amount"]) for part in billed)
    return {
        "burst_byte_seconds": str(int(now["line"]["burst_byte_seconds"]) - sum(int(part["burst_byte_seconds"]) for part in billed)),
        "burst_seconds": now["line"]["burst_seconds"] - sum(part["burst_seconds"] for part in billed),
        "peak_burst_bytes": now["line"]["peak_burst_bytes"],
        "amount": None if is_unpriced else ("-" if amounts < 0 else "") + rounded(abs(amounts)),
    }
