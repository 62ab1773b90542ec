"""Whatever is written at the command line, in the settings, or where an instant is expected gets an answer or one clear line."""

import os
import re

import pytest
import typer
from hostile_files import tried
from hour_facts import HOUR, an_hour, write_facts
from hypothesis import given
from hypothesis import strategies as st
from oracle_facts import instant
from typer.testing import CliRunner

from metering.cli.app import app
from metering.config import Settings, load_settings
from metering.ingest.fact_models import _price
from metering.model.errors import MisuseError
from metering.model.period import instant_seconds, parse_period
from metering.model.terms import parse_term

# They would run until they are stopped, or write where they are told to.
LEFT_OUT = {"sandbox serve", "collect"}
WORDS = st.sampled_from([
    "", "-", "--", "-1", "0", "1", "9" * 30, "1e9", "NaN", "2026-10", "2026-13", "2026-10-05", HOUR, "..", "2026-10..2026-11", "0001-01", "9999-12",
    "2026-10-05T00:00:00Z", "2026-10-05T00:00:00", "facts", "metering.duckdb", ":memory:", "nothing.csv", "x.parquet", "x.html", "x.xlsx", "*",
    "a1", "ZRH", "day", "account,location", "account,account", "usage", "1 month", "0 months", "0.28", "1E2000000", "GB/month", "\x1b[31m", "\n",
    "=1+1", "' or 1=1 --", "\u202e", "Zürich", "2026-10-05-0123456789abcdef",
])  # fmt: skip
ANY = WORDS | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\x00"), max_size=8)
# What looks like an instant, and nearly is one.
INSTANTS = st.from_regex(r"\d{4}-[01]\d-[0-3]\d([T ][0-2]\d:[0-6]\d(:[0-6]\d([.]\d{0,9})?)?([Z]|[+-]\d\d:?\d\d)?)?", fullmatch=True)


def commands():
    found = {}

    def walk(words, command):
        inner = getattr(command, "commands", {})
        if not inner:
            found[words] = command
        for name, below in inner.items():
            walk(f"{words} {name}".strip(), below)

    walk("", typer.main.get_command(app))
    return found


EVERY_COMMAND = commands()
COMMANDS = {words: command for words, command in EVERY_COMMAND.items() if words not in LEFT_OUT}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    write_facts(folder / "facts", an_hour())
    before = os.getcwd()  # noqa: PTH109 -- hypothesis wants one folder for all examples
    os.chdir(folder)
    ran("ingest", "facts")
    yield folder
    os.chdir(before)


def ran(*words):
    """Run a command in this process: only an exit is an end, and what is said holds no traceback and no defect of ours."""
    ended = CliRunner(env={"METERING_STORE_WAIT": "0"}).invoke(app, list(words))
    assert ended.exception is None or isinstance(ended.exception, SystemExit), (words, repr(ended.exception))
    assert "Traceback" not in ended.output, words
    assert ended.exit_code in (0, 1, 2, 3), words
    if ended.exit_code == 1:
        assert len([line for line in ended.stderr.splitlines() if line.startswith("metering: ")]) == 1, (words, ended.stderr)
    return ended


@pytest.mark.parametrize("words", COMMANDS)
@tried(15)
@given(data=st.data())
def test_a_command_of_any_words_gets_an_answer_or_one_line(words, data, place):
    options = [option for parameter in COMMANDS[words].params for option in parameter.opts if option.startswith("-")]
    wanted = data.draw(st.lists(st.tuples(st.sampled_from(options), ANY), max_size=3))
    given_words = [part for option in wanted for part in option if option[0] not in ("--notify", "--help")]
    ran(*words.split(), *data.draw(st.lists(ANY, max_size=2)), *given_words)
    assert (place / "metering.duckdb").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["backup", ""],
        ["backup", ".", "--overwrite"],
        ["restore", "facts", "--store", "."],
    ],
)
@pytest.mark.usefixtures("place")
def test_a_directory_is_no_place_for_a_backup_or_a_store(words):
    ended = ran(*words)
    assert ended.exit_code == 2
    assert "is a directory" in ended.stderr


def test_no_command_takes_a_secret_as_an_argument():
    named = {
        option
        for command in EVERY_COMMAND.values()
        for parameter in command.params
        for option in (*parameter.opts, parameter.name or "")
    }
    assert len(named) > 20
    assert [name for name in named if re.search("password|secret|token|key", name)] == []


