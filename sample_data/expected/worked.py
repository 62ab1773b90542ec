"""The bill of October 2026, worked out by hand: `python sample_data/expected/worked.py` writes it to `bill.json`.

Nothing here reads the samples or knows the program: every figure is a sum that fits on paper, written down from the story
(README.md), in the order of WORKED.md. Sizes are in GiB and times in seconds, so that 400 GiB for a day is `400 * DAY`.
Amounts are written as a person worked them out; `line` only checks that the multiplication agrees.
"""

import json
from fractions import Fraction
from pathlib import Path

GIB = 2**30
HOUR = 3_600
DAY = 24 * HOUR
OCTOBER = 31 * DAY
# A price is per GB and month; the provider's GB is a GiB, and its month 30 days.
MONTH = 30 * DAY

ALPENROSE = "0a1be405-5c1a-4e0b-9d3e-6f2a7c4d1b01"
HARBOUR = "4f1ac4b2-93d7-4b6e-8a50-2e9d81c7f002"
KUMO = "8c3b0d77-41fe-4c2a-b1d9-7a5e60f4d003"
NORDLYS = "d07d1e5a-6b28-4f93-a4c6-19e8b3720004"
ORCHARD = "ec55a0c4-0f3b-4d8e-97b1-5b6f2d910005"
CURRENCIES = {ALPENROSE: "CHF", HARBOUR: "USD", KUMO: "JPY", NORDLYS: "EUR"}


def written_out(amount):
    """Write an amount with 20 decimals, as bills have it."""
    whole, _, decimals = amount.partition(".")
    return f"{whole}.{decimals:0<20}"


def usage(account, location, *, occupied, entitled, burst, unused, peak, measured, held=0, partial=0, missing=0):
    """Write a row of usage: GiB-seconds, the peak in GiB, and the seconds in each state."""
    assert occupied - entitled == burst - unused, (account, location)
    return {
        "account": account,
        "location": location,
        "occupied_byte_seconds": str(occupied * GIB),
        "entitled_byte_seconds": str(entitled * GIB),
        "burst_byte_seconds": str(burst * GIB),
        "unused_byte_seconds": str(unused * GIB),
        "peak_occupied_bytes": str(peak * GIB),
        "measured_seconds": measured,
        "held_seconds": held,
        "partial_seconds": partial,
        "missing_seconds": missing,
    }


def line(account, location, day, level, price, parts, amount):
    """Write a charge line: `parts` are (GiB over the subscription, seconds), `amount` is what they cost at `price`."""
    gib_seconds = sum(gib * seconds for gib, seconds in parts)
    if amount is not None:
        amount = written_out(amount)
        exact = Fraction(gib_seconds) * Fraction(price) / MONTH
        assert abs(Fraction(amount) - exact) <= Fraction(1, 2 * 10**20), (account, location, day, amount, exact)
    return {
        "kind": "burst",
        "account": account,
        "location": location,
        "date": f"2026-10-{day:02d}",
        "level": level,
        "currency": CURRENCIES[account],
        "price": price,
        "unit": "GB/month" if price else None,
        "multiplier": "2783138807808000" if price else None,
        "burst_byte_seconds": str(gib_seconds * GIB),
        "burst_seconds": sum(seconds for _, seconds in parts),
        "peak_burst_bytes": str(max(gib for gib, _ in parts) * GIB),
        "amount": amount,
    }


def episode(account, location, start, end, peak, gib_seconds, amount):
    """Write a burst episode: from when until when, the peak in GiB, GiB-seconds, and what it cost."""
    return {
        "account": account,
        "location": location,
        "start": f"2026-{start}Z",
        "end": f"2026-{end}Z",
        "peak_burst_bytes": str(peak * GIB),
        "burst_byte_seconds": str(gib_seconds * GIB),
        "currency": CURRENCIES[account],
        "amount": None if amount is None else written_out(amount),
    }


