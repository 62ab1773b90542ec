"""The page of a period: opened in a real browser, it shows what the bill says, asks for nothing, and obeys no name."""

import html
import itertools
import re
from functools import partial
from pathlib import Path

import pytest
import tools
from closed_world import day_meter, more_facts
from hostile_world import DAY, LOCATION, hostile_meter
from small_world import GIB, meter_of, polls, price, subscription
from tools import Parts

from metering.model.errors import NoDataError
from metering.model.units import shown_amount, shown_gib_months
from metering.reporting.month_page import MOST_DRAWN
from metering.reporting.pages import explanation_page

ROOT = Path(__file__).resolve().parent.parent.parent
ALPENROSE = "0a1be405-5c1a-4e0b-9d3e-6f2a7c4d1b01"


@pytest.fixture(scope="module")
def page(october, tmp_path_factory):
    place = tmp_path_factory.mktemp("page") / "october.html"
    october.page(place, period="2026-10")
    return place


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    with hostile_meter(folder) as meter:
        meter.page(folder / "page.html", period=DAY)
        yield folder / "page.html", meter.bill(DAY)


def test_the_page_has_every_figure_of_the_bill(october, page):
    bill = october.bill("2026-10")
    shown = Parts(page.read_text(encoding="utf-8")).text
    for line in bill.lines:
        assert line.charge_id in shown
        assert str(line.burst_byte_seconds) in shown
        assert line.amount is None or shown_amount(line.amount) in shown
    for row in bill.usage:
        assert f"{shown_gib_months(row.occupied_byte_seconds)} {row.occupied_byte_seconds}" in shown
        assert str(row.peak_occupied_bytes) in shown
    for due in bill.statements:
        assert due.account in shown
        assert due.amount_due is None or format(due.amount_due, ",f") in shown
    for finding in bill.findings:
        assert " ".join(finding.message.split()) in shown
    assert "draft: it may still change" in shown


def test_a_picture_of_each_unit_is_on_it_and_the_patterns_once(october, page):
    text = page.read_text(encoding="utf-8")
    assert text.count("<figcaption>") == len(october.bill("2026-10").usage) == 8
    assert text.count('<pattern id="missing"') == 1


def test_a_share_that_was_observed_is_a_figure_as_the_bill_shows_it(page):
    """London of the sample month lacks 13 500 of 2 678 400 s: 99.49597… %."""
    assert '<td class="number">99.49</td>' in page.read_text(encoding="utf-8")


def test_what_is_due_has_all_the_coins_of_its_currency(tmp_path):
    """A dinar has a thousand: 1.000 is no 1.00."""
    accounts, prices = [{"account": "A", "currency": "KWD"}], [price("720", currency="KWD")]
    with meter_of(tmp_path, samples=polls(DAY, "2026-10-01T00:50:00Z", {"s": GIB}), accounts=accounts, prices=prices) as meter:
        assert [format(row.amount_due, "f") for row in meter.bill(DAY).statements] == ["1.000"]
        meter.page(tmp_path / "page.html", period=DAY)
    assert (tmp_path / "page.html").read_text(encoding="utf-8").count('<td class="number">1.000</td>') == 3


def test_a_price_is_read_from_its_right_as_figures_are(page):
    """A level and a price that touch would else be read as one: 1 and 0.27 as 10.27."""
    assert re.search(r'<td class="number">1</td>\s*<td class="number">0.27</td>', page.read_text(encoding="utf-8"))


def test_a_currency_stands_at_its_amount_and_not_at_the_figure_before_it(page):
    """140.0000 and CHF beside each other would be read as money."""
    cells = r'<td class="number">140.0000<small>\d+</small></td>\s*<td class="number">CHF</td>\s*<td class="number">41.445</td>'
    assert re.search(cells, page.read_text(encoding="utf-8"))


