"""Rows of one key that do not say the same: compared by what they mean, and only what decides something takes a fact with it."""

from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hour_facts import HOUR, at, counts, csv_bytes, heartbeat, price, sample, write_facts

import metering
from metering.model.errors import InputError
from metering.model.terms import renews

BOUGHT = {"id": "1", "account": "a1", "location": "ZRH", "amount": 5, "start_time": "2026-10-04T12:00:00Z", "period": "1 month",
          "price": "1.50", "currency": "CHF", "auto_renew": "true"}  # fmt: skip
KEPT = (
    "another row of the same key something else: that decides nothing, and the row counts; what the other says stays, until this "
    "one is ingested without it and with --supersede"
)
AT_ONCE = "another row of the same key in this command something else: neither is taken; leave one of them out"


def files(folder, *rows):
    """Write a file of subscriptions for each row, named in their order."""
    (folder / "subscriptions").mkdir(parents=True)
    for number, row in enumerate(rows):
        (folder / "subscriptions" / f"{number}.csv").write_bytes(csv_bytes([BOUGHT | row]))
    (folder / "samples.csv").write_bytes(csv_bytes([sample(at(0), 9), heartbeat(at(5))]))
    return folder


def stored(meter):
    with meter._store.reading() as engine:
        return engine.sql("select price, currency, auto_renew from subscriptions order by ingest_seq")


def entitled(meter):
    (usage,) = meter.bill(HOUR).usage
    return usage.entitled_byte_seconds


@pytest.mark.parametrize("rows", [({}, {"price": "1.5"}), ({"price": "1.5"}, {}), ({"price": "01.500"}, {"price": "1.5"}, {})])
def test_a_price_is_the_same_however_many_zeros_it_is_written_with(tmp_path, rows):
    with metering.open(":memory:") as meter:
        outcome = meter.ingest(files(tmp_path / "facts", *rows))
        assert (counts(outcome, "subscriptions"), outcome.rejections) == ((1, len(rows) - 1, 0, 0, 0), [])
        # Of those that mean the same the shortest is kept, whatever file it stands in.
        assert stored(meter) == [("1.5", "CHF", "true")]
        assert counts(meter.ingest(files(tmp_path / "again", {"price": "1.5000"})), "subscriptions") == (0, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"price": "1.60"}, "price=1.60"),
        ({"currency": "USD"}, "currency=USD"),
        ({"auto_renew": "false"}, "auto_renew=false"),
        ({"price": "2.00", "currency": "USD"}, "price=2.00 currency=USD"),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_contradiction_about_what_decides_nothing_takes_no_entitlement_and_is_told(tmp_path, told, said, is_first):
    rows = (told, {}) if is_first else ({}, told)
    with metering.open(":memory:") as meter:
        outcome = meter.ingest(files(tmp_path / "facts", *rows))
        assert counts(outcome, "subscriptions") == (1, 1, 0, 0, 0)
        (rejection,) = outcome.rejections
        assert (rejection.file.endswith("0.csv" if is_first else "1.csv"), rejection.reason) == (True, f"says {said}, {KEPT}")
        # The same is kept in either order; 300 s are measured twice, and 600 s held.
        assert (stored(meter), entitled(meter)) == ([("1.50", "CHF", "true")], 5 * 1_200)
        assert [each.count for each in meter.bill(HOUR).findings if each.check == "conflicting_facts"] == [1]
        assert meter.ingest(tmp_path / "facts").ingest_seq is None, "told again, it is nothing new"


def test_what_one_row_does_not_say_contradicts_nothing_and_is_taken_from_the_other(tmp_path):
    silent = {"price": "", "currency": "", "auto_renew": ""}
    with metering.open(":memory:") as meter:
        outcome = meter.ingest(files(tmp_path / "facts", silent, {}))
        assert (counts(outcome, "subscriptions"), outcome.rejections) == ((1, 1, 0, 0, 0), [])
        assert stored(meter) == [("1.50", "CHF", "true")]