def statement(account, name, state, burst_amount, amount_due):
    """Write a statement."""
    return {
        "account": account,
        "name": name,
        "currency": CURRENCIES[account],
        "state": state,
        "burst_amount": written_out(burst_amount),
        "amount_due": amount_due,
    }


def finding(check, severity, account, location, **measure):
    """Write a finding, its words aside."""
    return {"check": check, "severity": severity, "account": account, "location": location} | measure


USAGE = [
    # Alpenrose, Geneva: 800 GiB, less the 9 900 s that nobody looked; 400 GiB more for the first 150 s; 600 GiB more for
    # four days from the poll of 20 October 00:02:30 on, less the same 9 900 s.
    # Subscribed: 1 000 GiB until the 8th at noon (7.5 days) and again from the 10th at noon (21.5 days, less 9 900 s).
    # Unused: 200 GiB whenever 800 of 1 000 are occupied.
    usage(
        ALPENROSE,
        "GVA",
        occupied=800 * (OCTOBER - 9_900) + 400 * 150 + 600 * (4 * DAY - 9_900),
        entitled=1_000 * (7 * DAY + 12 * HOUR) + 1_000 * (21 * DAY + 12 * HOUR - 9_900),
        burst=200 * 150 + 800 * 2 * DAY + 400 * (4 * DAY - 9_900),
        unused=200 * ((7 * DAY + 12 * HOUR - 150) + (9 * DAY + 12 * HOUR + 150) + (8 * DAY - 150)),
        peak=1_400,
        measured=OCTOBER - 9_900 - 900,
        held=600 + 300,
        missing=9_900,
    ),
    # Alpenrose, Zurich: 2 000 GiB all month, 400 GiB more for the 14 days from the 5th; subscribed 2 000, and 200 more for a week.
    usage(
        ALPENROSE,
        "ZRH",
        occupied=2_000 * OCTOBER + 400 * 14 * DAY,
        entitled=2_000 * OCTOBER + 200 * 7 * DAY,
        burst=400 * (2 * DAY + 12 * HOUR) + 200 * 7 * DAY + 400 * (4 * DAY + 12 * HOUR),
        unused=0,
        peak=2_400,
        measured=OCTOBER,
    ),
    # Harbour, Frankfurt: 3 000 GiB from the listing of Frankfurt, 1 000 GiB from London's, less its 13 500 s without polls.
    # Subscribed: 3 500 GiB, and 500 more until the 28th at noon (27.5 days).
    usage(
        HARBOUR,
        "FRA",
        occupied=3_000 * OCTOBER + 1_000 * (OCTOBER - 13_500),
        entitled=3_500 * OCTOBER + 500 * (27 * DAY + 12 * HOUR),
        burst=500 * (3 * DAY + 12 * HOUR - 13_500),
        unused=500 * 13_500,
        peak=4_000,
        measured=OCTOBER - 600 - 13_500,
        held=600,
        partial=13_500,
    ),
    # Harbour, London: 2 000 GiB, less 13 500 s missing; the nightly snapshot is 0, then 400 GiB for an hour, then 800 for 22 hours.
    # Subscribed: 2 500 GiB. Unused: 500, but 100 while it was 400, and nothing while it was 800.
    usage(
        HARBOUR,
        "LON",
        occupied=2_000 * (OCTOBER - 13_500) + 400 * HOUR + 800 * 22 * HOUR,
        entitled=2_500 * (OCTOBER - 13_500),
        burst=300 * 22 * HOUR,
        unused=500 * (OCTOBER - 13_500 - 23 * HOUR) + 100 * HOUR,
        peak=2_800,
        measured=OCTOBER - 600 - 13_500,
        held=600,
        missing=13_500,
    ),
    # Kumo, Dublin: known from the 12th 09:00 on, 19 days and 15 hours. 1 500 GiB, but nothing on the 18th, and 50 GiB more for
    # an hour. Subscribed: 1 000 GiB, and 500 more from the 13th at noon (18.5 days).
    usage(
        KUMO,
        "DUB",
        occupied=1_500 * (18 * DAY + 15 * HOUR) + 50 * HOUR,
        entitled=1_000 * (19 * DAY + 15 * HOUR) + 500 * (18 * DAY + 12 * HOUR),
        burst=500 * (15 * HOUR + 12 * HOUR) + 50 * HOUR,
        unused=1_500 * DAY,
        peak=1_550,
        measured=19 * DAY + 15 * HOUR,
    ),
    # Nordlys: 30 GiB in AMS for a day, known by the listing of Cardiff all month; 600 GiB in Cardiff, without a subscription for a
    # day; nothing in Geneva, where the last poll is that of 23:40 on the 31st: 300 s measured, 600 held, 300 missing.
    usage(
        NORDLYS,
        "AMS",
        occupied=30 * DAY,
        entitled=0,
        burst=30 * DAY,
        unused=0,
        peak=30,
        measured=OCTOBER - 300,
        held=300,
    ),
    usage(
        NORDLYS,
        "CWL",
        occupied=600 * OCTOBER,
        entitled=600 * (19 * DAY + 12 * HOUR) + 600 * (10 * DAY + 12 * HOUR),
        burst=600 * DAY,
        unused=0,
        peak=600,
        measured=OCTOBER - 300,
        held=300,
    ),
    usage(
        NORDLYS,
        "GVA",
        occupied=0,
        entitled=0,
        burst=0,
        unused=0,
        peak=0,
        measured=OCTOBER - 900,
        held=600,
        missing=300,
    ),
]

