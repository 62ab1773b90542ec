"""Whoever answers may repeat the login that asked: wherever it stands, it is told, logged and stored nowhere (Z4)."""

import base64
import gzip
import json
import logging
from datetime import UTC, datetime

import pytest
import stamina
from echo_server import ACCOUNT, HEADS, PLACES, ROWS, echoing
from hypothesis import assume, given
from hypothesis import strategies as st

from metering.api import Meter
from metering.collector.credentials import Login, find_login
from metering.collector.targets import AccountSettings
from metering.config import load_settings
from metering.model.errors import InputError, MeteringError

USERNAME, PASSWORD = "ann@example.com", "c4nary/é-of?a>login"
SECRETS = [
    form
    for text in (PASSWORD, f"{USERNAME}:{PASSWORD}")
    for form in (text.encode(), base64.b64encode(text.encode()).rstrip(b"="), "".join(f"\\u{ord(c):04x}" for c in text).encode())
] + [base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).replace(b"/", b"\\/")]
SETTINGS = """
store = "{folder}/metering.duckdb"
threads = 1
[collect]
spool = "{folder}/spool"
attempts = 1
money_every = 0
[endpoints.ZRH]
url = "{url}"
[accounts.main]
account = "{account}"
username = "{username}"
name = "Ann AG"
"""


@pytest.fixture
def server():
    with echoing() as served:
        yield served


@pytest.fixture
def meter(tmp_path, server, monkeypatch):
    monkeypatch.setenv("METERING_PASSWORD_MAIN", PASSWORD)
    config = tmp_path / "metering.toml"
    config.write_text(SETTINGS.format(folder=tmp_path, url=server.url, account=ACCOUNT, username=USERNAME))
    with Meter(load_settings(config)) as opened:
        yield opened


def written(folder):
    """Give all that was written, unpacked."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path: gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in paths}


def collected(meter, told):
    with stamina.set_testing(True, attempts=1, cap=True):
        return meter.collect(tell=told.append, metrics=meter.settings.store + ".prom")


def all_of(work):
    try:
        return work()
    except MeteringError as error:
        return error


def stored(meter, sql):
    with meter._store.reading() as engine:
        return engine.sql(sql)


def assert_silent(meter, folder, *said):
    """Nothing that was said, written or stored holds a login."""
    with meter._store.reading() as engine:
        tables = [name for (name,) in engine.sql("select table_name from duckdb_tables()")]
        stored = {name: repr(engine.sql(f"select * from {name}")).encode() for name in tables}
    contents = {"said": repr(said).encode()} | stored | written(folder)
    assert [(where, form) for where, content in contents.items() for form in SECRETS if form in content] == []


def test_a_login_that_an_answer_repeats_is_told_logged_and_stored_nowhere(tmp_path, server, meter, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    told, reports = [], []
    for place in PLACES:
        server.place = place
        reports += [collected(meter, told), meter.check_collecting()]
        assert_silent(meter, tmp_path, place, reports, told, caplog.text, capfd.readouterr())
    assert {name for (name,) in stored(meter, "select distinct table_name from rejections")} >= {"prices", "subscriptions"}
    labels = stored(meter, "select distinct drive, status, name from labels")
    assert {("d1", "available", "[withheld]"), ("d1", "available", "a [withheld] b"), ("d1", "[withheld]", "disk")} <= set(labels)
    told_of = stored(meter, "select distinct outcome from poll_notes where cause = 'repeats_login'")
    assert told_of == [("flagged",)], "the listing was taken, and what it repeats is a finding"
    assert_silent(meter, tmp_path, meter.bill("2026-12").document())


def test_what_is_compared_live_tells_no_login_that_an_answer_repeats(tmp_path, server, meter, caplog):
    caplog.set_level(logging.DEBUG)
    collected(meter, [])
    today, said = datetime.now(UTC).strftime("%Y-%m-%d"), []
    for live, resource in (("ledger", "ledger"), ("usage", "usage"), ("dailyburst", "dailyburstusage")):
        for place in [*ROWS[resource], "a key", *HEADS]:
            server.place = place
            said.append(all_of(lambda kind=live: meter.reconcile(today, live=kind)))
    assert sum("[withheld]" in str(error) for error in said) > 5, "what cannot be read is told"
    assert_silent(meter, tmp_path, said, caplog.text)


def test_a_backfill_tells_no_login_that_an_answer_repeats(tmp_path, server, meter, caplog):
    caplog.set_level(logging.DEBUG)
    collected(meter, [])
    told = []
    for place in ("amount", "uuid", "poll_time", "resource", "a key", "beside", *HEADS):
        server.place = place
        told.append(all_of(lambda: meter.backfill("2026-10-01..2026-10-02", tell=told.append)))
    assert_silent(meter, tmp_path, told, caplog.text)


def test_the_first_look_says_that_a_login_is_repeated(server, meter):
    server.place = "name"
    (row,) = meter.check_collecting()
    assert (row.result, row.detail) == (
        "doubtful",
        "the password or the login's header stands in the answer, and is withheld from what is kept of it: tell whoever runs the "
        "provider, or a proxy before it",
    )


LOGIN = Login(USERNAME, PASSWORD)
KEPT = [
    f'{{"name": "{USERNAME}"}}', '{"name": "ann\\u0040example.com"}', '{"name":\t"c4nary\\n" , "size" : 1e3, "a\\u0062c": 0.10}',
    '{"allocated_size": 12345678}',
]  # fmt: skip


@pytest.mark.parametrize("text", KEPT)
def test_what_repeats_no_password_stays_as_it_came(text):
    assert LOGIN.withheld_from(text, json.loads(text)) == text


@pytest.mark.parametrize("password", ["5", "secret", "12345678", '"', "\\", "a" * 7])
def test_a_password_that_cannot_be_told_from_other_text_takes_no_figure_away(password):
    text = json.dumps({"uuid": "s1", "name": f"my {password}", "amount": "1234567812", "allocated_size": 5, "key": "a\\b"})
    assert Login("ann@example.com", password).withheld_from(text, json.loads(text)) == text


@given(st.text(min_size=8).filter(lambda text: not text.isdigit()), st.text(), st.booleans(), st.booleans())
def test_any_password_is_withheld_and_numbers_beside_it_stay(password, before, ascii_only, is_key):
    assume(not any(0xD800 <= ord(character) < 0xE000 for character in password + before))
    said = {f"{before}{password}": "x"} if is_key else {"name": f"{before}{password}"}
    text = json.dumps(said, ensure_ascii=ascii_only)[:-1] + ', "price": 0.10}'
    kept = Login("ann", password).withheld_from(text, json.loads(text))
    assert kept.endswith(', "price": 0.10}')
    assert "[withheld]" in kept
    assert password in "[withheld]" or not any(password in part for pair in json.loads(kept).items() for part in map(str, pair))


@pytest.mark.parametrize("password", [ACCOUNT[4:18], "location", "resource", "allocated_size"])
def test_a_password_that_every_answer_tells_is_refused(monkeypatch, password):
    monkeypatch.setenv("METERING_PASSWORD_MAIN", password)
    with pytest.raises(
        InputError, match=r"\[accounts.main\] the password stands in the account's UUID, or in a word that"
    ) as refused:
        find_login("main", AccountSettings(account=ACCOUNT, username=USERNAME))
    assert password not in str(refused.value)
