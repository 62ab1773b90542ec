"""Settings from the file and the environment: one setting has one value, whichever way and in whichever case it is named."""

import os
import re
from decimal import Decimal
from pathlib import Path

import pytest

import metering
from metering.config import load_settings
from metering.model.errors import MisuseError

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Read settings of a file's text below an environment, with no settings from outside."""
    for name in [name for name in os.environ if name.startswith("METERING_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def settings(text="", **environment):
        (tmp_path / "metering.toml").write_text(text)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return settings


LON = '[endpoints.LON]\nurl = "https://old.example.com/"\nrequests_per_minute = 60\n'
MAIN = '[accounts.Main]\naccount = "A"\nusername = "old"\nname = "Main AG"\n'


def test_a_variable_of_an_endpoint_overrides_the_one_of_the_file_and_adds_none(read):
    endpoints = read(LON, METERING_ENDPOINTS__LON__URL="https://new.example.com/").endpoints
    assert {code: (each.url, each.requests_per_minute) for code, each in endpoints.items()} == {
        "LON": ("https://new.example.com/", 60)
    }


@pytest.mark.parametrize("code", ["lon", "Lon"])
def test_an_endpoint_keeps_the_case_that_the_file_gives_it(read, code):
    named = read(LON.replace("LON", code), METERING_ENDPOINTS__LON__URL="https://new.example.com/").endpoints
    assert {key: each.url for key, each in named.items()} == {code: "https://new.example.com/"}


def test_an_endpoint_of_the_environment_alone_is_a_location_in_capitals(read):
    endpoints = read(LON, METERING_ENDPOINTS__ZRH__URL="https://zrh.example.com/").endpoints
    assert {code: each.url for code, each in endpoints.items()} == {
        "LON": "https://old.example.com/", "ZRH": "https://zrh.example.com/"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [("METERING_ACCOUNTS__MAIN__USERNAME", "new"), ("METERING_ACCOUNTS", '{"main": {"username": "new"}}')],
)
def test_a_variable_of_an_account_overrides_the_one_of_the_file_in_any_case(read, name, value):
    accounts = read(MAIN, **{name: value}).accounts
    assert {key: (each.account, each.username, each.name) for key, each in accounts.items()} == {"Main": ("A", "new", "Main AG")}


def test_a_property_of_spark_keeps_the_case_that_the_file_gives_it(read):
    name = "spark.executor.memoryOverhead"
    conf = read(f'[spark.conf]\n"{name}" = "1g"\n', **{f"METERING_SPARK__CONF__{name.upper()}": "2g"}).spark.conf
    assert conf == {name: "2g"}


@pytest.mark.parametrize(
    ("text", "environment", "said"),
    [
        (LON + LON.replace("LON", "lon"), {}, "[endpoints.LON] and [endpoints.lon] differ only by case: keep one"),
        (MAIN + MAIN.replace("Main", "MAIN"), {}, "[accounts.Main] and [accounts.MAIN] differ only by case: keep one"),
        (
            "", {"METERING_ENDPOINTS": '{"LON": {"url": "https://a.example.com/"}, "Lon": {"url": "https://b.example.com/"}}'},
            "[endpoints.LON] and [endpoints.Lon] differ only by case: keep one",
        ),
    ],
)  # fmt: skip
def test_two_names_that_differ_only_by_case_are_refused(read, text, environment, said):
    with pytest.raises(MisuseError) as caught:
        read(text, **environment)
    assert str(caught.value) == f"metering.toml or the environment: {said}"


@pytest.mark.parametrize("value", ['["GVA", "ZRH"]', "GVA,ZRH", " GVA, ZRH ", "GVA,ZRH,"])
def test_locations_are_given_with_commas_or_as_json(read, value):
    assert read(METERING_LOCATIONS=value).locations == frozenset({"GVA", "ZRH"})


@pytest.mark.parametrize("value", ['["ZRH", "GVA"]', "ZRH,GVA"])
def test_endpoints_of_an_account_are_given_with_commas_or_as_json(read, value):
    text = LON + LON.replace("LON", "ZRH") + LON.replace("LON", "GVA") + MAIN
    assert read(text, METERING_ACCOUNTS__MAIN__ENDPOINTS=value).accounts["Main"].endpoints == ("ZRH", "GVA")


@pytest.mark.parametrize(
    ("text", "environment", "said"),
    [
        ("", {"METERING_LOCATIONS": '["GVA"'}, "locations (in metering.toml, or METERING_LOCATIONS): is no list: "
         'write GVA,ZRH or ["GVA", "ZRH"]'),
        ('locations = ["ZRH", 5]', {}, "locations.1 (in metering.toml, or METERING_LOCATIONS): Input should be a valid string"),
        ('discounts = {"1 year" = "9"}', {},
         "discounts.1 year (in metering.toml, or METERING_DISCOUNTS): Input should be less than 1"),
        ('[spark.conf]\n"spark.x" = 5', {},
         "spark.conf.spark.x (in metering.toml, or METERING_SPARK__CONF): Input should be a valid string"),
        ('[accounts.my-shop]\naccount = "A"', {},
         "accounts.my-shop.username (in metering.toml, or METERING_ACCOUNTS): is missing"),
        ("", {"METERING_DISCOUNTS": "0.2"},
         "discounts (in metering.toml, or METERING_DISCOUNTS): Input should be a valid dictionary"),
        ("", {"METERING_SPARK__CONF": "{"},
         "METERING_SPARK__CONF is no JSON: set its parts one by one, as METERING_SPARK__CONF__NAME, or in metering.toml"),
        ("stor = 5", {}, "stor (in metering.toml): there is no such setting; is it spelled right?"),
        ("", {"METERING_COLLECT__SPOL": "x"},
         "collect.spol (in metering.toml, or METERING_COLLECT__SPOL): there is no such setting; is it spelled right?"),
    ],
)  # fmt: skip
def test_an_error_names_only_variables_that_can_be_set(read, text, environment, said):
    with pytest.raises(MisuseError) as caught:
        read(text, **environment)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ('discounts = {"1 year" = "0.25", "12 months" = "0.10"}', {}),
        ('discounts = {"1 year" = "0.25"}', {"METERING_DISCOUNTS": '{"12 months": "0.10"}'}),
    ],
)
def test_one_length_under_two_names_has_no_two_discounts(read, text, environment):
    """Which of them counts nobody could tell; the larger did, also where the environment meant to override it."""
    with pytest.raises(MisuseError) as caught:
        read(text, **environment)
    assert str(caught.value) == (
        "discounts (in metering.toml, or METERING_DISCOUNTS): '1 year' and '12 months' are one length: keep one"
    )