def test_what_is_due_and_what_is_wrong_come_first(page):
    shown = Parts(page.read_text(encoding="utf-8")).text
    first = "Due, CHF 69.84 Due, JPY 755 Due, USD 21.77 Parked 1 statement Errors and warnings 8 Burst, GiB-months"
    assert first in shown
    lon, gva = (shown.index(f"{where} {time}") for where, time in (("LON", "3 h 45 min (13,500 s) missing"), ("GVA", "2 h 45 min")))
    assert lon < gva, "the most is said first"


def test_tables_are_told_and_reached_without_eyes_and_without_a_mouse(page):
    text = page.read_text(encoding="utf-8")
    assert '<html lang="en">' in text
    assert text.count("<th ") > 50
    assert text.count("<th ") == text.count('<th scope="col"') == text.count("<th") - text.count("<thead")
    assert text.count('<div class="scroll"') == text.count('<div class="scroll" tabindex="0"') > 5
    levels = [int(level) for level in re.findall(r"<h([1-6])", text)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels)), "no level is skipped"


def test_every_picture_has_a_name_for_who_does_not_see_it(page):
    text = page.read_text(encoding="utf-8")
    figures = re.findall("<figure[^>]*>(?:<figcaption>|)", text)
    assert len(figures) > 5
    assert [figure for figure in figures if "aria-label=" not in figure and "<figcaption>" not in figure] == []
    # As one image it would keep from them what each part says.
    assert 'role="img"' not in text
    assert 'aria-label="GVA, 8 Oct 2026: 13.3 GiB-months"' in text


def test_it_brings_all_that_it_needs_and_forbids_the_rest(page, hostile_page):
    for place in (page, hostile_page[0]):
        parts = Parts(place.read_text(encoding="utf-8"))
        assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in parts.attributes
        assert not {"script", "img", "iframe", "link", "object", "embed", "form", "base", "foreignobject", "image", "use"} & set(
            parts.tags
        )
        links = [value for name, value in parts.attributes if name in ("href", "xlink:href", "src", "srcset", "action", "data")]
        assert links
        assert all(re.fullmatch("#[a-z]+", link) for link in links)
        assert not [name for name, _ in parts.attributes if name.startswith("on")]
        assert "url(http" not in place.read_text(encoding="utf-8")


def test_a_name_that_would_be_markup_is_text(hostile_page):
    place, bill = hostile_page
    parts = Parts(place.read_text(encoding="utf-8"))
    assert "b" not in parts.tags
    assert " ".join(LOCATION.split()) in parts.text
    for due in bill.statements:
        assert " ".join(due.account.split()) in parts.text
        assert " ".join((due.name or "").split()) in parts.text


def test_a_name_that_turns_text_around_turns_no_text_but_itself(hostile_page):
    """What overrides the direction of writing would else show `CHF 0.31` as `13.0 FHC`."""
    text = hostile_page[0].read_text(encoding="utf-8")
    turning = [found.start() for found in re.finditer("\u202e", text)]
    assert len(turning) > 5
    for at in turning:
        around = text[text.rindex("<", 0, at) : text.index(">", at)]
        assert around.startswith(("<bdi>", "<td>")), around
        assert around.endswith(("</bdi", "</td", "<small")), around


def test_a_name_in_the_heading_of_an_explained_charge_turns_nothing_around(tmp_path):
    with hostile_meter(tmp_path) as meter:
        explained = [meter.explain(line.charge_id) for line in meter.bill(DAY).lines]
    turning = [each for each in explained if "\u202e" in each.name]
    assert turning
    for each in turning:
        heading = re.search("<h1>(.*)</h1>", explanation_page(each))[1]
        assert "\u202e" not in heading
        assert "\N{REPLACEMENT CHARACTER}" in heading


def test_two_accounts_of_one_name_are_told_apart_by_their_ids(hostile_page):
    parts = Parts(hostile_page[0].read_text(encoding="utf-8"))
    assert f"twin-1 · {LOCATION}" in parts.text
    assert f"twin-2 · {LOCATION}" in parts.text


