"""Charts show what the figures say: as high, as long and where, and nothing that a name would like them to."""

import re
import struct
import sys
import xml.etree.ElementTree as ET
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hostile_world import DAY, NAMES
from small_world import ACCOUNTS, GIB, meter_of, polls, price, subscription

from metering.model.errors import InputError, MisuseError, NoDataError
from metering.model.period import parse_period
from metering.model.tables import Table, columns_of
from metering.reporting.charts import draw, pictures, series

HOUR_S = 3_600
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """A month of one account: a burst of five minutes, a day without a subscription, two hours that nobody observed."""
    samples = [
        *polls("2026-10-01T00:00:00Z", "2026-10-10T00:00:00Z", {"s": 100 * GIB}),
        *polls("2026-10-10T00:00:00Z", "2026-10-10T00:05:00Z", {"s": 700 * GIB}),
        *polls("2026-10-10T00:05:00Z", "2026-10-20T04:00:00Z", {"s": 100 * GIB}),
        *polls("2026-10-20T06:00:00Z", "2026-10-31T00:00:00Z", {"s": 90 * GIB}),
    ]
    bought = [subscription("1", 120 * GIB, "2026-09-01", "2026-10-15"), subscription("2", 120 * GIB, "2026-10-16", "2026-11-15")]
    with meter_of(tmp_path_factory.mktemp("month"), samples=samples, subscriptions=bought) as meter:
        yield meter


def drawn(meter, period_text):
    period = parse_period(period_text)
    usage = series.ranked(meter.bill(period_text).usage)
    with meter.computed(period_text) as (engine, _):
        return series.levels(engine, period, usage)