LINES = [
    # CHF 0.27 a GiB-month is 0.009 a GiB-day: 100 GiB over for a day cost 0.90.
    line(ALPENROSE, "GVA", 1, 1, "0.27", [(200, 150)], "0.003125"),
    line(ALPENROSE, "GVA", 8, 1, "0.27", [(800, 12 * HOUR)], "3.6"),
    line(ALPENROSE, "GVA", 9, 1, "0.27", [(800, DAY)], "7.2"),
    line(ALPENROSE, "GVA", 10, 1, "0.27", [(800, 12 * HOUR)], "3.6"),
    line(ALPENROSE, "GVA", 20, 1, "0.27", [(400, DAY - 150)], "3.59375"),
    line(ALPENROSE, "GVA", 21, 1, "0.27", [(400, DAY - 9_900)], "3.1875"),
    line(ALPENROSE, "GVA", 22, 1, "0.27", [(400, DAY)], "3.6"),
    line(ALPENROSE, "GVA", 23, 1, "0.27", [(400, DAY)], "3.6"),
    line(ALPENROSE, "GVA", 24, 1, "0.27", [(400, 150)], "0.00625"),
    line(ALPENROSE, "ZRH", 5, 1, "0.27", [(400, DAY)], "3.6"),
    line(ALPENROSE, "ZRH", 6, 1, "0.27", [(400, DAY)], "3.6"),
    line(ALPENROSE, "ZRH", 7, 1, "0.27", [(400, 12 * HOUR), (200, 12 * HOUR)], "2.7"),
    line(ALPENROSE, "ZRH", 8, 1, "0.27", [(200, DAY)], "1.8"),
    line(ALPENROSE, "ZRH", 9, 1, "0.27", [(200, DAY)], "1.8"),
    line(ALPENROSE, "ZRH", 10, 1, "0.27", [(200, DAY)], "1.8"),
    line(ALPENROSE, "ZRH", 11, 1, "0.27", [(200, DAY)], "1.8"),
    # From 06:00 on the 12th Zurich has a price of its own, 0.297: 0.0099 a GiB-day.
    line(ALPENROSE, "ZRH", 12, 1, "0.27", [(200, 6 * HOUR)], "0.45"),
    line(ALPENROSE, "ZRH", 12, 1, "0.297", [(200, 18 * HOUR)], "1.485"),
    line(ALPENROSE, "ZRH", 13, 1, "0.297", [(200, DAY)], "1.98"),
    line(ALPENROSE, "ZRH", 14, 1, "0.297", [(200, 12 * HOUR), (400, 12 * HOUR)], "2.97"),
    line(ALPENROSE, "ZRH", 15, 1, "0.297", [(400, DAY)], "3.96"),
    # From 18:00 on the 16th until 06:00 on the 17th burst in Zurich is of level 2: 0.54, or 0.018 a GiB-day.
    line(ALPENROSE, "ZRH", 16, 1, "0.297", [(400, 18 * HOUR)], "2.97"),
    line(ALPENROSE, "ZRH", 16, 2, "0.54", [(400, 6 * HOUR)], "1.8"),
    line(ALPENROSE, "ZRH", 17, 1, "0.297", [(400, 18 * HOUR)], "2.97"),
    line(ALPENROSE, "ZRH", 17, 2, "0.54", [(400, 6 * HOUR)], "1.8"),
    line(ALPENROSE, "ZRH", 18, 1, "0.297", [(400, DAY)], "3.96"),
    # USD 0.324 is 0.0108 a GiB-day, London's 0.405 is 0.0135.
    line(HARBOUR, "FRA", 28, 1, "0.324", [(500, 12 * HOUR)], "2.7"),
    line(HARBOUR, "FRA", 29, 1, "0.324", [(500, DAY - 13_500)], "4.55625"),
    line(HARBOUR, "FRA", 30, 1, "0.324", [(500, DAY)], "5.4"),
    line(HARBOUR, "FRA", 31, 1, "0.324", [(500, DAY)], "5.4"),
    line(HARBOUR, "LON", 15, 1, "0.405", [(300, 14 * HOUR)], "2.3625"),
    line(HARBOUR, "LON", 16, 1, "0.405", [(300, 8 * HOUR)], "1.35"),
    # JPY 40 is 4/3 a GiB-day: 500 GiB for 15 hours are 416⅔, for 12 hours 333⅓. Level 2, from 18:00 on the 22nd, is 64.8.
    line(KUMO, "DUB", 12, 1, "40", [(500, 15 * HOUR)], "416.66666666666666666667"),
    line(KUMO, "DUB", 13, 1, "40", [(500, 12 * HOUR)], "333.33333333333333333333"),
    line(KUMO, "DUB", 22, 2, "64.8", [(50, HOUR)], "4.5"),
    # EUR 0.36 is 0.012 a GiB-day. On the 21st the level is 2, and there is no EUR price of level 2: not known, which is not zero.
    line(NORDLYS, "AMS", 6, 1, "0.36", [(30, DAY)], "0.36"),
    line(NORDLYS, "CWL", 20, 1, "0.36", [(600, 12 * HOUR)], "3.6"),
    line(NORDLYS, "CWL", 21, 2, None, [(600, 12 * HOUR)], None),
]