@pytest.mark.parametrize("lengths", [("2 weeks", "14 days"), ("3 months", " 3 month ")])
def test_lengths_are_one_in_weeks_and_days_and_however_they_are_written(read, lengths):
    with pytest.raises(MisuseError, match="are one length: keep one"):
        read("discounts = {" + ", ".join(f'"{length}" = "0.1"' for length in lengths) + "}")


def test_lengths_that_are_one_in_some_months_only_are_two(read):
    assert len(read('discounts = {"30 days" = "0.1", "1 month" = "0.2", "365 days" = "0.3", "1 year" = "0.4"}').discounts) == 4


def test_a_file_that_begins_with_a_byte_order_mark_is_read_like_one_without(read, tmp_path):
    read()
    (tmp_path / "metering.toml").write_bytes(b"\xef\xbb\xbfcycle = 60\r\nmax_hold = 600\r\n")
    found = load_settings()
    assert (found.cycle, found.max_hold) == (60, 600)


@pytest.mark.parametrize(
    "name",
    [
        "cycle", "store_wait", "max_hold", "threads", "collect.attempts", "collect.money_every",
        "endpoints.LON.requests_per_minute", "audit.growth_factor", "limits.files", "limits.depth",
    ],
)  # fmt: skip
@pytest.mark.parametrize("truth", ["true", "false"])
def test_a_truth_is_no_number(read, name, truth):
    with pytest.raises(MisuseError) as caught:
        read(f'endpoints.LON.url = "https://lon.example.com/"\n{name} = {truth}\n')
    variable = "METERING_" + name.replace(".", "__").upper()
    assert str(caught.value) == f"{name} (in metering.toml, or {variable}): is true or false, and no setting is"


def test_a_truth_in_json_is_no_number(read):
    with pytest.raises(MisuseError, match=r"^limits.files \(in .*\): is true or false"):
        read(METERING_LIMITS='{"files": true}')


