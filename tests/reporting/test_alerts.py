"""Alerts: signed, so that any library can check them; told once; tried again; sent to one place, and nowhere else."""

import json
import os
import ssl
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
import stamina
import trustme
from mailbox_server import receiving, trickling
from small_world import GIB, meter_of, polls, price
from standardwebhooks import Webhook, WebhookVerificationError

import metering
from metering.model.errors import MisuseError
from metering.model.records import Finding
from metering.model.tables import Table, columns_of
from metering.reporting.alerts import Alert, audit_alert, burst_alert
from metering.reporting.delivery import SECRET_VARIABLE, DeliveryError, Mailbox, find_secret, mailbox

ROOT = Path(__file__).resolve().parent.parent.parent
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OCTOBER = "2026-10"
ALERT = Alert("audit-0123", {"kind": "audit", "summary": "Ünïcode \U0001f600"})


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    with metering.open(str(tmp_path_factory.mktemp("month") / "metering.duckdb")) as meter:
        meter.ingest(ROOT / "sample_data")
        yield meter


@pytest.fixture
def no_pauses():
    with stamina.set_testing(True, attempts=4):
        yield


def run(store, *words, **environment):
    """Run a command as cron does, with a secret that is text."""
    told = {name: value for name, value in os.environ.items() if not name.startswith("METERING_")}
    return subprocess.run(
        [sys.executable, "-m", "metering", "--store", str(store), *words],
        env=told | {SECRET_VARIABLE: SECRET} | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_an_audit_tells_the_address_of_what_it_found_signed(month):
    with receiving(204) as server:
        done = run(month.settings.store, "audit", "--period", OCTOBER, "--check", "--format", "json", "--notify", server.url)
    assert done.returncode == 3
    assert done.stderr == f"told 127.0.0.1:{server.server_port}: Audit of 2026-10: 2 errors, 6 warnings\n".replace(
        "6 warnings", f"{sum(f['severity'] == 'warning' for f in json.loads(done.stdout))} warnings"
    )
    ((path, headers, body),) = server.came
    assert path == "/hook?token=of-the-address"
    assert headers["Content-Type"] == "application/json"
    assert Webhook(SECRET).verify(body, {name.lower(): value for name, value in headers.items()}) == json.loads(body)
    found = [finding for finding in json.loads(done.stdout) if finding["severity"] != "info"]
    told = json.loads(body)
    assert sorted(told["findings"], key=str) == sorted(found, key=str)
    assert told["findings"][0]["severity"] == "error", "the worst first"
    assert (told["kind"], told["period"], told["left_out"]) == ("audit", OCTOBER, 0)
    assert told["key"] == headers["Idempotency-Key"] == headers["webhook-id"]


def test_a_burst_report_tells_of_burst_to_the_last_digit(month):
    with receiving(200) as server:
        done = run(
            month.settings.store, "report", "burst", "--period", OCTOBER, "--check", "--format", "json", "--notify", server.url
        )
    assert done.returncode == 3
    told = json.loads(server.came[0][2])
    assert told["episodes"] == json.loads(done.stdout)
    bill = month.bill(OCTOBER)
    assert told["burst_byte_seconds"] == str(sum(row.burst_byte_seconds for row in bill.usage))
    amounts = {row["currency"]: row["amount"] for row in told["amounts"]}
    assert amounts["EUR"] is None, "a part of it has no price"
    for currency in ("CHF", "JPY", "USD"):
        exact = sum(Fraction(episode.amount) for episode in bill.episodes if episode.currency == currency)
        assert Fraction(amounts[currency]) == exact


def test_nothing_found_is_nothing_told(tmp_path):
    samples = polls("2026-10-01", "2026-10-02", {})
    with meter_of(tmp_path, samples=samples) as meter, receiving() as server:
        store = meter.settings.store
        meter.release()
        for words in (("report", "burst"), ("audit",)):
            done = run(store, *words, "--period", "2026-10-01", "--as-of", "2026-10-02", "--check", "--notify", server.url)
            assert done.returncode == 0, done.stderr
        assert server.came == []


def test_an_alert_that_was_not_delivered_is_a_failure_that_names_the_host_and_no_more(month):
    with receiving(404) as server:
        done = run(month.settings.store, "audit", "--period", OCTOBER, "--check", "--notify", server.url)
    assert done.returncode == 1
    assert done.stderr == f"metering: the alert was not delivered: 127.0.0.1:{server.server_port} answered HTTP 404\n"
    assert json.loads(done.stdout), "what was found is printed all the same"


def test_the_key_is_of_what_was_found_and_not_of_how_much_there_is_by_now(tmp_path):
    def alert_at(as_of):
        return burst_alert("2026-10-01", meter.report_table("burst", "2026-10-01", as_of=as_of))

    samples = [
        *polls("2026-10-01T00:00:00Z", "2026-10-01T04:00:00Z", {"s": GIB}),
        *polls("2026-10-01T04:00:00Z", "2026-10-01T06:00:00Z", {}),
        *polls("2026-10-01T06:00:00Z", "2026-10-01T08:00:00Z", {"s": GIB}),
    ]
    with meter_of(tmp_path, samples=samples, prices=[price("0.30")]) as meter:
        first, later, second = (alert_at(f"2026-10-01T0{hour}:00:00Z") for hour in (2, 3, 7))
        assert alert_at("2026-10-01T02:00:00Z") == first
    assert first.body["burst_byte_seconds"] != later.body["burst_byte_seconds"]
    assert first.key == later.key
    assert second.key != first.key, "another burst is news"


def test_the_key_of_an_audit_changes_with_what_is_wrong_where():
    def alert(*checks, severity="warning", message="m"):
        return audit_alert(
            OCTOBER, [Finding(check=c, severity=severity, account="a", location=place, message=message) for c, place in checks]
        )

    once = alert(("missing_time", "ZRH"))
    assert alert(("missing_time", "ZRH"), message="more of it").key == once.key
    assert len({alert(*c).key for c in ([("missing_time", "GVA")], [("held_time", "ZRH")], [("missing_time", "ZRH")] * 1)}) == 3
    assert (
        audit_alert("2026-11", [Finding(check="missing_time", severity="warning", account="a", location="ZRH", message="m")]).key
        != once.key
    )
    assert alert(("missing_time", "ZRH"), severity="info") is None


def test_an_alert_is_small_whatever_was_found():
    findings = [Finding(check="c", severity="error", account=str(i), message="x" * 100_000) for i in range(1_000)]
    alert = audit_alert(OCTOBER, findings)
    assert alert.body["left_out"] == 950
    assert alert.body["counts"] == {"error": 1_000}
    assert len(alert.text) < 50_000
    columns = columns_of(account="text", start="instant", burst_byte_seconds="byte_seconds", currency="text", amount="money")
    rows = [(str(i), i, 10**30, "CHF", Decimal("0.00000000000000000001")) for i in range(100)]
    told = burst_alert(OCTOBER, Table("burst", columns, rows)).body
    assert (told["burst_byte_seconds"], told["amounts"], told["left_out"]) == (
        "1" + "0" * 32, [{"currency": "CHF", "amount": "0.00000000000000000100"}], 50,
    )  # fmt: skip


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("passing", [500, 503, 429, 408, 0])
def test_what_passes_is_tried_again_each_try_signed_anew_with_one_key(passing):
    clock = iter(range(1_800_000_000, 1_800_000_100))
    with receiving(passing, passing, 201) as server:
        Mailbox(server.url, find_secret(), clock=lambda: next(clock)).post(ALERT)
    headers = [{name.lower(): value for name, value in came[1].items()} for came in server.came]
    assert [came["webhook-timestamp"] for came in headers] == ["1800000000", "1800000001", "1800000002"]
    assert {came["idempotency-key"] for came in headers} == {"audit-0123"}
    assert len({came["webhook-signature"] for came in headers}) == 3
    assert {came[2] for came in server.came} == {ALERT.text.encode()}


@pytest.mark.usefixtures("no_pauses")
def test_what_does_not_pass_is_tried_four_times():
    with receiving(503) as server, pytest.raises(DeliveryError, match=r"127\.0\.0\.1:\d+ answered HTTP 503$"):
        mailbox(server.url).post(ALERT)
    assert len(server.came) == 4


def test_an_answer_that_trickles_without_end_is_none_in_time():
    """Each byte comes in time, and whoever waits for the next one waits for ever: a job of cron would never end."""
    with (
        trickling() as url,
        stamina.set_testing(True, attempts=1),
        pytest.raises(DeliveryError, match=r"127\.0\.0\.1:\d+ did not answer in time$"),
    ):
        Mailbox(url, find_secret(), timeout_s=1).post(ALERT)


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 301, 302, 307, 308, 304])
def test_what_another_try_would_not_mend_is_tried_once_and_no_redirect_is_followed(status):
    with receiving(200) as elsewhere, receiving(status, location=elsewhere.url) as server:
        with pytest.raises(DeliveryError, match=r"answered (HTTP 4|a redirect, which is never followed)") as raised:
            mailbox(server.url).post(ALERT)
        assert "token" not in str(raised.value)
    assert len(server.came) == 1
    assert elsewhere.came == []


