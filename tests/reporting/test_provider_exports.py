"""Exports in the provider's own shapes: the lines' exact ratios add up to the charges, and what is written is read back."""

import csv
import json
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

import pytest
from reconcile_world import lived, meter_of_world, span
from small_world import GIB, meter_of, polls, price, subscription
from typer.testing import CliRunner

from metering.cli.app import app
from metering.model.errors import MisuseError
from metering.sandbox.server_views import ledger_view

HOUR = "2026-10-05T00:00:00Z..2026-10-05T01:00:00Z"
UNIT = Decimal(1).scaleb(-20)


@pytest.fixture(scope="module")
def lived_day(tmp_path_factory):
    """A day of a random world, and a meter that has polled it."""
    world = lived(6, days=1)
    with meter_of_world(tmp_path_factory.mktemp("day"), world) as meter:
        yield world, meter


def exported(meter, folder, name, period, ending="json", **options):
    place = folder / f"{name}.{ending}"
    (count,) = meter.export(name, place, period=period, **options).values()
    objects = json.loads(place.read_text(encoding="utf-8"))["objects"]
    assert len(objects) == count
    return objects


def test_a_line_of_the_ledger_is_as_the_provider_writes_it(tmp_path):
    meter = meter_of(tmp_path, samples=polls("2026-10-05T00:00:00Z", "2026-10-05T01:00:00Z", {"s": 4_831_838_208}))
    lines = exported(meter, tmp_path, "ledger", HOUR)
    assert len(lines) == 12
    charge = lines[0].pop("id").rpartition("-")
    assert charge[0] == meter.bill(HOUR).lines[0].charge_id
    assert (charge[2], lines[1]["id"]) == ("00000", f"{charge[0]}-00300")
    assert lines[0] == {
        "time": "2026-10-05T00:00:00+00:00", "poll_time": "2026-10-05T00:00:00+00:00", "billing_cycle": 5_970_528, "interval": 300,
        "human_interval": "5 minutes", "amount": "0.00014583333333333333", "initial": "0.00000000000000000000",
        "end": "-0.00014583333333333333", "resource_amount": "4831838208",
        "reason": "Burst: 4.50 GB of backup for 5 minutes at 2026-10-05 00:00", "account": "A", "location": "ZRH",
        "currency": "CHF",
    }  # fmt: skip


def test_the_lines_are_the_very_lines_of_the_provider_where_it_looks_when_we_poll(tmp_path):
    world = lived(3, days=1)
    with meter_of_world(tmp_path, world) as meter:
        lines = exported(meter, tmp_path, "ledger", span(world))
    ours = {(line["account"], line["location"], line["poll_time"], line["amount"], line["resource_amount"]): line for line in lines}
    names = ("interval", "human_interval", "billing_cycle", "reason")
    shared = 0
    for (account, location), book in world.money.ledger.items():
        for theirs in map(ledger_view, book):
            key = (account, location, theirs["poll_time"], theirs["amount"], theirs["resource_amount"])
            if theirs["interval"] and key in ours:
                shared += 1
                assert {name: theirs[name] for name in names} == {name: ours[key][name] for name in names}
                assert ours[key].keys() - theirs.keys() == {"account", "location", "currency"}
    assert shared > len(lines) * 9 // 10


@pytest.mark.parametrize("missed", [0, 10])
def test_the_exact_ratios_of_the_lines_add_up_to_the_charges_and_rounding_is_bounded(tmp_path, missed):
    world = lived(5, days=2)
    with meter_of_world(tmp_path, world, missed=missed) as meter:
        lines = exported(meter, tmp_path, "ledger", span(world))
        bill = meter.bill(span(world))
    charges = {line.charge_id: line for line in bill.lines}
    pieces = defaultdict(list)
    for line in lines:
        pieces[line["id"].rpartition("-")[0]].append(line)
    assert pieces.keys() == charges.keys()
    for charge_id, parts in pieces.items():
        charge = charges[charge_id]
        byte_seconds = sum(int(part["resource_amount"]) * part["interval"] for part in parts)
        assert (byte_seconds, sum(part["interval"] for part in parts)) == (charge.burst_byte_seconds, charge.burst_seconds)
        rounded = sum((Decimal(part["amount"]) for part in parts), Decimal(0))
        assert abs(rounded - charge.amount) <= (len(parts) + 1) * UNIT / 2
        rate = Fraction(charge.price) / charge.multiplier
        for part in parts:
            exact = int(part["resource_amount"]) * part["interval"] * rate
            assert abs(Fraction(part["amount"]) - exact) <= Fraction(UNIT) / 2
            assert Fraction(part["initial"]) - Fraction(part["amount"]) == Fraction(part["end"])


