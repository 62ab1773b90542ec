"""The provider's other answers as dated facts: what is new is kept once, what was foretold is corrected, declarations stand."""

import json
from decimal import Decimal

import pytest
from small_world import write

import metering
from metering.model.errors import InputError
from metering.model.period import instant_text

SLOT = 1_790_812_800  # 2026-10-01T00:00:00Z


def at(second):
    return instant_text(SLOT + second)


def answer(second, resource, response, endpoint="ZRH", account="A"):
    return json.dumps(
        {"poll_time": at(second), "endpoint": endpoint, "account": account, "resource": resource, "location": endpoint,
         "account_name": "Ann AG", "response": response}
    )  # fmt: skip


def listing(*objects, **more):
    return {"meta": {"limit": 0, "offset": 0, "total_count": len(objects)}, "objects": list(objects), **more}


def pricing(second, current, coming, price="0.28", **where):
    row = {"id": "1", "resource": "backup", "currency": "CHF", "level": 1, "price": price, "unit": "GB/month",
           "multiplier": 2783138807808000}  # fmt: skip
    other = row | {"id": "2", "resource": "cpu"}
    levels = {"current": {"backup": current, "cpu": 9}, "next": {"backup": coming}}
    return answer(second, "pricing", listing(row, other, **levels), **where)


def bought(second, *, amount="1073741824", end="2026-11-01T12:00:00+00:00", descendants=(), **more):
    row = {"id": 7, "resource": "backup", "amount": amount, "start_time": "2026-10-01 00:00:00.123+00:00", "end_time": end,
           "period": "1 month", "price": "0E-20", "descendants": list(descendants), "status": "active"}  # fmt: skip
    return answer(second, "subscriptions", listing(row | more))


@pytest.fixture
def taken(tmp_path):
    """Ingest lines of answers, a file each time; give the rows in force of a table."""
    meter = metering.open(str(tmp_path / "store.duckdb"))
    count = 0

    def ingest(*lines):
        nonlocal count
        count += 1
        path = tmp_path / f"{count:03}.answer.ndjson"
        path.write_text("\n".join(lines) + "\n")
        return meter.ingest(path)

    def rows(sql):
        with meter._store.reading() as engine:
            return engine.sql(sql)

    ingest.rows, ingest.meter = rows, meter
    return ingest


def levels(taken):
    """Give the burst level of each slot that has a row, by the query that bills."""
    with taken.meter._store.reading() as engine:
        found = engine.rows("billing/known_burst_levels", {"known_seq": 10**9})
    return sorted((row["effective_from_s"] - SLOT, row["level"]) for row in found)


def test_a_level_holds_from_the_begin_of_the_slot_in_which_it_was_read(taken):
    taken(pricing(17, 2, 3))
    assert levels(taken) == [(0, 2), (300, 3)]
    assert taken.rows("select price, effective_from_s from prices") == [("0.28", SLOT)]


def test_values_that_do_not_change_add_nothing(taken):
    taken(pricing(10, 2, 2))
    outcome = taken(*(pricing(10 + 300 * n, 2, 2) for n in range(1, 6)))
    assert outcome.ingest_seq is None
    assert levels(taken) == [(0, 2)]
    assert taken.rows("select count(*) from prices") == [(1,)]


def test_what_was_foretold_is_corrected_by_what_is_read(taken):
    taken(pricing(10, 2, 5))
    taken(pricing(310, 2, 2))
    assert levels(taken) == [(0, 2), (300, 2)]


def test_what_was_foretold_holds_where_the_next_reading_failed(taken):
    taken(pricing(10, 2, 5))
    taken(pricing(610, 2, 2))
    assert levels(taken) == [(0, 2), (300, 5), (600, 2)]


def test_an_old_answer_that_comes_again_changes_nothing(taken):
    lines = [pricing(10, 2, 5), pricing(310, 2, 2), pricing(610, 4, 4)]
    for line in lines:
        taken(line)
    before = levels(taken)
    for line in lines:
        assert taken(line).ingest_seq is None
    assert levels(taken) == before == [(0, 2), (300, 2), (600, 4)]


def test_an_answer_that_comes_late_holds_for_its_own_slot_only(taken):
    for second, current, coming in ((10, 1, 1), (610, 1, 1), (910, 1, 1)):
        taken(pricing(second, current, coming))
    assert levels(taken) == [(0, 1)]
    taken(pricing(310, 2, 1))  # such as from a file that was set aside, or from another collector
    assert levels(taken) == [(0, 1), (300, 2), (600, 1)]


