"""Every check of an audit: a planted error yields exactly its finding, and a clean month yields none."""

import ast
import json
from pathlib import Path

import pytest
from small_world import GIB, meter_of, polls, price, subscription, write

from metering.billing import findings
from metering.billing.bill import make_bill
from metering.engine.queries import queries_folder
from metering.model.limits import AuditLimits
from metering.model.period import instant_seconds, instant_text
from metering.reporting.audit import audit_findings, checks_table
from metering.reporting.checks import BILL_CHECKS, BOOK_CHECKS, CHECKS, QUERY_CHECKS

START, END = "2026-09-30T23:55:00Z", "2026-10-04T00:05:00Z"
PERIOD = "2026-10-01..2026-10-04"
DAYS = ("2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z", "2026-10-03T00:00:00Z")
FOREVER = ("2026-01-01T12:00:00Z", "2027-01-01T12:00:00Z")


def world(tmp_path, **tables):
    clean = {
        "samples": polls(START, END, {"s": 3 * GIB, "t": GIB}),
        "subscriptions": [subscription("base", 2 * GIB, *FOREVER)],
    }
    return meter_of(tmp_path, **(clean | tables))


def found(meter, period=PERIOD, **options):
    return [(f.check, f.severity, f.account, f.location, f.count, f.seconds) for f in meter.audit(period, **options)]


def changing(*steps):
    """Samples of one snapshot `s` that is as each step says from its instant on, up to the next: (instant, size[, status])."""
    ends = [step[0] for step in steps[1:]] + [END]
    rows = []
    for (start, size, *status), end in zip(steps, ends, strict=True):
        rows += polls(start, end, {"s": size}, status=(status or ["available"])[0])
    return rows


def captured(tmp_path, *, drive_size=10 * GIB, grown=GIB, skew=0, owner="A"):
    """Captures of three days, with what only these tell; from the second day on the snapshot is as large as it has `grown`."""
    lines = []
    for poll in polls(START, END, {"s": GIB}):
        allocated = GIB if poll["poll_time"] < DAYS[1] else grown
        listed = {
            "uuid": "s", "name": "n", "status": "available", "allocated_size": allocated, "location": "ZRH",
            "drive": {"uuid": "d-s"}, "owner": {"uuid": "A"}, "drive_meta": {"size": drive_size},
        }  # fmt: skip
        shared = [] if owner == "A" else [listed | {"uuid": "shared", "owner": {"uuid": owner}}]
        line = {"poll_time": poll["poll_time"], "endpoint": "ZRH", "account": "A", "response": {"objects": [listed, *shared]}}
        answered = instant_text(instant_seconds(poll["poll_time"]) + skew)
        lines.append(json.dumps(line | {"date": answered}))
    path = tmp_path / "polls.capture.ndjson"
    path.write_text("\n".join(lines) + "\n")
    return path


def with_captures(tmp_path, **told):
    meter = world(tmp_path, samples=[])
    meter.ingest(captured(tmp_path, **told))
    return meter


def test_a_clean_month_has_no_finding(tmp_path):
    assert found(world(tmp_path)) == []


def test_clean_captures_have_no_finding(tmp_path):
    assert found(with_captures(tmp_path, skew=5)) == []


# --- what every bill finds ---


def test_time_in_which_nobody_looked(tmp_path):
    samples = [*polls(START, "2026-10-02T00:00:00Z", {"s": GIB}), *polls("2026-10-02T01:00:00Z", END, {"s": GIB})]
    meter = world(tmp_path, samples=samples)
    assert found(meter) == [
        ("held_time", "info", "A", "ZRH", None, 600),
        ("missing_time", "warning", "A", "ZRH", None, 3_000),
    ]


def test_a_poll_that_came_late_is_held_time_alone(tmp_path):
    late = [*polls(START, "2026-10-02T00:00:00Z", {"s": GIB}), *polls("2026-10-02T00:05:00Z", END, {"s": GIB})]
    assert found(world(tmp_path, samples=late)) == [("held_time", "info", "A", "ZRH", None, 300)]


