"""`--known-at` gives the bill that was given then: by facts ingested and closings made by then, however the books went on."""

from closed_world import day_meter, more_facts
from small_world import GIB, polls, price

from metering import Meter
from metering.model.period import instant_seconds, instant_text


def test_every_bill_that_was_ever_given_can_be_given_again(tmp_path):
    """Record the bill of every day after each step, by ingest number and by instant; ask for all of them at the end."""
    store = day_meter(tmp_path).settings
    now = [instant_seconds("2026-12-01")]
    meter = Meter(store, clock=lambda: now[0])
    steps = [
        lambda: more_facts(meter, tmp_path, "late", samples=polls("2026-10-01T07:01:00Z", "2026-10-01T07:02:00Z", {"s": 3 * GIB})),
        lambda: meter.close("2026-10-01"),
        lambda: more_facts(meter, tmp_path, "fix", supersede=True, prices=[price("0.60")]),
        lambda: meter.close("2026-10-02"),
        lambda: more_facts(meter, tmp_path, "again", supersede=True, prices=[price("0.50")]),
        lambda: more_facts(meter, tmp_path, "gone", supersede=True, samples=polls("2026-10-02", "2026-10-02T06:00:00Z", {})),
        lambda: meter.close("2026-10-03"),
    ]
    days = ("2026-10-01", "2026-10-02", "2026-10-03")
    given, ingest = [], 1
    for step in [lambda: None, *steps]:
        now[0] += 3_600
        ingest = getattr(step(), "ingest_seq", None) or ingest
        given.append((now[0], ingest, {day: meter.bill(day).document() for day in days}))
    now[0] += 3_600
    for instant_s, _, bills in given:
        for day, bill in bills.items():
            assert meter.bill(day, known_at=instant_text(instant_s)).document() == bill
    # by number: the last bill that was given while that was the last ingest
    for ingest, bills in {ingest: bills for _, ingest, bills in given}.items():
        assert meter.bill("2026-10-02", known_at=ingest).document() == bills["2026-10-02"]
    # each step changed what was billed: nothing above was compared with itself only
    assert len({str(bills) for _, _, bills in given}) == len(given)


def test_a_closed_period_asked_for_before_it_was_closed_is_a_draft(tmp_path):
    meter = day_meter(tmp_path)
    more_facts(meter, tmp_path, "fix", supersede=True, prices=[price("0.60")])
    meter.close("2026-10-01")
    assert [(row.state, str(row.amount_due)) for row in meter.bill("2026-10-01", known_at=1).statements] == [("draft", "0.01")]
    assert [(row.state, str(row.amount_due)) for row in meter.bill("2026-10-01", known_at=2).statements] == [("closed", "0.02")]