TOML_VALUES = st.recursive(
    st.sampled_from([
        "0", "-1", "300", "1e400", "nan", "inf", "true", '""', '"x"', '"9"', "2020-01-01", "0.5", "9" * 5_000, '"\\u0000"', '"a\\nb"', '"[31m"',
    ]),
    lambda inner: st.lists(inner, max_size=3).map(lambda each: f"[{', '.join(each)}]")
    | st.lists(st.tuples(st.sampled_from(["a", "url", '"\\n"', "name"]), inner), max_size=2).map(
        lambda pairs: "{" + ", ".join(f"{name} = {value}" for name, value in pairs) + "}"),
    max_leaves=6,
)  # fmt: skip
NAMES = st.sampled_from([*Settings.model_fields, '"a\\nb"', "nothing", "collect.spool", "endpoints.ZRH.url", "accounts.a.password"])


def told(folder, content):
    """Read settings: they are settings, or misuse in one line."""
    path = folder / "settings.toml"
    path.write_bytes(content)
    try:
        return load_settings(path)
    except MisuseError as error:
        assert "\n" not in str(error)  # noqa: PT017 -- either of two outcomes
        return None


@tried(15)
@given(lines=st.lists(st.tuples(NAMES, TOML_VALUES), max_size=4))
def test_settings_of_any_values_are_settings_or_misuse(lines, place):
    told(place, "".join(f"{name} = {value}\n" for name, value in lines).encode())


@tried(15)
@given(content=st.binary(max_size=60))
def test_settings_of_any_bytes_are_settings_or_misuse(content, place):
    told(place, content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a = " + "[" * 100_000, "has a line of more than 4096 bytes"),
        ("a" + ".a" * 100_000 + " = 1", "has a line of more than 4096 bytes"),
        ("a = [\n" + "1,\n" * 100_000 + "]", "is longer than 262144 bytes"),
        ("a = " + "[\n" * 50_000, "is nested too deeply"),
        ("a = " + "[" * 900 + "]" * 900, "is nested too deeply"),
        ("cycle = " + "9" * 4_000, r"cycle \(in .*less than or equal to 86400"),
        ("missing_tolerance = 1e-99999999999999999999", "a number in it is larger or smaller than any"),
        ("missing_tolerance = 1e-999999", "no more than 20 decimal places"),
        ('discounts = {"1 year" = 1e-999999}', "no more than 20 decimal places"),
        ('"a\\nb" = 1', r"a\\nb \(in .*: there is no such setting"),
    ],
)
def test_settings_that_are_a_trap_are_told_in_one_line(content, said, tmp_path):
    (tmp_path / "settings.toml").write_text(content)
    with pytest.raises(MisuseError, match=said) as caught:
        load_settings(tmp_path / "settings.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "METERING_ENDPOINTS",
            "{",
            "METERING_ENDPOINTS is no JSON: set its parts one by one, as METERING_ENDPOINTS__NAME, or in metering.toml",
        ),
        ("METERING_AUDIT", "[" * 100_000, "is nested too deeply"),
        ("METERING_AUDIT__STUCK_SECONDS", "x", "or METERING_AUDIT__STUCK_SECONDS"),
    ],
)
def test_a_variable_that_is_a_trap_is_named_as_it_is_set(name, value, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)
    with pytest.raises(MisuseError, match=said):
        load_settings()


@tried(15)
@given(text=INSTANTS | ANY)
def test_an_instant_is_read_as_the_oracle_reads_it_or_refused_as_it_does(text):
    try:
        expected = instant(text)
    except ValueError:
        expected = None
    try:
        found = instant_seconds(text)
    except ValueError:
        found = None
    assert found == expected


@tried(15)
@given(text=ANY | st.tuples(INSTANTS, INSTANTS).map("..".join))
def test_a_period_is_read_or_is_misuse(text):
    try:
        period = parse_period(text)
    except MisuseError as error:
        assert str(error)  # noqa: PT017 -- either of two outcomes
    else:
        assert period.start_s < period.end_s


@tried(15)
@given(text=ANY | st.from_regex(r"[0-9+-]{0,40}[.,]?[0-9eE_]{0,40}", fullmatch=True))
def test_a_price_keeps_every_digit_or_is_refused(text):
    try:
        assert _price(text, None) == text
    except ValueError as error:
        assert str(error)  # noqa: PT017 -- either of two outcomes
    else:
        assert re.fullmatch(r"[0-9]{1,30}([.][0-9]{1,30})?", text, re.ASCII)


@tried(15)
@given(text=ANY | st.from_regex(r"[0-9]{1,12} ?(day|week|month|year)s?", fullmatch=True))
def test_a_length_is_read_or_refused(text):
    try:
        assert parse_term(text).text
    except ValueError as error:
        assert str(error)  # noqa: PT017 -- either of two outcomes