def test_time_in_which_one_of_two_feeding_endpoints_was_missing(tmp_path):
    there = [
        row
        for row in polls(START, END, {"far": GIB}, endpoint="FRA", location="ZRH")
        if not DAYS[1] <= row["poll_time"] < "2026-10-02T00:20:00Z"
    ]
    meter = world(tmp_path, samples=[*polls(START, END, {"s": GIB}), *there], subscriptions=[])
    assert found(meter) == [
        ("held_time", "info", "A", "FRA", None, 600),
        ("held_time", "info", "A", "ZRH", None, 600),
        ("missing_time", "warning", "A", "FRA", None, 600),
        ("partial_time", "warning", "A", "ZRH", None, 600),
    ]


def test_burst_without_a_price_parks_the_statement(tmp_path):
    assert found(world(tmp_path, prices=[price("0.1", level=0)])) == [("unpriced_burst", "error", "A", "ZRH", 3, None)]


def test_a_location_that_nobody_knows(tmp_path):
    meter = world(tmp_path, samples=polls(START, END, {"s": GIB}, endpoint="ATLANTIS"), subscriptions=[])
    assert found(meter) == [("unknown_location", "warning", "A", "ATLANTIS", None, None)]


def test_a_row_that_is_no_sample(tmp_path):
    meter = world(tmp_path)
    broken = [{**row, "allocated_size": "many"} for row in polls(DAYS[1], "2026-10-02T00:05:00Z", {"s": 1}, endpoint="GVA")]
    with pytest.raises(Exception, match="none of the"):
        meter.ingest(write(tmp_path / "broken", samples=broken) / "samples.csv")
    good = polls("2026-10-09T00:00:00Z", "2026-10-09T00:05:00Z", {"s": 1})
    meter.ingest(write(tmp_path / "mixed", samples=[*broken, *good]) / "samples.csv")
    assert found(meter) == [("rejected_rows", "error", "A", None, 1, None)]


def test_a_fact_that_came_again_with_other_content(tmp_path):
    meter = world(tmp_path)
    other = write(tmp_path / "other", prices=[price("0.9"), price("0.1", currency="EUR", level=0)])
    meter.ingest(other / "prices.csv")
    assert found(meter) == [("conflicting_facts", "error", None, None, 1, None)]


def test_a_poll_that_came_again_with_other_content(tmp_path):
    meter = world(tmp_path)
    again = polls(DAYS[1], "2026-10-02T00:10:00Z", {"s": 7 * GIB})
    meter.ingest(write(tmp_path / "again", samples=again) / "samples.csv")
    assert found(meter) == [("conflicting_polls", "error", "A", None, 2, None)]


def test_a_shared_snapshot_whose_owner_nobody_polls(tmp_path):
    assert found(with_captures(tmp_path, owner="stranger")) == [("owner_not_polled", "warning", "stranger", "ZRH", 1, None)]


def test_a_snapshot_that_two_endpoints_list(tmp_path):
    samples = [*polls(START, END, {"s": GIB}), *polls(START, END, {"s": GIB}, endpoint="FRA", location="ZRH")]
    assert found(world(tmp_path, samples=samples)) == [("listed_twice", "info", "A", "ZRH", 1, None)]


@pytest.mark.parametrize(
    ("outcome", "cause", "check"), [("failed", "timeout", "failed_polls"), ("flagged", "listed_twice", "odd_listings")]
)
def test_what_the_collector_could_not_have_and_what_was_odd_about_what_it_had(tmp_path, outcome, cause, check):
    meter = world(tmp_path)
    told = {"poll_time": DAYS[1], "endpoint": "ZRH", "account": "A", "location": "ZRH", "resource": "remotesnapshots"}
    note = told | {"response": {}, "note": {"outcome": outcome, "cause": cause, "detail": "30 s"}}
    (tmp_path / "told.answer.ndjson").write_text(json.dumps(note) + "\n")
    meter.ingest(tmp_path / "told.answer.ndjson")
    assert found(meter) == [(check, "info", "A", None, 1, None)]


@pytest.mark.parametrize(
    ("resource", "check", "account"), [("subscriptions", "unread_subscriptions", "A"), ("pricing", "unread_prices", None)]
)
def test_what_a_bill_rests_on_and_could_not_be_read(tmp_path, resource, check, account):
    meter = world(tmp_path)
    told = {"endpoint": "ZRH", "account": "A", "location": "ZRH", "resource": resource, "response": {}}
    note = told | {"note": {"outcome": "failed", "cause": "too_large", "detail": ""}}
    (tmp_path / "told.answer.ndjson").write_text(
        "".join(json.dumps(note | {"poll_time": at}) + "\n" for at in (DAYS[1], "2026-10-02T00:10:00Z"))
    )
    meter.ingest(tmp_path / "told.answer.ndjson")
    assert found(meter) == [("failed_polls", "info", "A", None, 2, None), (check, "warning", account, None, 2, None)]