@pytest.mark.usefixtures("no_pauses")
def test_nobody_there_is_said_without_the_address():
    with receiving() as server:
        url = server.url
    with pytest.raises(DeliveryError, match=r"no connection to 127\.0\.0\.1:\d+ \(ConnectError\)$"):
        mailbox(url).post(ALERT)


@pytest.mark.usefixtures("no_pauses")
def test_a_certificate_that_nobody_vouches_for_is_refused_and_one_that_is_vouched_for_is_not():
    authority = trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    with receiving(tls=serving) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(DeliveryError, match="its certificate is not valid"):
            mailbox(url).post(ALERT)
        assert server.came == []
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authority.configure_trust(trusting)
        Mailbox(url, find_secret(), tls=trusting).post(ALERT)
        assert len(server.came) == 1


def test_neither_a_proxy_nor_a_login_of_the_environment_is_heeded(tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with receiving() as proxy, receiving() as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
        mailbox(server.url).post(ALERT)
    assert proxy.came == []
    assert "Authorization" not in server.came[0][1]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook", "ftp://example.com/hook", "https://", "example.com/hook", "https://user:pass@example.com/", "",
        "https://example.com:99999/", "https://exam ple.com/", "https://example.com/\r\nHost: evil", "file:///etc/passwd", "https://[::1/",
        "https://a..b/evil", f"https://{'a' * 70}.example.com/evil", f"https://example.com/{'a' * 70_000}evil",
    ],
)  # fmt: skip
def test_an_address_that_must_not_be_posted_to_is_misuse_and_is_not_repeated(url):
    with pytest.raises(MisuseError) as raised:
        mailbox(url)
    assert "pass@" not in str(raised.value)
    assert "evil" not in str(raised.value)