EPISODES = [
    episode(ALPENROSE, "GVA", "10-01T00:00:00", "10-01T00:02:30", 200, 200 * 150, "0.003125"),
    episode(ALPENROSE, "GVA", "10-08T12:00:00", "10-10T12:00:00", 800, 800 * 2 * DAY, "14.4"),
    # The last poll before the gap is that of 13:02:30; it counts for 900 s, and missing time ends the episode.
    episode(ALPENROSE, "GVA", "10-20T00:02:30", "10-21T13:17:30", 400, 400 * (37 * HOUR + 900), "5.5875"),
    episode(ALPENROSE, "GVA", "10-21T16:02:30", "10-24T00:02:30", 400, 400 * (56 * HOUR), "8.4"),
    episode(ALPENROSE, "ZRH", "10-05T00:00:00", "10-19T00:00:00", 400, 400 * 7 * DAY + 200 * 7 * DAY, "41.445"),
    # London's last poll before its gap is that of 06:00; without London's listing Frankfurt is within its subscription.
    episode(HARBOUR, "FRA", "10-28T12:00:00", "10-29T06:15:00", 500, 500 * (18 * HOUR + 900), "4.10625"),
    episode(HARBOUR, "FRA", "10-29T10:00:00", "11-01T00:00:00", 500, 500 * 62 * HOUR, "13.95"),
    episode(HARBOUR, "LON", "10-15T10:00:00", "10-16T08:00:00", 300, 300 * 22 * HOUR, "3.7125"),
    episode(KUMO, "DUB", "10-12T09:00:00", "10-13T12:00:00", 500, 500 * 27 * HOUR, "750"),
    episode(KUMO, "DUB", "10-22T18:00:00", "10-22T19:00:00", 50, 50 * HOUR, "4.5"),
    episode(NORDLYS, "AMS", "10-06T00:00:00", "10-07T00:00:00", 30, 30 * DAY, "0.36"),
    episode(NORDLYS, "CWL", "10-20T12:00:00", "10-21T12:00:00", 600, 600 * DAY, None),
]