# --- what an audit finds besides ---


def test_two_polls_of_one_instant_in_force(tmp_path):
    """The later number is the newer row: what both list lasts no time, so nothing but the instant itself is wrong."""
    meter = world(tmp_path)
    with meter._store.writing() as engine:
        engine.sql(
            "insert into polls by name select poll_key + 1000000 as poll_key, collection_key, poll_s, file_number, ingest_seq "
            "from polls where poll_s in (1790899200, 1790902800)"
        )
    checks = found(meter)
    assert [finding for finding in checks if finding[0] == "duplicate_polls"] == [("duplicate_polls", "error", "A", None, 2, None)]
    assert {check for check, *_ in checks} <= {"duplicate_polls", "sums_that_differ", "snapshot_sums_that_differ"}
    (told,) = [finding for finding in meter.audit(PERIOD) if finding.check == "duplicate_polls"]
    assert told.message.startswith("two polls at ZRH are in force at one instant, the first at 2026-10-02T00:00:00Z: ")


def test_a_snapshot_that_is_larger_than_its_drive(tmp_path):
    assert found(with_captures(tmp_path, drive_size=GIB - 1)) == [("snapshots_above_drive", "warning", "A", "ZRH", None, None)]


def test_a_snapshot_may_be_as_large_as_its_drive(tmp_path):
    assert found(with_captures(tmp_path, drive_size=GIB)) == []


@pytest.mark.parametrize("status", ["creating", "transferring"])
def test_a_snapshot_that_stays_in_the_making(tmp_path, status):
    samples = changing((START, GIB), (DAYS[0], GIB, status), (DAYS[1], 2 * GIB, status), ("2026-10-02T00:10:00Z", 2 * GIB))
    meter = world(tmp_path, samples=samples, subscriptions=[])
    assert found(meter) == [("stuck_snapshots", "warning", "A", "ZRH", None, 86_400 + 300)]


def test_a_day_in_the_making_is_none_too_long(tmp_path):
    samples = changing((START, GIB), (DAYS[0], GIB, "creating"), ("2026-10-02T00:05:00Z", GIB))
    assert found(world(tmp_path, samples=samples, subscriptions=[])) == []


def test_clocks_that_differ(tmp_path):
    assert found(with_captures(tmp_path, skew=-61)) == [("clock_skew", "warning", "A", None, 864, 61)]


def test_a_size_that_grows_beyond_belief(tmp_path):
    jump = changing((START, GIB), (DAYS[1], 10 * GIB + 1))
    assert found(world(tmp_path, samples=jump, subscriptions=[])) == [("sizes_that_jump", "warning", "A", "ZRH", None, None)]


@pytest.mark.parametrize(
    "steps",
    [
        [(START, GIB), (DAYS[1], 10 * GIB)],
        [(START, GIB - 1), (DAYS[1], 100 * GIB)],
        [(START, GIB, "transferring"), (DAYS[0], 100 * GIB)],
    ],
)
def test_a_size_may_grow_tenfold_or_from_little_or_while_it_is_copied(tmp_path, steps):
    assert found(world(tmp_path, samples=changing(*steps), subscriptions=[])) == []


def test_a_size_that_grows_by_more_than_its_drive_which_it_then_is_larger_than(tmp_path):
    assert found(with_captures(tmp_path, drive_size=2 * GIB, grown=3 * GIB + 1)) == [
        ("sizes_that_jump", "warning", "A", "ZRH", None, None),
        ("snapshots_above_drive", "warning", "A", "ZRH", None, None),
    ]


def test_a_size_that_falls_to_nothing_and_comes_back(tmp_path):
    samples = changing((START, GIB), (DAYS[1], 0), ("2026-10-02T00:10:00Z", GIB))
    assert found(world(tmp_path, samples=samples, subscriptions=[])) == [("sizes_that_vanish", "warning", "A", "ZRH", None, None)]


