"""A location of which the provider has no sample: it was empty, or nobody looked; only what is known to be empty is a zero."""

import contextlib
import dataclasses
import http.server
import json
import urllib.parse

import pytest
import stamina
from hour_facts import csv_bytes
from serving import running

from metering.api import Meter
from metering.collector.backfill import backfill
from metering.config import load_settings
from metering.model.period import Period, instant_seconds, instant_text

DAY_S = 1_790_812_800  # 2026-10-01T00:00:00Z
CYCLE_S = 300
HOUR = 12  # cycles
ACCOUNT = "00000000-0000-4000-8000-00000000000a"
STAYS = "the provider has no sample of it in a gap, which stays: nothing was stored, or nobody looked"


class Provider:
    """Answers `/usage/` alone: samples of 1000 bytes by location and snapshot, each in the cycles that are named."""

    def __init__(self, sampled):
        self.sampled = sampled
        self.asked = []
        self.refused_from_s = None

    def rows(self, location, after_s, before_s):
        self.asked.append((location, after_s, before_s))
        return [
            {"amount": "1000", "poll_time": instant_text(DAY_S + CYCLE_S * cycle), "resource": "backup", "uuid": snapshot}
            for snapshot, cycles in self.sampled.get(location, {}).items()
            for cycle in cycles
            if after_s < DAY_S + CYCLE_S * cycle < before_s
        ]


