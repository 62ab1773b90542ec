"""What surrounds a collector does not reach into it: proxies and logins of the environment, redirects, lost answers, clocks."""

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvicorn
from collect_help import Rig, causes
from mailbox_server import receiving
from sandbox_help import running, small_world, with_snapshots

PLACES = ("ZRH", "GVA")


@pytest.fixture
def sandbox():
    world = small_world(locations=PLACES)
    with_snapshots(world, 2)
    with running(world) as served:
        yield served


def test_neither_a_proxy_nor_a_login_nor_a_certificate_of_the_environment_is_heeded(tmp_path, sandbox, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing.pem"))
    with receiving() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
        report = Rig(tmp_path, sandbox).collect()
    assert (report.polls, report.failures) == (4, [])
    assert proxy.came == []


def everything_asked(rig):
    report = rig.collect()
    with rig.meter() as meter:
        checked = meter.check_collecting()
        filled = meter.backfill("2026-10-01")
        made = meter.reconcile("2026-10-01", live="ledger")
    unanswered = [finding for finding in made.findings if finding.check == "no_answer"]
    return report.polls, {row.result for row in checked}, report.failures + filled.failures + unanswered


def test_whoever_asks_from_a_notebook_or_a_thread_is_answered(tmp_path, sandbox):
    async def cell():
        return everything_asked(Rig(tmp_path, sandbox))

    answered = (4, {"works"}, [])
    assert asyncio.run(cell()) == answered
    sandbox.advance(300)
    with ThreadPoolExecutor(max_workers=1) as thread:
        assert thread.submit(everything_asked, Rig(tmp_path, sandbox)).result() == answered


def test_a_collector_in_a_notebook_ends_with_its_cell(tmp_path, sandbox):
    rig = Rig(tmp_path, sandbox)

    async def cell():
        with rig.meter() as meter:
            meter.collect(every_s=3_600, tell_cycle=lambda _report: os.kill(os.getpid(), signal.SIGINT))

    loop = asyncio.new_event_loop()  # as a kernel has it, which leaves signals as they are
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(cell())
    loop.close()
    assert sum(map(len, rig.polls().values())) == 4


def test_a_redirect_takes_nothing_to_another_host(tmp_path, sandbox):
    with receiving() as elsewhere:
        sandbox.faults.add("redirect", location="GVA", value=elsewhere.url)
        assert causes(Rig(tmp_path, sandbox).collect()) == {("GVA", "refused")}
    assert elsewhere.came == []


def test_an_answer_that_got_lost_is_asked_for_again_and_is_one_poll(tmp_path, sandbox):
    rig = Rig(tmp_path, sandbox, attempts=4)
    sandbox.faults.add("lost", location="GVA", times=1)
    sandbox.faults.add("cut", location="ZRH", times=1)
    assert rig.collect().failures == []
    assert sorted(len(times) for times in rig.polls().values()) == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("age", "is_taken"), [("0", True), ("30", True), ("31", False), ("9" * 5_000, False), ("some", True), ("²", True)]
)
def test_a_listing_that_a_cache_kept_is_none_of_now(tmp_path, monkeypatch, age, is_taken):
    world = small_world(locations=PLACES)
    with_snapshots(world, 2)
    plain = uvicorn.Config
    monkeypatch.setattr(uvicorn, "Config", lambda *given, **named: plain(*given, headers=[("Age", age)], **named))
    with running(world) as served:
        report = Rig(tmp_path, served).collect()
    if is_taken:
        assert (report.polls, report.failures) == (4, [])
    else:
        assert report.polls == 0
        assert causes(report) == {("ZRH", "malformed"), ("GVA", "malformed")}
        assert f"the answer is {age[:9]} s old: a cache stands before 127.0.0.1" in report.failures[0].detail


def test_clocks_that_are_apart_are_told_by_endpoint_and_the_polls_are_taken(tmp_path, sandbox):
    rig = Rig(tmp_path, sandbox)
    rig.config.write_text(rig.config.read_text().replace('clock = "provider"', 'clock = "ours"'))
    report = rig.collect()
    assert set(report.skews) == set(PLACES)
    assert all(abs(skew) > 3_600 for skew in report.skews.values()), "the emulated provider lives in another month"
    assert (report.polls, report.failures) == (4, [])