def test_a_size_may_fall_to_nothing_and_stay(tmp_path):
    assert found(world(tmp_path, samples=changing((START, GIB), (DAYS[1], 0)), subscriptions=[])) == []


@pytest.mark.parametrize("amount", ["0.85", "0.09"])
def test_a_price_that_is_many_times_the_one_before(tmp_path, amount):
    meter = world(tmp_path, prices=[price("0.28"), price(amount, since=DAYS[1])])
    assert found(meter) == [("price_changes", "warning", None, None, None, None)]


def test_a_price_may_change_threefold_or_its_unit_or_out_of_the_period(tmp_path):
    gb_hour = {"unit": "GB/hour", "multiplier": 2**30 * 3_600}
    prices = [
        price("0.28"), price("0.84", since=DAYS[1]), price("0.0015", since=DAYS[2], **gb_hour), price("9", since="2026-10-04"),
    ]  # fmt: skip
    assert found(world(tmp_path, prices=prices)) == []


def test_subscriptions_of_one_amount_that_overlap(tmp_path):
    bought = [
        subscription("old", 2 * GIB, "2026-09-01T12:00:00Z", "2026-10-02T12:00:00Z"),
        subscription("new", 2 * GIB, "2026-10-01T12:00:00Z", "2027-10-01T12:00:00Z"),
        subscription("more", GIB, *FOREVER),
    ]
    assert found(world(tmp_path, subscriptions=bought)) == [("overlapping_subscriptions", "info", "A", "ZRH", None, 86_400)]


def test_each_of_several_subscriptions_that_overlap_is_told_once_beside_the_one_that_runs_the_longest(tmp_path):
    bought = [
        subscription("old", 2 * GIB, "2026-09-01T12:00:00Z", "2026-10-02T12:00:00Z"),
        subscription("new", 2 * GIB, "2026-10-01T12:00:00Z", "2027-10-01T12:00:00Z"),
        subscription("short", 2 * GIB, "2026-10-02T00:00:00Z", "2026-10-03T00:00:00Z"),
        subscription("twin", 2 * GIB, "2026-10-02T00:00:00Z", "2027-10-01T12:00:00Z"),
        subscription("last", 2 * GIB, "2026-10-03T00:00:00Z", "2026-10-03T01:00:00Z"),
        subscription("then", 2 * GIB, "2026-10-04T00:00:00Z", "2026-10-05T01:00:00Z"),
    ]
    told = [(f.message.partition(", each of")[0], f.seconds) for f in world(tmp_path, subscriptions=bought).audit(PERIOD)]
    assert [each for each in told if "overlap" in each[0] or each[0].startswith("subscriptions ")] == [
        ("subscriptions new and last", 3_600),
        ("subscriptions new and short", 86_400),
        ("subscriptions new and twin", 364 * 86_400 + 43_200),
        ("subscriptions old and new", 86_400),
    ]


def test_what_a_bill_with_adjustments_finds_of_each_location_is_told_once(tmp_path):
    samples = [
        *polls("2026-10-01T00:00:00Z", "2026-10-02T06:00:00Z", {"s": 3 * GIB}),
        *polls("2026-10-01T00:00:00Z", "2026-10-02T12:00:00Z", {"t": GIB}, endpoint="GVA"),
    ]
    meter = meter_of(tmp_path, samples=samples)
    meter.close("2026-10-01", by="ann")
    late = polls("2026-10-01T06:00:00Z", "2026-10-01T07:00:00Z", {"s": 5 * GIB})
    meter.ingest(write(tmp_path / "late", samples=late), supersede=True)
    # the last polls are of 05:55 and 11:55, and hold for 900 s, of which 300 are measured
    assert found(meter, "2026-10-02") == [
        ("held_time", "info", "A", "GVA", None, 600),
        ("held_time", "info", "A", "ZRH", None, 600),
        ("missing_time", "warning", "A", "GVA", None, 42_600),
        ("missing_time", "warning", "A", "ZRH", None, 64_200),
        ("restated", "info", "A", None, 1, None),
    ]


def test_a_subscription_that_ends_soon(tmp_path):
    for no in ("", "false", "No", "0"):
        bought = [subscription("soon", 2 * GIB, "2026-09-10T12:00:00Z", "2026-10-10T12:00:00Z", auto_renew=no)]
        assert found(world(tmp_path / f"-{no}", subscriptions=bought)) == [
            ("expiring_subscriptions", "info", "A", "ZRH", None, None)
        ]