@contextlib.contextmanager
def serving(provider):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            url = urllib.parse.urlsplit(self.path)
            asked = dict(urllib.parse.parse_qsl(url.query))
            after_s, before_s = instant_seconds(asked["poll_time_gt"]), instant_seconds(asked["poll_time_lt"])
            rows = provider.rows(url.path.split("/")[1], after_s, before_s)
            body = json.dumps({"meta": {"limit": 0, "offset": 0, "total_count": len(rows)}, "objects": rows}).encode()
            is_refused = provider.refused_from_s is not None and before_s > provider.refused_from_s
            self.send_response(503 if is_refused else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with running(server):
        yield f"http://127.0.0.1:{server.server_port}"


class Day:
    """A store with our own polls of Geneva and Zurich, a provider, and what a backfill makes of both."""

    def __init__(self, folder, own, sampled, *, now=24 * HOUR):
        """Polls of our own by endpoint: in which cycles there was one, and by location and snapshot in which it was listed."""
        self.folder, self.provider, self.now_s, self.told = folder, Provider(sampled), DAY_S + CYCLE_S * now, []
        rows = []
        for endpoint, (polled, listed) in own.items():
            for cycle in polled:
                head = {"poll_time": instant_text(DAY_S + CYCLE_S * cycle), "endpoint": endpoint, "account": ACCOUNT}
                found = [where for where, cycles in listed.items() if cycle in cycles] or [(endpoint, "")]
                rows += [head | {"location": at, "snapshot": name, "allocated_size": 1000 if name else ""} for at, name in found]
        (folder / "samples.csv").write_bytes(csv_bytes(rows))

    def backfilled(self, hours, monkeypatch):
        monkeypatch.setenv("METERING_PASSWORD_MAIN", "secret")
        with serving(self.provider) as url:
            (self.folder / "metering.toml").write_text(
                f'store = "{self.folder}/s.duckdb"\n[collect]\nspool = "{self.folder}/spool"\nattempts = 1\n'
                f'[endpoints.GVA]\nurl = "{url}/GVA/"\n[endpoints.ZRH]\nurl = "{url}/ZRH/"\n'
                f'[accounts.main]\naccount = "{ACCOUNT}"\nusername = "u"\n'
            )
            self.meter = Meter(load_settings(self.folder / "metering.toml"))
            self.meter.ingest(self.folder / "samples.csv")
            service = dataclasses.replace(
                self.meter._service(lambda _: None, self.told.append), clock=lambda: self.now_s * 1_000_000
            )
            with stamina.set_testing(True, attempts=1, cap=True):
                done = backfill(self.meter.settings.targets, service, Period(DAY_S, DAY_S + 3600 * hours), CYCLE_S)
        self.told = [text.removeprefix(f"{ACCOUNT} at ") for text in self.told if "no price is known" not in text]
        return done

    def usage(self, location, hours):
        end = instant_text(DAY_S + 3600 * hours)
        bill = self.meter.bill(f"2026-10-01T00:00:00Z..{end}", as_of=end)
        (row,) = [row for row in bill.usage if row.location == location]
        return row.occupied_byte_seconds, row.measured_seconds, row.held_seconds, row.partial_seconds, row.missing_seconds


def test_an_outage_of_one_location_is_missing_time_and_never_a_zero(tmp_path, monkeypatch):
    whole, down = range(6 * HOUR + 1), [*range(HOUR), *range(2 * HOUR, 6 * HOUR + 1)]
    day = Day(
        tmp_path,
        {"GVA": (down, {("GVA", "g"): whole}), "ZRH": (whole, {("ZRH", "z"): whole})},
        {"GVA": {"g": down}, "ZRH": {"z": whole}},
    )
    done = day.backfilled(6, monkeypatch)
    assert (done.gaps, done.polls) == (1, 0)
    # Of 21 600 s the last poll before 01:00 is measured for 300 s and held for 600; 3000 s stay missing.
    assert day.usage("GVA", 6) == (18_600_000, 18_000, 600, 0, 3_000)
    assert day.usage("ZRH", 6) == (21_600_000, 21_600, 0, 0, 0)
    assert day.told == [f"GVA: {STAYS}"]


def test_while_one_location_was_not_sampled_the_others_are_filled(tmp_path, monkeypatch):
    whole, polled = range(6 * HOUR + 1), [*range(HOUR), *range(5 * HOUR, 6 * HOUR + 1)]
    sampled = [*range(2 * HOUR), *range(3 * HOUR, 6 * HOUR + 1)]
    day = Day(
        tmp_path,
        {"GVA": (polled, {("GVA", "g"): whole}), "ZRH": (polled, {("ZRH", "z"): whole})},
        {"GVA": {"g": sampled}, "ZRH": {"z": whole}},
    )
    done = day.backfilled(6, monkeypatch)
    assert (done.gaps, done.polls) == (2, 36 + 48)
    assert day.usage("GVA", 6) == (18_600_000, 18_000, 600, 0, 3_000)
    assert day.usage("ZRH", 6) == (21_600_000, 21_600, 0, 0, 0)
    assert day.told == [f"GVA: {STAYS}"]


def test_what_is_deleted_beside_others_is_gone_from_then_on_and_the_last_of_a_location_is_not_known_to_be(tmp_path, monkeypatch):
    whole, polled = range(6 * HOUR + 1), [*range(HOUR), *range(5 * HOUR, 6 * HOUR + 1)]
    until_two, early = range(2 * HOUR), range(HOUR)
    day = Day(
        tmp_path,
        {"GVA": (polled, {("GVA", "g"): early}), "ZRH": (polled, {("ZRH", "y"): early, ("ZRH", "z"): whole})},
        {"GVA": {"g": until_two}, "ZRH": {"y": until_two, "z": whole}},
    )
    done = day.backfilled(6, monkeypatch)
    assert done.polls == 12 + 48
    # y for two hours and z for six
    assert day.usage("ZRH", 6) == (2 * 3_600_000 + 6 * 3_600_000, 21_600, 0, 0, 0)
    # Geneva: seen until 02:00, held for 600 s, then nobody knows until our own poll of 05:00.
    assert day.usage("GVA", 6) == (7_200_000 + 600_000, 7_200 + 3_600, 600, 0, 10_800 - 600)
    assert day.told == [f"GVA: {STAYS}"]


def test_a_location_that_is_empty_on_both_sides_and_between_was_empty(tmp_path, monkeypatch):
    whole, polled = range(14 * HOUR + 1), [*range(HOUR), *range(13 * HOUR, 14 * HOUR + 1)]
    day = Day(tmp_path, {"GVA": (polled, {}), "ZRH": (polled, {("ZRH", "z"): whole})}, {"ZRH": {"z": whole}})
    done = day.backfilled(14, monkeypatch)
    assert (done.polls, done.samples, day.told) == (2 * 12 * HOUR, 12 * HOUR, [])
    with day.meter._store.reading() as engine:
        assert engine.sql(
            "select c.endpoint, count(*) from polls as p join collections as c on p.collection_key = c.collection_key group by all "
            "order by all"
        ) == [("GVA", 14 * HOUR + 1), ("ZRH", 14 * HOUR + 1)]


def test_what_was_there_for_an_hour_of_a_gap_makes_the_rest_of_it_no_zero(tmp_path, monkeypatch):
    whole, polled = range(14 * HOUR + 1), [*range(HOUR), *range(13 * HOUR, 14 * HOUR + 1)]
    there = range(9 * HOUR, 10 * HOUR)  # in a later window than the one that is asked for first
    day = Day(tmp_path, {"GVA": (polled, {}), "ZRH": (polled, {("ZRH", "z"): whole})}, {"GVA": {"g": there}, "ZRH": {"z": whole}})
    done = day.backfilled(14, monkeypatch)
    assert (done.polls, day.told) == (HOUR + 12 * HOUR, [f"GVA: {STAYS}"])
    # Measured are an hour on each side and the hour between; after the first two of them the last poll is held.
    assert day.usage("GVA", 14) == (3_600_000 + 600_000, 3 * 3_600, 2 * 600, 0, 11 * 3_600 - 2 * 600)


def test_a_collection_gets_no_poll_while_a_location_is_silent_that_it_lists_snapshots_of(tmp_path, monkeypatch):
    whole, polled = range(4 * HOUR + 1), [*range(HOUR), *range(3 * HOUR, 4 * HOUR + 1)]
    # What was taken in Geneva lies in Geneva and in Zurich, and Zurich was not sampled from 01:00 to 03:00.
    day = Day(
        tmp_path,
        {"GVA": (polled, {("GVA", "g"): whole, ("ZRH", "h"): whole}), "ZRH": (whole, {})},
        {"GVA": {"g": whole}, "ZRH": {"h": polled}},
    )
    done = day.backfilled(4, monkeypatch)
    assert (done.polls, day.told) == (0, [f"GVA: {STAYS}"])


def test_a_location_in_which_another_collection_lists_something_was_not_empty(tmp_path, monkeypatch):
    whole, polled = range(4 * HOUR + 1), [*range(HOUR), *range(3 * HOUR, 4 * HOUR + 1)]
    # Zurich's own collection lists nothing, but Geneva's lists a snapshot there: without a row of it nobody looked.
    day = Day(
        tmp_path,
        {"GVA": (whole, {("GVA", "g"): whole, ("ZRH", "h"): whole}), "ZRH": (polled, {})},
        {"GVA": {"g": whole}},
    )
    done = day.backfilled(4, monkeypatch)
    assert (done.polls, day.told) == (0, [f"ZRH: {STAYS}"])


@pytest.mark.parametrize(("later", "polls"), [(range(13 * HOUR, 14 * HOUR + 1), 2 * 12 * HOUR), ([], 13 * HOUR)])
def test_before_the_next_poll_of_our_own_no_location_is_known_to_be_empty(tmp_path, monkeypatch, later, polls):
    whole, polled = range(14 * HOUR), [*range(HOUR), *later]
    day = Day(tmp_path, {"GVA": (polled, {}), "ZRH": (polled, {("ZRH", "z"): whole})}, {"ZRH": {"z": whole}})
    done = day.backfilled(14, monkeypatch)
    assert (done.polls, day.told) == (polls, [] if later else [f"GVA: {STAYS}"])


@pytest.mark.parametrize(("later", "polls"), [(range(0), 2 * 6 * HOUR), (range(9 * HOUR, 10 * HOUR), 6 * HOUR)])
def test_before_the_first_poll_a_location_was_empty_if_no_poll_ever_listed_anything_there(tmp_path, monkeypatch, later, polls):
    whole, polled = range(10 * HOUR), range(6 * HOUR, 10 * HOUR)
    day = Day(tmp_path, {"GVA": (polled, {("GVA", "g"): later}), "ZRH": (polled, {("ZRH", "z"): whole})}, {"ZRH": {"z": whole}})
    done = day.backfilled(10, monkeypatch)
    assert (done.polls, day.told) == (polls, [f"GVA: {STAYS}"] if later else [])


def test_a_gap_of_which_a_part_was_not_answered_is_not_known_to_be_empty(tmp_path, monkeypatch):
    whole, polled = range(14 * HOUR + 1), [*range(HOUR), *range(13 * HOUR, 14 * HOUR + 1)]
    day = Day(tmp_path, {"GVA": (polled, {}), "ZRH": (polled, {("ZRH", "z"): whole})}, {"ZRH": {"z": whole}})
    day.provider.refused_from_s = DAY_S + 9 * 3_600
    done = day.backfilled(14, monkeypatch)
    # The first window ends six hours after the gap begins; Zurich is filled until then, and what failed is told as that.
    assert (done.polls, {each.cause for each in done.failures}, day.told) == (6 * HOUR, {"refused"}, [])


def test_nothing_is_asked_of_time_that_is_still_to_come(tmp_path, monkeypatch):
    whole = range(4 * HOUR)
    day = Day(
        tmp_path,
        {"GVA": (range(HOUR), {("GVA", "g"): whole}), "ZRH": (range(HOUR), {("ZRH", "z"): whole})},
        {"GVA": {"g": whole}, "ZRH": {"z": whole}},
        now=4 * HOUR,
    )
    done = day.backfilled(24 * 90, monkeypatch)
    # From a second after the poll of 00:55 to 04:00, at two endpoints, in one request each.
    assert (done.gaps, done.gap_seconds, done.polls) == (2, 2 * (3 * 3_600 + 299), 2 * 3 * HOUR)
    assert sorted(location for location, _, _ in day.provider.asked) == ["GVA", "ZRH"]
    assert day.told == []


def test_a_period_that_is_all_to_come_has_no_gap_yet(tmp_path, monkeypatch):
    day = Day(tmp_path, {"GVA": (range(-HOUR, 0), {})}, {}, now=0)
    done = day.backfilled(24, monkeypatch)
    assert (done.gaps, done.gap_seconds, day.provider.asked, day.told) == (0, 0, [], [])