STATEMENTS = [
    # Geneva 28.390625 + Zurich 41.445
    statement(ALPENROSE, "Alpenrose Käserei AG", "draft", "69.835625", "69.84"),
    # Frankfurt 18.05625 + London 3.7125
    statement(HARBOUR, "Harbour & Finch, Inc.", "draft", "21.76875", "21.77"),
    # 416⅔ + 333⅓ + 4.5; the yen has no smaller unit, and a half is rounded up
    statement(KUMO, "Kumo Analytics K.K.", "draft", "754.5", "755"),
    # 0.36 + 3.60, and a line that is not priced
    statement(NORDLYS, "Nordlys Vinyl AS", "parked", "3.96", None),
]

FINDINGS = [
    finding("held_time", "info", ALPENROSE, "GVA", seconds=900),
    finding("held_time", "info", HARBOUR, "FRA", seconds=600),
    finding("held_time", "info", HARBOUR, "LON", seconds=600),
    finding("held_time", "info", NORDLYS, "AMS", seconds=300),
    finding("held_time", "info", NORDLYS, "CWL", seconds=300),
    finding("held_time", "info", NORDLYS, "GVA", seconds=600),
    finding("listed_twice", "info", ALPENROSE, "ZRH", count=1),
    finding("missing_time", "warning", ALPENROSE, "GVA", seconds=9_900),
    finding("missing_time", "warning", HARBOUR, "LON", seconds=13_500),
    finding("missing_time", "warning", NORDLYS, "GVA", seconds=300),
    finding("owner_not_polled", "warning", ORCHARD, "DUB", count=1),
    finding("partial_time", "warning", HARBOUR, "FRA", seconds=13_500),
    finding("rejected_rows", "error", ALPENROSE, None, count=1),
    finding("unknown_location", "warning", NORDLYS, "AMS"),
    finding("unpriced_burst", "error", NORDLYS, "CWL", count=1),
]


def sums_agree():
    """Check that lines add up to statements and to episodes, and burst to usage: the arithmetic of a person who checks."""
    for row in STATEMENTS:
        own = [Fraction(x["amount"]) for x in LINES if x["account"] == row["account"] and x["amount"] is not None]
        assert sum(own) == Fraction(row["burst_amount"]), row
    for row in USAGE:
        key = (row["account"], row["location"])
        for parts in (LINES, EPISODES):
            burst = sum(int(x["burst_byte_seconds"]) for x in parts if (x["account"], x["location"]) == key)
            assert burst == int(row["burst_byte_seconds"]), key


BILL = {
    "period": {"start": "2026-10-01T00:00:00Z", "end": "2026-11-01T00:00:00Z", "as_of": "2026-11-02T00:00:00Z"},
    "usage": USAGE,
    "lines": LINES,
    "episodes": EPISODES,
    "statements": STATEMENTS,
    "findings": FINDINGS,
}

if __name__ == "__main__":
    sums_agree()
    text = json.dumps(BILL, ensure_ascii=False, indent=1) + "\n"
    (Path(__file__).parent / "bill.json").write_text(text, encoding="utf-8")