@pytest.mark.parametrize(
    "bought",
    [
        *(
            [subscription("itself", 2 * GIB, "2026-09-10T12:00:00Z", "2026-10-10T12:00:00Z", auto_renew=yes)]
            for yes in ("true", "Yes", "TRUE", "1", "tRUE")
        ),
        [
            subscription("old", 2 * GIB, "2026-09-10T12:00:00Z", "2026-10-10T12:00:00Z"),
            subscription("next", 2 * GIB, "2026-10-10T12:00:00Z", "2026-11-10T12:00:00Z"),
        ],
        [subscription("later", 2 * GIB, "2026-09-10T12:00:00Z", "2026-10-18T00:00:00Z")],
    ],
)
def test_one_that_renews_or_is_followed_or_ends_much_later_does_not(tmp_path, bought):
    assert found(world(tmp_path, subscriptions=bought)) == []


def test_subscriptions_that_are_hardly_used(tmp_path):
    bought = [subscription("vast", 40 * GIB + 1, *FOREVER)]
    assert found(world(tmp_path, subscriptions=bought)) == [("unused_subscriptions", "info", "A", "ZRH", None, None)]
    assert AuditLimits().used_percent == 10, "4 of 40 GiB are just enough"


def test_subscriptions_of_the_largest_amount_that_is_taken_are_hardly_used_too(tmp_path):
    """40 of 30 digits of bytes over two days: a hundred times their byte-seconds have more than 38 digits."""
    bought = [subscription(str(number), 10**30 - 1 - number, *FOREVER) for number in range(40)]
    checks = [check for check, *_ in found(world(tmp_path, subscriptions=bought))]
    assert "unused_subscriptions" in checks


def test_subscriptions_where_nobody_polls(tmp_path):
    bought = [subscription("base", 2 * GIB, *FOREVER), subscription("lost", GIB, *FOREVER, location="GVA")]
    assert found(world(tmp_path, subscriptions=bought)) == [("unpolled_subscriptions", "warning", "A", "GVA", 1, None)]


# --- sums, recomputed apart from billing ---


def sums_found(meter, tamper="", spoil=lambda bill: bill, *, is_at_a_glance=False):
    with meter.computed(PERIOD, is_at_a_glance=is_at_a_glance) as (engine, computation):
        bill = spoil(make_bill(engine, computation, meter.settings.locations))
        if tamper:
            engine.sql(tamper)
        return [(f.check, f.severity, f.account) for f in audit_findings(engine, computation, bill, meter.settings.audit)]