def test_a_cycle_in_which_burst_or_price_changes_is_cut_where_it_does(tmp_path):
    meter = meter_of(
        tmp_path,
        samples=polls("2026-10-05T00:00:00Z", "2026-10-05T00:15:00Z", {"s": 4 * GIB}),
        subscriptions=[subscription("1", GIB, "2026-10-05T00:02:17Z", "2026-10-06")],
        prices=(price("0.28"), price("0.30", since="2026-10-05T00:11:00Z")),
    )
    lines = exported(meter, tmp_path, "ledger", HOUR)
    shown = [(line["poll_time"][11:19], line["interval"], int(line["resource_amount"]) // GIB) for line in lines]
    assert shown[:2] == [("00:00:00", 137, 4), ("00:02:17", 163, 3)]
    assert shown[3:5] == [("00:10:00", 60, 3), ("00:11:00", 240, 3)]
    assert lines[0]["human_interval"] == "2 minutes"
    # A poll is held for 900 s at the most: what is billed is exported, what was not observed is not.
    assert sum(line["interval"] for line in lines) == 600 + 900


def test_an_unpriced_line_has_no_amount_and_daily_burst_neither(tmp_path):
    meter = meter_of(tmp_path, samples=polls("2026-10-05T00:00:00Z", "2026-10-05T01:00:00Z", {"s": GIB}), prices=())
    assert {line["amount"] for line in exported(meter, tmp_path, "ledger", HOUR)} == {None}
    assert [day["amount"] for day in exported(meter, tmp_path, "dailyburst", HOUR)] == [None]


def test_daily_burst_sums_the_days_charges_and_names_the_highest(tmp_path):
    world = lived(4, days=2)
    with meter_of_world(tmp_path, world) as meter:
        days = exported(meter, tmp_path, "dailyburst", span(world))
        bill = meter.bill(span(world)).document()
    sums = defaultdict(Decimal)
    for line in bill["lines"]:
        sums[line["account"], line["location"], line["date"]] += Decimal(line["amount"])
    assert {(day["account"], day["location"], day["date"]): Decimal(day["amount"]) for day in days} == dict(sums)
    assert list(days[0]) == ["date", "amount", "resource_type", "usage", "account", "location", "currency"]
    assert max(day["usage"] for day in days) == max(int(line["peak_burst_bytes"]) for line in bill["lines"])


def test_current_usage_is_that_of_the_periods_last_second_and_null_where_nobody_looked(tmp_path):
    meter = meter_of(
        tmp_path,
        samples=[
            *polls("2026-10-05T00:00:00Z", "2026-10-05T01:00:00Z", {"s": 4 * GIB}),
            *polls("2026-10-05T00:00:00Z", "2026-10-05T00:10:00Z", {"t": GIB}, endpoint="GVA"),
        ],
        subscriptions=[subscription("1", GIB, "2026-10-05", "2026-10-06")],
    )
    gva, zrh = exported(meter, tmp_path, "currentusage", HOUR)
    assert zrh == {
        "balance": {"balance": None, "currency": "CHF", "credit_limit": None},
        "usage": {"backup": {"burst": 3 * GIB, "subscribed": GIB, "using": 4 * GIB}},
        "time": "2026-10-05T01:00:00+00:00", "account": "A", "location": "ZRH", "currency": "CHF",
    }  # fmt: skip
    assert gva["usage"]["backup"] == {"burst": None, "subscribed": 0, "using": None}


@pytest.mark.parametrize("name", ["ledger", "dailyburst", "currentusage"])
def test_every_format_says_the_same(lived_day, tmp_path, name):
    world, meter = lived_day
    objects = exported(meter, tmp_path, name, span(world))
    meter.export(name, tmp_path / f"{name}.ndjson", period=span(world))
    meter.export(name, tmp_path / f"{name}.csv", period=span(world))
    assert [json.loads(line) for line in (tmp_path / f"{name}.ndjson").read_text().splitlines()] == objects
    flat = [each | each["usage"]["backup"] | each["balance"] if name == "currentusage" else each for each in objects]
    with (tmp_path / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{column: "" if one[column] is None else str(one[column]) for column in rows[0]} for one in flat]
    assert len(rows) == len(objects) > 0


def test_one_account_alone_can_be_exported(lived_day, tmp_path):
    world, meter = lived_day
    account = min(world.accounts)
    for name in ("ledger", "dailyburst", "currentusage"):
        assert {each["account"] for each in exported(meter, tmp_path, name, span(world), account=account)} <= {account}


def test_an_ending_that_tells_no_format_is_refused_before_anything_is_computed(tmp_path):
    meter = meter_of(tmp_path, samples=polls("2026-10-05T00:00:00Z", "2026-10-05T01:00:00Z", {"s": GIB}))
    with pytest.raises(MisuseError, match=r"ledger\.parquet tells no format: end it in \.json, \.ndjson or \.csv"):
        meter.export("ledger", tmp_path / "ledger.parquet", period="2030-01")


def test_the_command_says_how_many_lines_there_are_and_asks_for_a_period(tmp_path):
    meter_of(tmp_path, samples=polls("2026-10-05T00:00:00Z", "2026-10-05T01:00:00Z", {"s": GIB})).close()
    words = ["export", "ledger", "--store", str(tmp_path / "store.duckdb"), "-o", str(tmp_path / "l.json")]
    done = CliRunner().invoke(app, [*words, "--period", HOUR])
    assert (done.exit_code, done.stderr.strip()) == (0, f"{tmp_path / 'l.json'}: 12 rows")
    assert CliRunner().invoke(app, words).exit_code == 2