@pytest.mark.parametrize("value", ["", "short", "whsec_", "whsec_AAAA", "whsec_!!!", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa"])
def test_a_secret_that_signs_nothing_is_misuse_and_is_not_shown(value, monkeypatch):
    monkeypatch.setenv(SECRET_VARIABLE, value)
    with pytest.raises(MisuseError, match=SECRET_VARIABLE) as raised:
        find_secret()
    assert not value or value not in str(raised.value)


def test_a_secret_may_be_any_long_text(monkeypatch):
    monkeypatch.setenv(SECRET_VARIABLE, "0123456789abcdef0123456789abcdef")
    assert find_secret() == b"0123456789abcdef0123456789abcdef"


def test_another_secret_or_another_body_is_found_out():
    with receiving() as server:
        mailbox(server.url).post(ALERT)
    _, headers, body = server.came[0]
    told = {name.lower(): value for name, value in headers.items()}
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(body, told)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"audit", b"adjut"), told)


def test_an_address_that_is_a_secret_is_read_from_a_file_and_stands_in_no_argument(month, tmp_path):
    place = tmp_path / "address"
    place.touch(mode=0o600)
    words = ("audit", "--period", OCTOBER, "--check", "--notify", f"@{place}")
    with receiving(204) as server:
        place.write_text(f"{server.url}\n")
        done = run(month.settings.store, *words)
        assert (done.returncode, done.stderr.count("told 127.0.0.1:")) == (3, 1)
        assert [path for path, _, _ in server.came] == ["/hook?token=of-the-address"]
        place.chmod(0o644)
        refused = run(month.settings.store, *words)
        assert len(server.came) == 1
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == f"metering: --notify: {place} may be read by others: chmod 600 {place}, and change the address\n"
    place.chmod(0o600)
    for content, code in (
        ("", 1),
        ("https://example.com/a\nhttps://example.com/b\n", 1),
        ("http://example.com/?token=c4nary\n", 2),
    ):
        place.write_text(content)
        done = run(month.settings.store, *words)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (code, "", 1)
        assert "example.com" not in done.stderr
    place.unlink()
    assert "cannot be read: No such file" in run(month.settings.store, *words).stderr
    done = run(month.settings.store, *words[:-1], "@~nobody-of-this-name/address")
    assert (done.returncode, "somebody who has none" in done.stderr) == (1, True)


def test_what_is_asked_wrongly_is_misuse_before_anything_is_computed(month):
    store = month.settings.store
    url = "https://example.com/hook"
    for words, said in (
        (("audit", "--period", OCTOBER, "--notify", url), "give both"),
        (("report", "burst", "--period", OCTOBER, "--notify", url), "give both"),
        (("report", "usage", "--period", OCTOBER, "--check"), "only burst can be checked for"),
        (("report", "html", "--period", OCTOBER, "--check", "-o", "x.html"), "only burst can be checked for"),
        (("audit", "--period", OCTOBER, "--check", "--notify", "http://example.com/hook"), "in the clear"),
    ):
        done = run(store, *words)
        assert done.returncode == 2, done.stderr
        assert said in " ".join(done.stderr.replace("│", "").split())
        assert done.stdout == ""
    done = run(store, "audit", "--period", OCTOBER, "--check", "--notify", url, **{SECRET_VARIABLE: ""})
    assert done.returncode == 2
    assert done.stderr.startswith(f"metering: {SECRET_VARIABLE} must hold a secret")