def test_usage_that_is_one_byte_off_what_the_samples_make(tmp_path):
    step = "starts_at_s = (select min(starts_at_s) from usage_steps)"
    tampered = f"update usage_steps set occupied_bytes = occupied_bytes + 1, burst_bytes = burst_bytes + 1 where {step}"
    assert sums_found(world(tmp_path), tampered) == [
        ("snapshot_sums_that_differ", "error", "A"), ("sums_that_differ", "error", "A"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "tamper",
    ["set burst_bytes = burst_bytes - 1", "set step_seconds = step_seconds + 1", "set entitled_bytes = entitled_bytes + 1"],
)
def test_burst_or_time_or_entitlement_that_is_off(tmp_path, tamper):
    assert ("sums_that_differ", "error", "A") in sums_found(world(tmp_path), f"update usage_steps {tamper}")


def test_a_day_that_was_summed_up_at_a_glance_and_is_off(tmp_path):
    meter = world(tmp_path)
    tampered = "update unit_days set burst_byte_seconds = burst_byte_seconds + 1"
    assert sums_found(meter, tampered, is_at_a_glance=True) == [("sums_that_differ", "error", "A")] * len(DAYS)
    assert sums_found(meter, is_at_a_glance=True) == []


def test_snapshots_that_do_not_add_up_to_usage(tmp_path, monkeypatch):
    meter = world(tmp_path)
    with meter.computed(PERIOD) as (engine, computation):
        bill = make_bill(engine, computation, meter.settings.locations)
        real = engine.create

        def create(query, parameters=None):
            real(query, parameters)
            if query == "reports/snapshot_days":
                engine.sql("update snapshot_days set occupied_byte_seconds = occupied_byte_seconds + 1 where snapshot = 's'")

        monkeypatch.setattr(engine, "create", create)
        checks = [f.check for f in audit_findings(engine, computation, bill, meter.settings.audit)]
    assert checks == ["snapshot_sums_that_differ"]


def test_lines_that_do_not_add_up_to_their_statement(tmp_path):
    def spoiled(bill):
        due = bill.statements[0]
        return bill.model_copy(update={"statements": [due.model_copy(update={"burst_amount": due.burst_amount * 2})]})

    assert sums_found(world(tmp_path), spoil=spoiled) == [("line_sums_that_differ", "error", "A")]


def test_a_line_that_is_in_no_statement(tmp_path):
    def spoiled(bill):
        return bill.model_copy(update={"statements": [due.model_copy(update={"currency": "SEK"}) for due in bill.statements]})

    told = [check for check, *_ in sums_found(world(tmp_path), spoil=spoiled)]
    assert told == ["line_sums_that_differ"] * 3  # what it adds up to, what is due, and the lines that nobody is sent


def test_lines_that_do_not_add_up_to_their_usage(tmp_path):
    def spoiled(bill):
        first, *others = bill.lines
        return bill.model_copy(
            update={"lines": [first.model_copy(update={"burst_byte_seconds": first.burst_byte_seconds + 1}), *others]}
        )

    assert sums_found(world(tmp_path), spoil=spoiled) == [("line_sums_that_differ", "error", "A")]


# --- what is closed ---


def spoil(meter, statement):
    with meter._store.writing() as engine:
        engine.sql(statement)


def test_a_closed_period_that_is_as_it_was_has_no_finding(tmp_path):
    meter = world(tmp_path)
    meter.close(PERIOD, by="ann")
    assert found(meter) == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("update closings set closed_by = 'bob'", "closing 1 of 2026-10-01T00:00:00Z..2026-10-04T00:00:00Z does not hash"),
        ("update prices set price = '9' where level = 0", "prices of ingest 1: some of its 2 rows were changed"),
    ],
)
def test_a_closing_or_a_fact_that_was_changed(tmp_path, statement, said):
    meter = world(tmp_path)
    meter.close(PERIOD, by="ann")
    spoil(meter, statement)
    (finding,) = meter.audit(PERIOD)
    assert (finding.check, finding.severity) == ("books_that_differ", "error")
    assert finding.message.startswith(said)


def test_a_closed_statement_that_was_changed(tmp_path):
    meter = world(tmp_path)
    meter.close(PERIOD, by="ann")
    spoil(meter, """update closed_statements set document = replace(document, '"amount_due":"', '"amount_due":"1')""")
    checks = found(meter)
    assert {check for check, *_ in checks} == {"books_that_differ", "line_sums_that_differ"}
    assert {(severity, account) for _, severity, account, *_ in checks} <= {("error", "A"), ("error", None)}
    spoil(meter, "update closed_statements set document = 'no statement'")
    assert {check for check, *_ in found(meter)} == {"books_that_differ"}


def test_a_store_that_is_older_than_its_head(tmp_path):
    meter = world(tmp_path)
    before = Path(meter.settings.store).read_bytes()
    meter.close("2026-10-01", by="ann")
    old = Path(meter.settings.store).read_bytes()
    meter.close("2026-10-02", by="ann")
    Path(meter.settings.store).write_bytes(old)
    (finding,) = meter.audit("2026-10-01")
    assert (finding.check, "restored from an old backup" in finding.message) == ("closings_missing", True)
    assert found(meter, "2026-10-02") == [("closings_missing", "error", None, None, None, None)]
    Path(meter.settings.store).write_bytes(before)
    assert found(meter, "2026-10-01") == [("closings_missing", "error", None, None, None, None)], "though nothing is closed in it"