@tools.needs("chromium")
def test_a_browser_shows_it_without_a_complaint_and_without_a_request(page, hostile_page, tmp_path):
    for number, place in enumerate((page, hostile_page[0])):
        folder = tmp_path / str(number)
        folder.mkdir()
        dom, console, asked_for = tools.browse(place, folder)
        assert console == []
        assert asked_for == []
        assert sorted(set(Parts(dom).tags)) == sorted(set(Parts(place.read_text(encoding="utf-8")).tags))


@tools.needs("chromium")
def test_the_browser_tells_us_when_a_page_complains_or_asks(tmp_path):
    place = tmp_path / "bad.html"
    place.write_text("<script>console.error('no')</script><img src='http://127.0.0.1:1/x.png'>")
    _, console, asked_for = tools.browse(place, tmp_path)
    assert len(console) == 1
    assert asked_for == ["http://127.0.0.1:1/x.png"]


@tools.needs("chromium")
@pytest.mark.parametrize("width", [400, 1200, 2400])
def test_the_page_is_never_wider_than_the_screen(width, page, hostile_page, tmp_path):
    """In a frame of that width, for a window has a least one; what is wider scrolls within its own box."""
    for number, place in enumerate((page, hostile_page[0])):
        folder = tmp_path / str(number)
        folder.mkdir()
        frame = folder / "frame.html"
        inner = html.escape(place.read_text(encoding="utf-8"), quote=True)
        frame.write_text(
            f'<iframe style="border:0;width:{width}px;height:900px" srcdoc="{inner}"></iframe><p id="found"></p>'
            "<script>onload = () => { found.textContent = 'wide ' + frames[0].document.documentElement.scrollWidth }</script>",
            encoding="utf-8",
        )  # fmt: skip
        dom, _, _ = tools.browse(frame, folder, width=2600)
        assert re.search(r"wide (\d+)", dom)[1] == str(width)


@tools.needs("chromium")
@pytest.mark.parametrize("kind", ["statement", "page"])
def test_on_a_phone_no_table_of_a_customer_hides_what_is_due_beyond_the_edge(kind, october, tmp_path):
    place = tmp_path / "own.html"
    if kind == "statement":
        october.export("statement", place, period="2026-10", account=ALPENROSE)
    else:
        october.page(place, period="2026-10", account=ALPENROSE)
    inner = html.escape(place.read_text(encoding="utf-8"), quote=True)
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<iframe style="border:0;width:390px;height:900px" srcdoc="{inner}"></iframe><p id="found"></p><script>onload = () => {{'
        "const boxes = [...frames[0].document.querySelectorAll('div.scroll')];"
        "const wide = boxes.filter(box => box.scrollWidth > box.clientWidth).length;"
        "found.textContent = `${wide} of ${boxes.length > 1}` }</script>",
        encoding="utf-8",
    )  # fmt: skip
    dom, _, _ = tools.browse(frame, tmp_path)
    assert re.search(r"\d+ of (true|false)", dom)[0] == "0 of true"


def test_of_two_amounts_a_page_says_which_one_is_due(october, tmp_path):
    for name, write in (("page", october.page), ("statement", partial(october.export, "statement"))):
        write(tmp_path / "own.html", period="2026-10", account=ALPENROSE)
        shown = Parts((tmp_path / "own.html").read_text(encoding="utf-8")).text
        assert "exact amount" in shown.lower(), name
        assert "shown amount" not in shown.lower(), name
        assert "so are the GB and the month of a price" in shown, name
    assert "Exact amount CHF Due CHF" in shown
    assert "Total 245.1505 682287767224320000 69.835625 69.84" in shown


_CUT = """<script>
document.body.innerHTML = "<pre>" + JSON.stringify(
  [...document.querySelectorAll("table")].filter(it => it.getBoundingClientRect().right > innerWidth).map(it => it.innerText)
) + "</pre>"
</script></body>"""


@tools.needs("chromium")
@pytest.mark.parametrize("account", [None, "A"])
def test_on_paper_no_column_is_cut_away(account, tmp_path):
    """Of a name that is one long word, of amounts with 20 decimals, and with adjustments."""
    named = [{"account": "A", "currency": "JPY", "name": "Donaudampfschifffahrt" * 6}]
    prices = [price("1234.5677", level=0, currency="JPY"), price("2345.6789", currency="JPY")]
    bought = [subscription("s", 12_345 * GIB + 7, "2026-09-30", "2026-10-31")]
    with day_meter(tmp_path, sizes={"s": 54_321 * GIB + 13}, accounts=named, prices=prices, subscriptions=bought) as meter:
        meter.close("2026-10-01", by="test")
        more_facts(meter, tmp_path, "late", samples=polls("2026-10-01", "2026-10-02", {"s": 65_432 * GIB + 7}), supersede=True)
        place = tmp_path / "page.html"
        meter.page(place, period="2026-10-02", account=account)
    text = place.read_text(encoding="utf-8")
    assert text.count("A line that adjusts a closed period is what") == 1
    assert "@page { size: A4 landscape; margin: 10mm; }" in text
    text = text.replace('http-equiv="Content-Security-Policy"', 'name="none"').replace("</body>", _CUT)
    # Between the margins there are 277 mm.
    inner = html.escape(text.replace("@media print", "@media all"), quote=True)
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<iframe style="border:0;width:277mm;height:900px" srcdoc="{inner}"></iframe><p id="found"></p>'
        "<script>onload = () => { found.textContent = 'cut ' + frames[0].document.body.textContent }</script>",
        encoding="utf-8",
    )  # fmt: skip
    dom, _, _ = tools.browse(frame, tmp_path, width=1600)
    assert re.search(r"cut (.*)</p>", dom, re.DOTALL)[1].strip() == "[]"


