"""Subscriptions, prices, burst levels and accounts: each row the fact of a key, the first one in force."""

import json

import pytest
from hour_facts import HOUR, at, counts, csv_bytes, ingested, price, sample, write_facts

import metering
from metering.api import Meter
from metering.config import Settings
from metering.model.errors import InputError

NOON = "2026-10-04T12:00:00Z"
SUBSCRIPTION = {"id": "1", "account": "a1", "location": "ZRH", "amount": 5, "start_time": NOON, "period": "1 month"}
LEVEL = {"location": "ZRH", "resource": "backup", "level": 2, "effective_from": "2026-01-01"}
ACCOUNT = {"account": "a1", "currency": "CHF", "name": "A"}
PRICE = price()


def one_rejection(tmp_path, table, row, ending="csv"):
    good = {"subscriptions": SUBSCRIPTION, "prices": PRICE, "burst_levels": LEVEL, "accounts": ACCOUNT}[table]
    other = good | {"id": "good", "currency": "JPY", "location": "GVA", "account": "good"}
    rows = [{name: other[name] for name in good}, good | row]
    outcome = ingested(write_facts(tmp_path / "facts", {table: rows}, ending))
    assert counts(outcome, table) == (1, 0, 0, 1, 0)
    (rejection,) = outcome.rejections
    assert rejection.line == (3 if ending == "csv" else 2)
    return rejection.field, rejection.reason


@pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet"])
@pytest.mark.parametrize("table", ["subscriptions", "prices", "burst_levels", "accounts"])
def test_more_rows_than_a_command_may_bring_are_refused_before_all_are_read(tmp_path, table, ending):
    good = {"subscriptions": SUBSCRIPTION, "prices": PRICE, "burst_levels": LEVEL, "accounts": ACCOUNT}[table]
    names = {"subscriptions": "id", "accounts": "account"}
    rows = [good | {names.get(table, "location"): f"x{number}"} for number in range(11)]
    facts = write_facts(tmp_path / "facts", {table: rows}, ending)
    with Meter(Settings(store=":memory:", limits={"facts": 11})) as meter:
        assert meter.ingest(facts).tables[table].accepted == 11
    said = rf"more than 10 rows of {table} in one command: nothing was taken; .*limits.facts \(METERING_LIMITS__FACTS\) raises it"
    with Meter(Settings(store=":memory:", limits={"facts": 10})) as meter, pytest.raises(InputError, match=said):
        meter.ingest(facts)


@pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet"])
@pytest.mark.parametrize(
    ("table", "row", "field", "reason"),
    [
        ("subscriptions", {"amount": "5.0"}, "amount", "is no whole number, or negative"),
        ("subscriptions", {"amount": "-5"}, "amount", "is no whole number, or negative"),
        ("subscriptions", {"amount": ""}, "amount", "is missing"),
        ("subscriptions", {"amount": "9" * 40}, "amount", "has more than 30 digits (limits.digits)"),
        ("subscriptions", {"id": ""}, "id", "is missing"),
        ("subscriptions", {"id": "x" * 129}, "id", "is longer than 128 characters"),
        ("subscriptions", {"account": "a\u202e"}, "account", "holds a character that cannot be seen"),
        ("subscriptions", {"location": "Z\tH"}, "location", "holds a character that cannot be seen"),
        ("subscriptions", {"location": "Z\U0001343f"}, "location", "holds a character that cannot be seen"),
        ("subscriptions", {"start_time": "2026-10-04T12:00:00"}, "start_time", "has no offset: end it in Z or ±hh:mm"),
        ("subscriptions", {"period": "1 fortnight"}, "period", "is no period such as 30 days, 1 month or 1 year"),
        ("subscriptions", {"period": "9999 years"}, "period", "leaves the calendar"),
        ("subscriptions", {"start_time": "2026-10-02T00:00:00Z", "end_time": "2026-10-01T00:00:00Z", "period": ""}, "end_time",
         "is not after start_time"),
        ("subscriptions", {"period": ""}, "period", "start_time, end_time or period is missing: not specific enough"),
        ("prices", {"price": "-1"}, "price", "is no plain decimal of 0 or more, such as 0.28"),
        ("prices", {"price": "1e-3"}, "price", "is no plain decimal of 0 or more, such as 0.28"),
        ("prices", {"price": "0,28"}, "price", "is no plain decimal of 0 or more, such as 0.28"),
        ("prices", {"price": "1E2000000"}, "price", "is no plain decimal of 0 or more, such as 0.28"),
        ("prices", {"price": "0." + "1" * 31}, "price", "has more than 30 digits (limits.digits)"),
        ("prices", {"price": ".5"}, "price", "is no plain decimal of 0 or more, such as 0.28"),
        ("prices", {"currency": "XXX"}, "currency", "is no currency of ISO 4217 with a minor unit, such as CHF"),
        (
            "prices",
            {"currency": "chf"},
            "currency",
            "is no currency of ISO 4217 with a minor unit, such as CHF: write it in capitals",
        ),
        ("prices", {"level": "1.0"}, "level", "is no whole number, or negative"),
        ("prices", {"level": "9" * 20}, "level", "is above 9223372036854775807"),
        ("prices", {"unit": "GB/fortnight"}, "unit", "is no unit of price such as GB/month, GB/hour, TB/month"),
        ("prices", {"multiplier": 1}, "multiplier", "disagrees with the unit GB/month, which is 2783138807808000"),
        ("prices", {"effective_from": ""}, "effective_from", "is missing"),
        ("burst_levels", {"level": "two"}, "level", "is no whole number, or negative"),
        ("burst_levels", {"effective_from": "2026-02-30"}, "effective_from", "is no date of the calendar"),
        ("accounts", {"currency": ""}, "currency", "is missing"),
        ("accounts", {"account": "a" * 129}, "account", "is longer than 128 characters"),
        ("accounts", {"name": "n" * 1001}, "name", "is longer than 1000 characters"),
    ],
)  # fmt: skip
def test_a_row_that_is_no_fact_is_rejected_with_field_and_reason(tmp_path, table, row, field, reason, ending):
    assert one_rejection(tmp_path, table, row, ending) == (field, reason)


@pytest.mark.parametrize(
    "token",
    ['"name": "\\ud800"', '"account": 12', '"account": true', '"account": ["a"]', '"account": "x", "account": "y"', '"currency": 5',
     '"name": {"a": 1}', '"account": ' + "[" * 20000 + "]" * 20000, '"account": ' + "9" * 5000],
    ids=lambda token: token[:40],
)  # fmt: skip
def test_json_that_is_no_fact_is_rejected_and_never_an_accident(tmp_path, token):
    name = token.split('"')[1]
    line = json.dumps({key: value for key, value in ACCOUNT.items() if key != name})[:-1] + ", " + token + "}"
    (tmp_path / "accounts.ndjson").write_text(json.dumps(ACCOUNT | {"account": "good"}) + "\n\n" + line + "\n")
    outcome = ingested(tmp_path)
    assert counts(outcome, "accounts") == (1, 0, 0, 1, 0)
    assert outcome.rejections[0].line == 3


@pytest.mark.parametrize("field", ["price", "level", "multiplier"])
def test_a_price_that_was_a_float_on_its_way_is_refused(tmp_path, field):
    row = json.dumps(PRICE | {field: "@"}).replace('"@"', "1.0" if field != "price" else "2.8e-1")
    (tmp_path / "prices.ndjson").write_text(row + "\n" + json.dumps(price("JPY")) + "\n")
    outcome = ingested(tmp_path)
    assert (counts(outcome, "prices"), outcome.rejections[0].field) == ((1, 0, 0, 1, 0), field)