def test_a_period_that_is_billed_already_in_part_or_within_another(tmp_path):
    meter = world(tmp_path)
    meter.close("2026-10-02", by="ann")
    again = [("closed_period", "warning", None, None, None, None)]
    assert found(meter, "2026-10-02T12:00:00Z..2026-10-03T12:00:00Z") == again
    assert found(meter, PERIOD) == again
    assert found(meter, PERIOD, as_of="2026-10-05") == again, "a clock bills what is closed a second time all the same"
    assert found(meter, "2026-10-02T06:00:00Z..2026-10-02T07:00:00Z") == again
    # what is closed, computed anew by a clock, is asked for on purpose
    assert found(meter, "2026-10-02", as_of="2026-10-05") == [("closed_period", "info", None, None, None, None)]
    assert found(meter, PERIOD, known_at="1") == again, "the closing saw ingest 1"
    for period in ("2026-10-01", "2026-10-02", "2026-10-03"):
        assert found(meter, period) == []


def test_a_bill_with_adjustments_adds_up_and_says_what_it_restates(tmp_path):
    meter = world(tmp_path)
    meter.close("2026-10-01", by="ann")
    late = polls("2026-10-01T06:00:00Z", "2026-10-01T07:00:00Z", {"s": 5 * GIB, "t": GIB})
    meter.ingest(write(tmp_path / "late", samples=late), supersede=True)
    assert found(meter, "2026-10-01") == []
    assert found(meter, "2026-10-02") == [("restated", "info", "A", None, 1, None)]
    meter.close("2026-10-02", by="ann")
    assert found(meter, "2026-10-02") == [("restated", "info", "A", None, 1, None)]
    spoil(
        meter,
        'update closed_statements set document = replace(document, \'"kind":"adjustment"\', \'"kind":"burst"\') '
        "where closing_seq = 2",
    )
    assert {check for check, *_ in found(meter, "2026-10-02")} == {"restated", "books_that_differ", "line_sums_that_differ"}


def test_an_account_that_is_billed_in_two_currencies_adds_up_in_each(tmp_path):
    meter = world(tmp_path, prices=[price("0.28"), price("0.3", currency="USD")])
    meter.close("2026-10-01", by="ann")
    dollars = [{"account": "A", "currency": "USD", "name": "A"}]
    meter.ingest(write(tmp_path / "late", accounts=dollars), supersede=True)
    assert len(meter.bill("2026-10-02").statements) == 2
    assert {check for check, *_ in found(meter, "2026-10-02")} == {"restated"}


# --- the audit as a whole ---


def test_limits_are_configuration(tmp_path):
    limits = {"audit": {"used_percent": 100, "expiry_seconds": 200 * 86_400}}
    checks = [check for check, *_ in found(world(tmp_path, settings=limits))]
    assert checks == ["expiring_subscriptions"]


def test_every_query_of_the_audit_is_a_check_and_every_check_says_what_it_means_and_what_to_do():
    assert {check.name for check in QUERY_CHECKS} == {file.stem for file in (queries_folder() / "audit").glob("*.sql")}
    assert len({check.name for check in CHECKS}) == len(CHECKS) == len(checks_table().rows)
    assert all(check.means and check.do for check in CHECKS)
    told_by_bills = (*BILL_CHECKS, *BOOK_CHECKS[:-1])
    assert all(check.told for check in CHECKS if check not in told_by_bills)


def test_each_check_has_an_error_that_is_planted_for_it_here():
    """An assertion of this file names it as what is found, as a text of its own; not only as one of several that may be."""
    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    planted = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert {check.name for check in CHECKS} - planted == set()


def test_every_finding_of_a_bill_is_among_the_checks():
    tree = ast.parse(Path(findings.__file__).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Finding"]
    named = [word.value for call in calls for word in call.keywords if word.arg == "check"]
    told = {f"{state}_time" for state in ("missing", "partial", "held")}
    for value in named:
        parts = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
        told |= {part.value for part in parts if isinstance(part, ast.Constant)}
    assert told == {check.name for check in BILL_CHECKS}


def test_a_finding_says_what_it_is_of_and_what_to_do(tmp_path):
    (finding,) = world(tmp_path, subscriptions=[subscription("vast", 40 * GIB + 1, *FOREVER)]).audit(PERIOD)
    entitled, used = (amount * 3 * 86_400 for amount in (40 * GIB + 1, 4 * GIB))
    assert finding.message == (
        f"of 4.0000 GiB-months ({entitled} byte-seconds) that subscriptions entitle to, 0.4000 GiB-months ({used} byte-seconds) "
        "were used: subscriptions are hardly used, and paid for nothing; buy less at the next renewal"
    )