def lines(unit, what):
    """Give the parts of a line: from, to, level and what it is shaded from, of each piece that is level."""
    rows = [row for row in unit.rows if row["what"] == what]
    return [
        (a["from"] // 1_000, b["from"] // 1_000, a["bytes"], a["above"])
        for a, b in pairwise(rows)
        if a["bytes"] is not None and b["bytes"] == a["bytes"] and b["from"] > a["from"]
    ]


def seconds(text):
    return parse_period(f"{text}..2030-01-01").start_s


def test_a_burst_of_five_minutes_is_drawn_as_high_as_it_was(month):
    (unit,) = drawn(month, "2026-10")
    at = seconds("2026-10-10T00:00:00Z")
    assert (at, at + HOUR_S, 700 * GIB, 120 * GIB) in lines(unit, "burst")
    assert (at, at + HOUR_S, 700 * GIB, None) in lines(unit, "occupied")


def test_a_day_without_a_subscription_is_shaded_from_the_ground(month):
    (unit,) = drawn(month, "2026-10")
    assert (seconds("2026-10-15"), seconds("2026-10-16"), 100 * GIB, 0) in lines(unit, "burst")


def test_missing_time_is_hatched_from_the_first_such_second_to_the_last_and_no_line_crosses_it(month):
    (unit,) = drawn(month, "2026-10")
    gaps = [(row["from"] // 1_000, row["to"] // 1_000) for row in unit.rows if row["what"] == "missing"]
    # A poll is held for 15 minutes; after the last one of the month nobody looked.
    gap = (seconds("2026-10-20T04:10:00Z"), seconds("2026-10-20T06:00:00Z"))
    assert gap in gaps
    assert gaps[-1] == (seconds("2026-10-31T00:10:00Z"), seconds("2026-11-01"))
    # To within the bucket in which it begins, of which a part was observed.
    assert all(end <= seconds("2026-10-20T05:00:00Z") or start >= gap[1] for start, end, *_ in lines(unit, "occupied"))


def test_time_that_is_not_observed_for_less_than_a_pixel_is_a_pixel_wide(tmp_path):
    samples = [
        *polls("2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z", {"s": GIB}),
        *polls("2026-10-02T00:15:00Z", "2026-10-03T00:00:00Z", {"s": GIB}),
    ]
    with meter_of(tmp_path, samples=samples, settings={"max_hold": 600}) as meter:
        (unit,) = drawn(meter, "2026-10")
    first = next(row for row in unit.rows if row["what"] == "missing")
    assert first["from"] // 1_000 == seconds("2026-10-02T00:05:00Z")
    assert (first["to"] - first["from"]) // 1_000 == -(-31 * 86_400 // 450)


@pytest.mark.parametrize(
    "period", ["2026-10-10", "2026-10", "2026-01-01..2027-01-01", "2026-10-09T23:00:00Z..2026-10-10T03:07:11Z"]
)
def test_every_bucket_has_the_highest_level_that_was_observed_in_it(month, period):
    (unit,) = drawn(month, period)
    bucket_s = series.bucket_seconds(parse_period(period))
    with month.computed(period) as (engine, _):
        steps = engine.sql("select starts_at_s, ends_at_s, occupied_bytes, state from usage_steps where state <> 'missing'")
    highest = {}
    for start_s, end_s, level, _ in steps:
        for at in range(start_s - start_s % bucket_s, end_s, bucket_s):
            highest[at] = max(highest.get(at, 0), int(level))
    shown = {}
    for start_s, end_s, level, _ in lines(unit, "occupied"):
        for at in range(start_s - start_s % bucket_s, end_s, bucket_s):
            shown[at] = max(shown.get(at, 0), level)
    assert shown == highest
    assert len(highest) <= 801


def test_a_chart_has_no_more_points_than_it_has_pixels_whatever_the_period():
    for text in ("2026-10-01", "2026-10", "2020-01-01..2030-01-01", "2026-10-01T00:00:00Z..2026-10-01T00:00:01Z"):
        period = parse_period(text)
        assert (period.end_s - period.start_s) <= series.bucket_seconds(period) * 801


def test_the_heat_map_adds_up_to_the_burst_of_the_bill(hostile, month):
    for meter, period in ((hostile, DAY), (month, "2026-10"), (month, "2020-01-01..2028-01-01")):
        bill = meter.bill(period)
        rows = series.burst_days(parse_period(period), bill.usage, bill.lines)
        assert sum(row["byte_seconds"] for row in rows) == sum(row.burst_byte_seconds for row in bill.usage)
        assert len(rows) <= 400 * len({row.location for row in bill.usage})


def test_a_burst_is_drawn_however_large_it_is(tmp_path):
    """Byte-seconds of a day have more than 64 bits from 200 TiB on; then there was no page."""
    samples = polls("2026-10-01", "2026-10-01T06:00:00Z", {"s": 1 << 60})
    with meter_of(tmp_path, samples=samples, prices=[price("0.30")], accounts=ACCOUNTS) as meter:
        (row,) = series.burst_days(parse_period("2026-10-01"), meter.bill("2026-10-01").usage, meter.bill("2026-10-01").lines)
        for name in pictures.PLOTS:
            meter.plot(name, tmp_path / f"{name}.svg", period="2026-10-01")
        meter.page(tmp_path / "page.html", period="2026-10-01")
    assert row["byte_seconds"] > 1 << 64
    assert "ZRH, 1 Oct 2026: 9200000 GiB-months" in (tmp_path / "burst.svg").read_text()


def test_what_it_cost_is_drawn_as_the_report_has_it(month):
    table = month.report_table("cost", "2026-10", by="location")
    (row,) = table.documents()
    parts = {part["part"]: Fraction(part["amount"]) for part in series.cost_parts(table, "CHF")}
    assert parts == {"subscription": Fraction(row["subscription_cost"]), "burst": Fraction(row["burst_cost"])}


def cost_of(*rows):
    columns = columns_of(location="text", currency="text", subscription_cost="money", burst_cost="money", adjustment_cost="money")
    costs = [[None if part is None else Decimal(part) for part in (*parts, "0")] for _, _, *parts in rows]
    return Table("cost", columns, [(*row[:2], *parts) for row, parts in zip(rows, costs, strict=True)])


def test_a_cost_that_is_not_known_is_said_where_its_bar_would_be():
    table = cost_of(
        ("CWL", "EUR", "86.4", None), ("AMS", "EUR", "0", "0.36"), ("LON", "EUR", None, "2"), ("FRA", "EUR", None, None)
    )
    assert series.cost_parts(table, "EUR") == [
        {"place": "CWL", "part": "subscription", "amount": "86.4"},
        {"place": "CWL", "amount": "86.40000000000000000000", "unknown": "burst not known"},
        {"place": "LON", "part": "burst", "amount": "2"},
        {"place": "LON", "amount": "2.00000000000000000000", "unknown": "subscription not known"},
        {"place": "AMS", "part": "burst", "amount": "0.36"},
        {"place": "FRA", "amount": "0.00000000000000000000", "unknown": "cost not known"},
    ]
    (chart,) = pictures.cost_charts(draw.LIGHT, table, 560)
    texts = [element.text for element in ET.fromstring(draw.svg(chart)).iter(f"{SVG}text")]
    assert [text for text in texts if text.endswith("not known")] == [
        "burst not known", "subscription not known", "cost not known",
    ]  # fmt: skip
    assert {"CWL", "AMS", "LON", "FRA"} <= set(texts)
    width = float(re.search('width="([0-9.]+)"', draw.svg(chart))[1])
    assert width < 560, "the words have room beside the longest bar"


def texts_of(meter, name, place, period):
    """Give the words of a picture, those that are left out for lack of room not among them."""
    meter.plot(name, place, period=period)
    elements = ET.fromstring(place.read_bytes()).iter(f"{SVG}text")
    return [element.text or "" for element in elements if element.get("opacity") != "0"]


@pytest.mark.parametrize("name", ["usage", "burst"])
def test_hours_are_those_of_a_day_of_24_and_a_heading_is_whole(name, month, tmp_path):
    texts = texts_of(month, name, tmp_path / "plot.svg", "2026-10-20..2026-10-22")
    assert {"20 Oct", "12:00", "21 Oct"} <= set(texts)
    assert not [text for text in texts if re.search("[AP]M", text)]
    assert "2026-10-20T00:00:00Z..2026-10-22T00:00:00Z (UTC)" in texts


@pytest.mark.parametrize("name", ["usage", "burst"])
@pytest.mark.parametrize("period", ["2026-10-18..2026-10-22", "2026-10-16T10:00:00Z..2026-10-21", "2026-10-11..2026-10-31"])
def test_a_day_is_written_once_beside_its_axis(name, period, month, tmp_path):
    days = [text for text in texts_of(month, name, tmp_path / "plot.svg", period) if text.endswith(" Oct")]
    assert len(days) > 3
    assert len(set(days)) == len(days)


@pytest.mark.parametrize("name", ["usage", "burst"])
def test_of_more_than_a_year_the_axis_tells_which(name, month, tmp_path):
    texts = texts_of(month, name, tmp_path / "plot.svg", "2025-10-01..2026-11-01")
    assert {"Oct 2025", "Oct 2026"} <= set(texts)


def test_the_heat_map_begins_where_the_period_does(month, tmp_path):
    period = "2026-10-15T20:00:00Z..2026-10-15T23:00:00Z"
    bill = month.bill(period)
    (row,) = series.burst_days(parse_period(period), bill.usage, bill.lines)
    # 100 GiB for three hours.
    assert row["from"] == seconds("2026-10-15T20:00:00Z") * 1_000
    assert row["to"] == seconds("2026-10-15T23:00:00Z") * 1_000
    assert row["byte_seconds"] == 1_159_641_169_920_000
    month.plot("burst", tmp_path / "plot.svg", period=period)
    width = float(re.search('width="([0-9.]+)"', (tmp_path / "plot.svg").read_text())[1])
    assert width <= 1_250


def test_the_heat_map_says_of_how_many_days_a_colour_is(month, tmp_path):
    assert "burst in a day, GiB-months" in texts_of(month, "burst", tmp_path / "plot.svg", "2025-10-01..2026-11-01")
    # 1 492 days, of which 400 have room.
    assert "burst in 4 days, GiB-months" in texts_of(month, "burst", tmp_path / "plot.svg", "2022-10-01..2026-11-01")


def test_a_long_name_leaves_room_for_where_it_is(tmp_path):
    """Two charts of one customer would else be headed alike."""
    name = "Zürcherische Gesellschaft für Informationsverarbeitung und Datentechnik AG"
    samples = [row for endpoint in ("GVA", "ZRH") for row in polls(DAY, "2026-10-02", {endpoint: GIB}, endpoint=endpoint)]
    accounts = [{"account": "A", "currency": "CHF", "name": name}]
    with meter_of(tmp_path, samples=samples, accounts=accounts) as meter:
        texts = texts_of(meter, "usage", tmp_path / "plot.svg", DAY)
    headed = [text for text in texts if text.startswith("Zürcherische Gesellschaft für I… Datentechnik AG · ")]
    assert sorted(text[-3:] for text in headed) == ["GVA", "ZRH"]


@pytest.mark.parametrize("name", pictures.PLOTS)
@pytest.mark.parametrize("dark", [False, True])
def test_a_picture_is_svg_that_says_no_more_than_it_shows_whatever_the_names(name, dark, hostile, tmp_path):
    place = tmp_path / "plot.svg"
    assert hostile.plot(name, place, period=DAY, dark=dark) == (len(NAMES), len(NAMES))
    root = ET.fromstring(place.read_bytes())
    kinds = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert kinds <= {"svg", "g", "path", "line", "rect", "text", "tspan", "defs", "pattern", "clipPath"}
    names = {attribute for element in root.iter() for attribute in element.attrib}
    assert not [name for name in names if name.lower().startswith("on") or name.endswith("href")]
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert any("Backup" in (text or "") or "backup" in (text or "") for text in texts)
    if name == "usage":
        assert any((text or "").startswith("<script>") for text in texts)
        assert not any("\u202e" in (text or "") for text in texts)


@pytest.mark.parametrize("width", [400, 1200, 2400])
def test_a_png_is_as_wide_as_was_asked_to_a_tenth(width, month, tmp_path):
    place = tmp_path / "plot.png"
    month.plot("usage", place, period="2026-10", width=width)
    data = place.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    (drawn_width,) = struct.unpack(">I", data[16:20])
    assert 9 * width <= 10 * drawn_width <= 11 * width


def test_the_colours_of_missing_and_partial_time_are_patterns_that_are_in_the_file(month, tmp_path):
    place = tmp_path / "plot.svg"
    month.plot("usage", place, period="2026-10")
    text = place.read_text()
    assert text.count('<pattern id="missing"') == text.count('<pattern id="partial"') == 1
    assert 'fill="url(#missing)"' in text


def test_only_the_location_that_was_asked_for_is_drawn(hostile, tmp_path):
    with pytest.raises(NoDataError, match=f"in location 'GVA' in {DAY}: `metering report usage --period {DAY}` names what"):
        hostile.plot("usage", tmp_path / "plot.svg", period=DAY, location="GVA")
    assert hostile.plot("usage", tmp_path / "plot.svg", period=DAY, account="twin-1") == (1, 1)


def test_what_cannot_be_drawn_is_said_in_one_line(month, tmp_path, monkeypatch):
    with pytest.raises(MisuseError, match="there is no plot 'pie'"):
        month.plot("pie", tmp_path / "plot.svg", period="2026-10")
    with pytest.raises(MisuseError, match=r"end it in \.png or \.svg"):
        month.plot("usage", tmp_path / "plot.gif", period="2026-10")
    with pytest.raises(NoDataError, match="no usage of account 'nobody'"):
        month.plot("usage", tmp_path / "plot.svg", period="2026-10", account="nobody")
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(InputError, match=r"pip install 'metering\[report\]'"):
        month.plot("usage", tmp_path / "plot.svg", period="2026-10")
    with pytest.raises(InputError, match=r"pip install 'metering\[report\]'"):
        month.page(tmp_path / "page.html", period="2026-10")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_fetched_while_drawing():
    spec = {"data": {"url": "https://example.com/data.json"}, "mark": "point", "encoding": {"x": {"field": "a", "type": "nominal"}}}
    try:
        drawn_text = draw.svg(spec)
    except ValueError as error:
        assert "example.com" in str(error)  # noqa: PT017 -- either is right: it is refused, or drawn without
    else:
        assert "example.com" not in drawn_text


def test_names_are_shown_without_what_would_change_their_neighbours():
    assert draw.label("a\u202eb\x00c\n") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c\N{REPLACEMENT CHARACTER}"
    assert len(draw.label("x" * 500)) == 48


def test_a_picture_says_whose_it_is_and_how_many_are_not_drawn(hostile, tmp_path, monkeypatch):
    def subtitle(name, **options):
        place = tmp_path / f"{name}.svg"
        counts = hostile.plot(name, place, period=DAY, **options)
        return counts, [text for each in ET.parse(place).iter(f"{SVG}text") if (text := each.text or "").startswith(DAY)]

    assert subtitle("usage") == ((len(NAMES), len(NAMES)), [f"{DAY} (UTC)"])
    monkeypatch.setattr("metering.publishing.MOST_DRAWN", 2)
    assert subtitle("usage") == ((2, len(NAMES)), [f"{DAY} (UTC) · the 2 that burst most of {len(NAMES)}"])
    assert subtitle("burst", account="twin-1")[1] == [f"{DAY} (UTC) · Twins Ltd"]


def test_long_names_that_differ_at_their_end_are_told_apart():
    several = [f"Société Générale des Sauvegardes Informatiques S.A. – customer {n}" for n in (1, 207)]
    assert [draw.label(name) for name in several] == [
        "Société Générale des Sauvegarde….A. – customer 1",
        "Société Générale des Sauvegarde…. – customer 207",
    ]


@pytest.mark.parametrize("account", [None, "A", "B"])
def test_what_is_drawn_at_a_glance_is_what_reports_have_and_of_no_other_account(account, tmp_path, monkeypatch):
    """Cost is drawn from days that were summed up at ingest, where their burst is clear from that."""
    samples = [
        row for name, size in (("A", 100), ("B", 70)) for row in polls("2026-10-01", "2026-10-04", {"s": size * GIB}, account=name)
    ]
    accounts = [{"account": name, "currency": "CHF", "name": name} for name in "AB"]
    seen = []
    with meter_of(tmp_path, samples=samples, accounts=accounts) as meter, monkeypatch.context() as patch:
        patch.setattr(pictures, "cost_charts", lambda _palette, cost, _width: seen.append(cost) or [])
        with pytest.raises(NoDataError):
            meter.plot("cost", tmp_path / "cost.svg", period="2026-10", account=account)
        expected = meter.report_table("cost", "2026-10", by="location", account=account).documents()
    assert seen[0].documents() == expected
    assert Fraction(expected[0]["burst_cost"]) > 0