def test_each_way_of_the_manual_to_set_a_variable_sets_what_it_says(read):
    chapter = README.read_text(encoding="utf-8").partition("\n## Settings\n")[2].partition("\n## ")[0]
    shown = re.findall(r"^export (METERING_\w+)=(?:'([^']*)'|(\S+))", chapter, re.MULTILINE)
    text = 'discounts = {"1 year" = "0.2"}\n' + LON.replace("LON", "ZRH") + MAIN
    found = read(text, **{name: quoted or plain for name, quoted, plain in shown})
    assert {
        "store": found.store,
        "cycle": found.cycle,
        "locations": found.locations,
        "discounts": found.discounts,
        "url": {code: each.url for code, each in found.endpoints.items()},
        "main": {name: (each.username, each.endpoints) for name, each in found.accounts.items()},
        "files": found.limits.files,
        "spark": found.spark.conf,
    } == {
        "store": "/var/lib/metering/store.duckdb",
        "cycle": 60,
        "locations": frozenset({"GVA", "ZRH"}),
        "discounts": {"3 months": Decimal("0.03"), "1 year": Decimal("0.2")},
        "url": {"ZRH": "https://zrh.cloudsigma.com/api/2.0/"},
        "main": {"Main": ("somebody@example.com", ("ZRH",))},
        "files": 5000,
        "spark": {"spark.executor.memoryOverhead": "1g"},
    }


def opened(store=None, **given):
    """Open by settings in Python, and give the settings that count."""
    with metering.open(store, **given) as meter:
        return meter.settings


def test_what_python_gives_stands_above_the_environment_and_the_file(read, tmp_path):
    """A program that names its own store must not write into the one that its environment names."""
    read("cycle = 600\nstore_wait = 5\n", METERING_STORE="elsewhere.duckdb", METERING_CYCLE="60", METERING_LOCATIONS="GVA")
    found = opened(tmp_path / "own.duckdb", cycle=120, locations=["ZRH"], threads=None)
    assert (found.store, found.cycle, found.locations, found.store_wait) == (
        str(tmp_path / "own.duckdb"), 120, frozenset({"ZRH"}), 5,
    )  # fmt: skip
    assert [opened(cycle=120).store, opened(":memory:").store] == ["elsewhere.duckdb", ":memory:"]


def test_of_a_table_what_python_does_not_give_stays_as_it_is(read):
    read('discounts = {"1 year" = "0.2"}\n[collect]\nspool = "kept"\n', METERING_COLLECT__ATTEMPTS="2")
    found = opened(discounts={"3 months": "0.03"}, collect={"attempts": 3})
    assert found.discounts == {"1 year": Decimal("0.2"), "3 months": Decimal("0.03")}
    assert (found.collect.spool, found.collect.attempts) == ("kept", 3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cycle": "often"}, "cycle, as given: Input should be a valid integer, unable to parse string as an integer"),
        ({"cycel": 60}, "cycel, as given: there is no such setting; is it spelled right?"),
        ({"limits": {"files": 0}}, "limits.files, as given: Input should be greater than or equal to 1"),
        ({"cycle": True}, "cycle, as given: is true or false, and no setting is"),
        (
            {"cycle": 1000},
            "the settings, with what is given: max_hold is 900 s, less than the cycle of 1000 s: a poll holds at least that long",
        ),
    ],
)
def test_a_wrong_setting_from_python_is_told_in_one_line(read, given, said):
    read()
    with pytest.raises(MisuseError) as caught:
        metering.open(":memory:", **given)
    assert str(caught.value) == said


@pytest.mark.parametrize(("place", "stands_for"), [("~/s.db", "{home}/s.db"), ("./~/s.db", "./~/s.db"), (":memory:", ":memory:")])
def test_the_home_folder_stands_in_places_as_in_a_shell(read, monkeypatch, tmp_path, place, stands_for):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    expected = stands_for.format(home=tmp_path / "home")
    settings = read(f'store = "{place}"\n[collect]\nspool = "{place}"')
    assert (settings.store, settings.collect.spool) == (expected, expected)
    assert read(METERING_STORE=place).store == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('store = ""', "store"),
        ('[collect]\nspool = ""', "collect.spool"),
        ('memory = "0MB"', "memory"),
        ('memory = "99999999999GB"', "memory"),
    ],
)
def test_a_place_that_is_none_and_memory_that_no_machine_has_are_refused(read, text, said):
    with pytest.raises(MisuseError, match=rf"{re.escape(said)}\b.*: String should "):
        read(text)