def test_answers_in_one_file_give_what_they_give_one_by_one(taken, tmp_path):
    lines = [pricing(10 + 300 * n, current, coming) for n, (current, coming) in enumerate([(2, 2), (3, 4), (4, 2), (1, 1)])]
    taken(*lines)
    together = levels(taken)
    other = metering.open(str(tmp_path / "other.duckdb"))
    for n, line in enumerate(lines):
        path = tmp_path / f"one-{n}.answer.ndjson"
        path.write_text(line + "\n")
        other.ingest(path)
    with other._store.reading() as engine:
        found = engine.rows("billing/known_burst_levels", {"known_seq": 10**9})
    assert [level for _, level in together] == [row["level"] for row in sorted(found, key=lambda row: row["effective_from_s"])]


def test_a_subscription_is_known_by_its_interval_and_an_extension_once(taken):
    child = {"id": 8, "resource": "backup", "amount": "1073741824", "start_time": "2026-11-01T12:00:00+00:00",
             "end_time": "2026-12-01T12:00:00+00:00", "price": "1.5"}  # fmt: skip
    taken(bought(0, descendants=[child]), answer(0, "subscriptions", listing(child)))
    found = taken.rows("select id, account, location, amount, start_s, price from subscriptions order by id")
    assert found == [
        ("7", "A", "ZRH", Decimal(2**30), SLOT, "0"),
        ("8", "A", "ZRH", Decimal(2**30), SLOT + 31 * 86_400 + 43_200, "1.5"),
    ]


def test_a_subscription_that_changed_replaces_what_was_read_before(taken):
    taken(bought(0))
    taken(bought(3_600, end="2026-12-01T12:00:00+00:00"))
    taken(bought(0))
    with taken.meter._store.reading() as engine:
        (row,) = engine.rows("billing/known_subscriptions", {"known_seq": 10**9})
    assert row["end_s"] == SLOT + 61 * 86_400 + 43_200
    assert taken.rows("select count(*) from subscriptions") == [(2,)]


def test_what_somebody_declared_stands_and_the_contradiction_is_told_once(taken, tmp_path):
    declared = tmp_path / "subscriptions.csv"
    declared.write_text("id,account,location,amount,start_time,end_time\n7,A,ZRH,5,2026-10-01T00:00:00Z,2026-11-01T12:00:00Z\n")
    taken.meter.ingest(declared)
    outcome = taken(bought(0))
    assert (outcome.tables["subscriptions"].conflicting, len(outcome.rejections)) == (1, 1)
    assert "ZRH subscriptions of A" in outcome.rejections[0].text
    assert outcome.rejections[0].reason.partition(", ")[2] == (
        "a file something else: what it declares stays; ingest a file that says so with --supersede"
    )
    assert taken(bought(3_600)).ingest_seq is None
    assert taken.rows("select amount from subscriptions") == [(Decimal(5),)]


def test_a_price_that_is_told_with_more_zeros_is_no_new_one_and_contradicts_no_declaration(taken, tmp_path):
    declared = tmp_path / "prices.csv"
    declared.write_text(
        "location,resource,currency,level,price,unit,multiplier,effective_from\n"
        f"ZRH,backup,CHF,1,0.280,GB/month,2783138807808000,{at(0)}\n"
    )
    taken.meter.ingest(declared)
    outcome = taken(pricing(0, 1, 1, "0.28"))
    assert (outcome.tables["prices"].accepted, outcome.tables["prices"].conflicting) == (0, 0)
    assert taken(pricing(3_600, 1, 1, "0.28000")).tables["prices"].accepted == 0
    assert taken.rows("select price from prices") == [("0.280",)]


def test_currency_discounts_and_places_are_kept_once(taken):
    lines = [
        answer(0, "balance", {"balance": "1.00", "currency": "CHF", "credit_limit": "0"}),
        answer(0, "discount", listing({"period": "3 months", "value": "0.0300000000"}, {"period": "1 year", "value": "0.25"})),
        answer(
            0, "locations", listing({"id": "ZRH", "display_name": "Zurich", "country_code": "CH", "api_endpoint": "https://z/"})
        ),
    ]
    taken(*lines)
    assert taken(*(line.replace(at(0), at(3_600)) for line in lines)).ingest_seq is None
    assert taken.rows("select account, currency, name from accounts") == [("A", "CHF", "Ann AG")]
    assert taken.rows("select period, discount from discounts order by all") == [("1 year", "0.25"), ("3 months", "0.03")]
    assert taken.rows("select location, display_name, country_code from places") == [("ZRH", "Zurich", "CH")]


@pytest.mark.parametrize(
    ("field", "value"),
    [("amount", "-1"), ("amount", "1.5"), ("amount", "1E2000000"), ("amount", True), ("end_time", "soon")],
)
def test_a_row_that_is_no_fact_is_rejected_alone(taken, field, value):
    outcome = taken(bought(0, id=8), bought(0, **{field: value}))
    assert (outcome.tables["subscriptions"].accepted, outcome.tables["subscriptions"].rejected) == (1, 1)
    assert outcome.rejections[0].field == field