def test_a_conflict_is_told_in_the_words_and_instants_of_the_file(tmp_path):
    bought = {"id": "1", "account": "a1", "location": "ZRH", "amount": 5, "start_time": "2026-10-01", "end_time": "2026-11-01"}
    with metering.open(":memory:") as meter:
        meter.ingest(write_facts(tmp_path / "first", {"prices": [price()], "subscriptions": [bought]}))
        other = {"prices": [price(amount="0.56")], "subscriptions": [bought | {"end_time": "2026-12-01T12:00:00+01:00"}]}
        told = {each.table: (each.value, each.reason) for each in meter.ingest(write_facts(tmp_path / "other", other)).rejections}
    stays = "another row of the same key something else: the first stays; --supersede replaces it"
    assert told == {
        "prices": (
            "resource=backup currency=CHF level=1 effective_from=2026-01-01T00:00:00Z",
            f"says price=0.56 unit=GB/month multiplier=2783138807808000, {stays}",
        ),
        "subscriptions": (
            "location=ZRH id=1",
            f"says account=a1 amount=5 start_time=2026-10-01T00:00:00Z end_time=2026-12-01T11:00:00Z, {stays}",
        ),
    }


def test_the_same_again_adds_nothing_and_something_else_is_a_conflict_until_superseded(tmp_path):
    folder = write_facts(tmp_path / "facts", {"prices": [price()], "samples": [sample(at(0), 2**30)], "accounts": [ACCOUNT]})
    other = write_facts(tmp_path / "other", {"prices": [price(amount="0.56")]})
    with metering.open(":memory:") as meter:
        meter.ingest(folder)
        assert counts(meter.ingest(folder), "prices") == (0, 1, 0, 0, 0)
        conflict = meter.ingest(other)
        assert counts(conflict, "prices") == (0, 0, 1, 0, 0)
        assert conflict.rejections[0].reason == (
            "says price=0.56 unit=GB/month multiplier=2783138807808000, another row of the same key something else: "
            "the first stays; --supersede replaces it"
        )
        assert meter.ingest(other).ingest_seq is None
        bill = meter.bill(HOUR)
        assert [line.price for line in bill.lines] == ["0.28"]
        assert "conflicting_facts" in {finding.check for finding in bill.findings}
        seq = meter.ingest(other, supersede=True).ingest_seq
        assert [line.price for line in meter.bill(HOUR).lines] == ["0.56"]
        assert [line.price for line in meter.bill(HOUR, known_at=seq - 1).lines] == ["0.28"]
        assert counts(meter.ingest(other), "prices") == (0, 1, 0, 0, 0)


def test_two_rows_of_one_key_and_instant_are_both_refused_if_they_differ(tmp_path):
    outcome = ingested(write_facts(tmp_path / "a", {"prices": [price(), price(amount="0.3"), price("JPY", "1")]}))
    assert counts(outcome, "prices") == (1, 0, 2, 0, 0)
    assert [rejection.line for rejection in outcome.rejections] == [2, 3]
    outcome = ingested(write_facts(tmp_path / "b", {"prices": [price(), price(), price(effective_from="2026-01-01T00:00:00Z")]}))
    assert counts(outcome, "prices") == (1, 2, 0, 0, 0)


def test_other_resources_than_backup_are_ignored_and_counted(tmp_path):
    rows = [PRICE, PRICE | {"resource": "cpu", "price": "rubbish"}, PRICE | {"resource": "mem"}]
    assert counts(ingested(write_facts(tmp_path / "facts", {"prices": rows})), "prices") == (1, 0, 0, 0, 2)


@pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet"])
@pytest.mark.parametrize(
    ("told", "field", "reason"),
    [
        ({"price": "for free"}, "price", "is no plain decimal of 0 or more, such as 0.28"),
        ({"price": "-5"}, "price", "is no plain decimal of 0 or more, such as 0.28"),
        ({"price": "9" * 101}, "price", "has more than 100 digits"),
        ({"currency": "francs", "price": "5"}, "currency", "is no currency of ISO 4217 with a minor unit, such as CHF"),
        ({"auto_renew": "y" * 1001}, "auto_renew", "is longer than 1000 characters"),
    ],
)
def test_a_subscription_entitles_whatever_is_written_into_what_decides_nothing(tmp_path, told, field, reason, ending):
    row = SUBSCRIPTION | {"price": "", "currency": "CHF", "auto_renew": ""} | told
    facts = {"subscriptions": [row], "samples": [sample(at(0), 9, "s", "a1", "ZRH", endpoint="ZRH")], "prices": [PRICE]}
    with metering.open(":memory:") as meter:
        outcome = meter.ingest(write_facts(tmp_path / "facts", facts, ending))
        assert counts(outcome, "subscriptions") == (1, 0, 0, 0, 0)
        (rejection,) = outcome.rejections
        assert (rejection.field, rejection.reason) == (field, f"{reason}; left out, the rest of the row counts")
        assert not outcome.is_clean
        bill = meter.bill(HOUR)
        (usage,) = bill.usage
        assert usage.entitled_byte_seconds == 5 * usage.measured_seconds + 5 * usage.held_seconds > 0
        assert "rejected_rows" in {finding.check for finding in bill.findings}
        with meter._store.reading() as engine:
            ((price_told, currency),) = engine.sql("select price, currency from subscriptions")
        assert (price_told, currency) == (None, None if field == "currency" else "CHF")
        assert meter.ingest(tmp_path / "facts").ingest_seq is None, "told again, it is nothing new"


def test_a_subscription_costs_what_it_costs_to_the_last_of_many_digits(tmp_path):
    cost = "0." + "123456789" * 7
    outcome = ingested(write_facts(tmp_path / "facts", {"subscriptions": [SUBSCRIPTION | {"price": cost, "currency": "CHF"}]}))
    assert (counts(outcome, "subscriptions"), outcome.rejections) == ((1, 0, 0, 0, 0), [])


def test_a_subscription_by_period_is_the_same_fact_whenever_it_is_ingested(tmp_path):
    folder = write_facts(
        tmp_path / "facts",
        {"subscriptions": [
            {"id": "1", "account": "a", "location": "ZRH", "amount": 5, "start_time": "", "end_time": "", "period": "1 month"},
            {"id": "2", "account": "a", "location": "ZRH", "amount": 5, "start_time": "", "end_time": "2028-01-01", "period": ""},
        ]},
    )  # fmt: skip
    times = iter([1_800_000_000, 1_800_500_000])
    with Meter(Settings(store=":memory:"), clock=lambda: next(times)) as meter:
        assert counts(meter.ingest(folder), "subscriptions") == (2, 0, 0, 0, 0)
        again = meter.ingest(folder)
        assert (counts(again, "subscriptions"), again.ingest_seq) == ((0, 2, 0, 0, 0), None)


def test_a_subscription_that_reaches_us_twice_counts_once_by_location_and_id(tmp_path):
    rows = [SUBSCRIPTION, SUBSCRIPTION, SUBSCRIPTION | {"location": "GVA"}, SUBSCRIPTION | {"period": "30 days", "id": "2"}]
    assert counts(ingested(write_facts(tmp_path / "facts", {"subscriptions": rows})), "subscriptions") == (3, 1, 0, 0, 0)


def test_a_bad_row_beside_good_ones_is_told_by_its_line_even_behind_quoted_newlines(tmp_path):
    rows = [ACCOUNT | {"name": "two\nlines"}, ACCOUNT | {"account": "b", "currency": "?"}, ACCOUNT | {"account": "c"}]
    (tmp_path / "accounts.csv").write_bytes(csv_bytes(rows, end="\r\n", bom=True))
    outcome = ingested(tmp_path)
    assert (counts(outcome, "accounts"), outcome.rejections[0].line) == ((2, 0, 0, 1, 0), 4)


def test_a_line_with_a_carriage_return_in_it_is_rejected_and_no_other_line_is_lost(tmp_path):
    (tmp_path / "accounts.csv").write_bytes(b"account,currency,name\n\rb,CHF,x\nc,CHF,y\rz\nd,CHF,z\n")
    outcome = ingested(tmp_path)
    assert (counts(outcome, "accounts"), [rejection.line for rejection in outcome.rejections]) == ((1, 0, 0, 2, 0), [2, 3])