@tools.needs("chromium")
def test_light_and_dark_are_different_pictures_of_one_page(page, tmp_path):
    light, dark = (tools.picture_of(page, tmp_path, dark=dark) for dark in (False, True))
    assert light.startswith(b"\x89PNG")
    assert light != dark


def test_a_customer_sees_his_own_and_no_one_elses(october, tmp_path):
    place = tmp_path / "alpenrose.html"
    october.page(place, period="2026-10", account=ALPENROSE)
    shown = Parts(place.read_text(encoding="utf-8")).text
    bill = october.bill("2026-10")
    for due in bill.statements:
        assert (due.account in shown) == (due.account == ALPENROSE)
        assert (due.name in shown) == (due.account == ALPENROSE)
    for line in bill.lines:
        assert (line.charge_id in shown) == (line.account == ALPENROSE)
    assert "69.84" in shown
    assert "samples/alpenrose" not in shown, "where a file of ours is, is none of a customer's business"
    assert "GVA 2 h 45 min (9,900 s) not observed, and not billed" in shown


def test_a_customer_is_told_by_how_much_a_closed_period_is_adjusted_and_not_by_which_facts_of_ours(tmp_path):
    with day_meter(tmp_path, sizes={"s": GIB}, prices=[price("30", level=0), price("30")]) as meter:
        meter.close("2026-10-01", by="test")
        assert "None: nothing is known to be wrong" in (shown := page_of_a(meter, tmp_path))
        assert "burst amount" in shown
        more_facts(meter, tmp_path, "late", samples=polls("2026-10-01", "2026-10-02", {"s": 2 * GIB}), supersede=True)
        shown = page_of_a(meter, tmp_path)
    assert "None: nothing is known to be wrong" not in shown
    assert (
        "what was billed for a closed period is adjusted by this bill: 2026-10-01, billed 1.00 CHF so far, now 2.00, so " in shown
    )
    assert "ingest" not in shown
    assert "burst amount" not in shown, "it is not of burst alone"
    assert "burst and adjustments" in shown