def test_a_subscription_without_an_id_is_told_and_one_that_is_only_named_below_another_is_none(taken):
    named = ["/api/2.0/subscriptions/8/", {"resource_uri": "/api/2.0/subscriptions/9/"}]
    nameless = {"id": None, "resource": "backup", "amount": "5"}
    outcome = taken(bought(0, descendants=named), bought(0, id=None, descendants=[nameless]))
    assert (outcome.tables["subscriptions"].accepted, outcome.tables["subscriptions"].rejected) == (1, 2)
    assert {rejection.field for rejection in outcome.rejections} == {"id"}


def test_a_price_that_is_none_takes_no_entitlement_with_it(taken):
    outcome = taken(bought(0, price="1E2000000"))
    assert (outcome.tables["subscriptions"].accepted, outcome.tables["subscriptions"].rejected) == (1, 0)
    assert [rejection.field for rejection in outcome.rejections] == ["price"]


def test_an_answer_that_is_cut_off_is_refused(taken):
    with pytest.raises(InputError, match="line 1 is no answer of the provider"):
        taken(pricing(0, 1, 1)[:-20])


# --- what could not be read ---


def unread(second, resource="subscriptions", cause="too_large", account="A", endpoint="ZRH"):
    note = {"outcome": "failed", "cause": cause, "detail": "larger than 100 bytes"}
    return json.dumps(
        {"poll_time": at(second), "endpoint": endpoint, "account": account, "resource": resource, "location": endpoint,
         "account_name": "", "note": note}
    )  # fmt: skip


@pytest.fixture
def billed(taken, tmp_path):
    """Ingest lines of answers beside one poll, so that there is something to bill."""
    row = {"poll_time": at(0), "endpoint": "ZRH", "location": "ZRH", "account": "A", "snapshot": "", "allocated_size": ""}
    taken.meter.ingest(write(tmp_path / "facts", samples=[row]))
    return taken


def told_unread(taken):
    """Give what the bill of October says of lists that could not be read: its check, account and requests."""
    found = [finding for finding in taken.meter.bill("2026-10").findings if finding.check.startswith("unread_")]
    assert {finding.severity for finding in found} <= {"warning"}
    return [(finding.check, finding.account, finding.count) for finding in found]


def test_a_bill_tells_that_subscriptions_could_not_be_read_until_they_were(billed):
    billed(bought(0))
    billed(unread(300), bought(0))
    assert told_unread(billed) == []
    billed(unread(600), unread(3_600, cause="timeout"))
    assert told_unread(billed) == [("unread_subscriptions", "A", 3)]
    (finding,) = [each for each in billed.meter.bill("2026-10").findings if each.check == "unread_subscriptions"]
    assert finding.message == (
        "subscriptions at ZRH could not be read from 2026-10-01T00:05:00Z to 2026-10-01T01:00:00Z, and not since: what was "
        "bought, extended or ended since is not in this bill (timeout: no answer came in time)"
    )
    # The list says what it said before, so it brings no fact but that it was read; of each more time it is read, nothing.
    assert billed(bought(7_200)).tables["poll_notes"].accepted == 1
    assert "poll_notes" not in billed(bought(7_500)).tables
    assert told_unread(billed) == []
    assert billed.rows("select noted_s, outcome from poll_notes where outcome <> 'failed'") == [(SLOT + 7_200, "read")]


def test_what_could_not_be_read_after_the_period_is_none_of_its_matters(billed):
    billed(unread(31 * 86_400), unread(31 * 86_400 + 300))
    assert told_unread(billed) == []
    billed(unread(31 * 86_400 - 300))
    assert told_unread(billed) == [("unread_subscriptions", "A", 3)]


def test_another_account_that_reads_its_subscriptions_says_nothing_of_this_one_but_prices_are_for_all(billed):
    billed(unread(0), unread(300), unread(0, "pricing"), unread(300, "pricing"))
    billed(answer(600, "subscriptions", listing(), account="B"), unread(0, "balance"), unread(300, "balance"))
    assert told_unread(billed) == [("unread_prices", None, 2), ("unread_subscriptions", "A", 2)]
    billed(pricing(600, 1, 1, account="B"), answer(600, "subscriptions", listing(), endpoint="GVA"))
    assert told_unread(billed) == [("unread_subscriptions", "A", 2)]
    told = "select endpoint, account, resource from poll_notes where outcome = 'read'"
    assert billed.rows(told) == [("ZRH", "B", "pricing")]


def test_readings_that_come_late_or_again_tell_the_same(billed):
    billed(bought(900), unread(600), unread(300))
    assert told_unread(billed) == []
    assert billed(bought(900), unread(600), unread(300)).tables["poll_notes"].accepted == 0
    billed(unread(1_200))
    billed(unread(1_500))
    assert told_unread(billed) == [("unread_subscriptions", "A", 2)]
    billed(bought(1_350))
    assert told_unread(billed) == []