def test_over_two_commands_too_the_first_price_stays_until_it_is_superseded(tmp_path):
    other = files(tmp_path / "other", {"price": "1.6", "auto_renew": "no"})
    with metering.open(":memory:") as meter:
        meter.ingest(files(tmp_path / "facts", {}))
        outcome = meter.ingest(other)
        assert counts(outcome, "subscriptions") == (0, 1, 0, 0, 0)
        assert [each.reason for each in outcome.rejections] == [f"says price=1.6 auto_renew=no, {KEPT}"]
        assert (stored(meter), entitled(meter)) == ([("1.50", "CHF", "true")], 5 * 1_200)
        assert meter.ingest(other).ingest_seq is None
        outcome = meter.ingest(other, supersede=True)
        assert (counts(outcome, "subscriptions"), outcome.rejections) == ((1, 0, 0, 0, 0), [])
        assert (stored(meter)[-1], entitled(meter)) == (("1.6", "CHF", "no"), 5 * 1_200)
        with pytest.raises(InputError, match="as --strict asks: 1 rejected row"):
            meter.ingest(tmp_path / "facts", strict=True)


def test_a_price_in_parquets_decimals_is_the_price_in_csv(tmp_path):
    row = price() | {"price": Decimal("0.2800")}
    folder = write_facts(tmp_path / "text", {"prices": [price()]})
    (tmp_path / "both" / "prices").mkdir(parents=True)
    parquet = tmp_path / "both" / "prices" / "a.parquet"
    pq.write_table(pa.Table.from_pylist([row]).set_column(3, "price", pa.array([row["price"]], pa.decimal128(18, 4))), parquet)
    with metering.open(":memory:") as meter:
        meter.ingest(folder)
        outcome = meter.ingest(parquet.parent)
        assert (counts(outcome, "prices"), outcome.rejections) == ((0, 1, 0, 0, 0), [])
    (parquet.parent / "b.csv").write_bytes((folder / "prices.csv").read_bytes())
    with metering.open(":memory:") as meter:
        outcome = meter.ingest(parquet.parent.parent)
        assert (counts(outcome, "prices"), outcome.rejections) == ((1, 1, 0, 0, 0), [])
        with meter._store.reading() as engine:
            assert engine.sql("select price from prices") == [("0.28",)]


@pytest.mark.parametrize("supersede", [False, True])
def test_of_rows_that_contradict_each_other_at_once_none_is_taken_and_that_is_what_is_said(tmp_path, supersede):
    with metering.open(":memory:") as meter:
        outcome = meter.ingest(files(tmp_path / "facts", {}, {"amount": 6}), supersede=supersede)
        assert counts(outcome, "subscriptions") == (0, 0, 2, 0, 0)
        assert {each.reason.partition(", ")[2] for each in outcome.rejections} == {AT_ONCE}
        assert (stored(meter), entitled(meter)) == ([], 0)


def test_a_poll_that_contradicts_itself_is_told_apart_from_one_that_came_again(tmp_path):
    first = write_facts(tmp_path / "a", {"samples": [sample(at(0), 5)]})
    both = write_facts(tmp_path / "b", {"samples": [sample(at(0), 6), sample(at(5), 5), sample(at(5), 6)]})
    with metering.open(":memory:") as meter:
        meter.ingest(first)
        outcome = meter.ingest(both)
        assert (outcome.polls.conflicting, outcome.contradicting) == (2, 1)
        assert [each.message for each in meter.bill(HOUR).findings if each.check == "conflicting_polls"] == [
            "1 poll at ZRH arrived again with other content, the first of 2026-10-05T00:00:00Z: what came first stays; "
            "`metering ingest --supersede` replaces it",
            "1 poll at ZRH arrived with two different contents at once, the first of 2026-10-05T00:05:00Z: neither was taken; "
            "ingest the right one alone",
        ]
        meter.ingest(write_facts(tmp_path / "c", {"samples": [sample(at(5), 6)]}))
        assert len([each for each in meter.bill(HOUR).findings if each.check == "conflicting_polls"]) == 1


def test_what_renews_by_itself_is_the_same_to_rows_that_are_compared_and_to_those_that_are_kept(tmp_path):
    said = ["", "true", "True", "TRUE", "1", "yes", "Yes", "no", "false", "0", "on", "y"]
    with metering.open(":memory:") as meter:
        meter.ingest(files(tmp_path / "facts", *({"id": f"s{number}", "auto_renew": text} for number, text in enumerate(said))))
        with meter._store.reading() as engine:
            rows = {row["id"]: row["is_renewed"] for row in engine.rows("billing/known_subscriptions", {"known_seq": 1})}
    assert [rows[f"s{number}"] for number in range(len(said))] == [renews(text) for text in said]
    assert sum(rows.values()) == 6