def page_of_a(meter, folder):
    """Give the text of the page that A has of the second day."""
    meter.page(folder / "page.html", period="2026-10-02", account="A")
    return Parts((folder / "page.html").read_text(encoding="utf-8")).text


def test_what_is_closed_is_no_draft_also_where_a_statement_was_parked_at_closing(tmp_path):
    """E has no price, so its statement is parked; both are frozen."""
    samples = [row for name in "AE" for row in polls(DAY, "2026-10-04", {name: GIB}, account=name, step=600)]
    accounts = [{"account": "A", "currency": "CHF"}, {"account": "E", "currency": "EUR"}]
    with meter_of(tmp_path, samples=samples, accounts=accounts, settings={"cycle": 600}) as meter:
        assert states_told(meter, tmp_path) == ["draft: it may still change"] * 3
        meter.close(DAY, reason="E is not priced yet")
        assert [row.state for row in meter.bill(DAY).statements] == ["closed", "parked"]
        assert states_told(meter, tmp_path) == ["closed"] * 3
        assert states_told(meter, tmp_path, as_of="2026-10-04T00:00:00Z") == ["draft: it may still change"] * 3


def states_told(meter, folder, **options):
    """Give what the page of a day says that it is: of all, of A and of E."""
    told = []
    for account in (None, "A", "E"):
        meter.page(folder / "page.html", period=DAY, account=account, **options)
        told.append(re.search("as of [^·<]* · ([^<]*)<", (folder / "page.html").read_text(encoding="utf-8"))[1])
    return told


def test_a_page_of_many_is_bounded_and_says_what_it_leaves_out(tmp_path):
    accounts = [{"account": f"a{i:04}", "currency": "CHF", "name": f"No {i}"} for i in range(MOST_DRAWN + 30)]
    samples = [
        row
        for i, account in enumerate(accounts)
        for row in polls("2026-10-01T00:00:00Z", "2026-10-01T00:10:00Z", {"s": (i + 1) * GIB}, account=account["account"])
    ]
    with meter_of(tmp_path, samples=samples, accounts=accounts, prices=[price("0.28")]) as meter:
        meter.page(tmp_path / "page.html", period=DAY)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.count("<figcaption>") == MOST_DRAWN
    assert f"The {MOST_DRAWN} that burst most are drawn, of {MOST_DRAWN + 30}; all are in the table below." in text
    assert all(account["account"] in text for account in accounts)
    assert f"<bdi>No {MOST_DRAWN + 29}</bdi> · <bdi>ZRH</bdi>" in text, "it burst most"
    # 30 of 90 bursts and 50 of 90 rows of coverage are shown; what has all of them is a whole command.
    assert "60 more rows left out here: `metering report burst --period 2026-10-01` has them all." in text
    assert "40 more rows left out here: `metering report coverage --period 2026-10-01` has them all." in text


def test_a_customer_is_not_told_to_run_what_he_does_not_have(tmp_path):
    """40 bursts of an hour, of which 30 are shown."""
    samples = [
        row
        for day in ("2026-10-01", "2026-10-02")
        for hour in range(20)
        for row in polls(f"{day}T{hour:02}:00:00Z", f"{day}T{hour:02}:05:00Z", {"s": GIB})
    ]
    with meter_of(tmp_path, samples=samples, settings={"max_hold": 600}) as meter:
        meter.page(tmp_path / "page.html", period="2026-10", account="A")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "10 more rows left out here." in text
    assert "metering report" not in text


def test_a_period_without_usage_is_no_page(october, tmp_path):
    with pytest.raises(NoDataError):
        october.page(tmp_path / "page.html", period="2020-01")
    with pytest.raises(NoDataError, match="no usage of account 'nobody'"):
        october.page(tmp_path / "page.html", period="2026-10", account="nobody")
    assert list(tmp_path.iterdir()) == []
