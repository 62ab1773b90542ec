"""Seeded random worlds, as hostile as the rules allow: facts by command, and the period, clock and settings to bill them with.

`World.random(7)` is the same world everywhere. Rows are text, as CSV has them; `fact_files` writes them in any format. What makes
a world hostile: polls a second beside every boundary there is (1.5 cycles, max_hold, midnight, the period's edges), a snapshot
listed by several endpoints or wandering between them, the same instant written in many ways, identifiers that look like numbers
or missing values, sizes up to 2⁶³ − 1, prices and levels that change in the middle of everything, facts that come twice, late,
contradicting or broken.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from fact_files import Row, Tables
from oracle_facts import bounds, sample_of

DAY = 86_400
GIB = 2**30
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FAR = 4_000_000_000  # a clock after every world

ACCOUNTS = ("00123", "123", "NA", "null", "nan", "räksmörgås-账户", 'O\'Brien; "x", y', "=1+1", "-", "TRUE", "1e5", "a" * 128)
LOCATIONS = ("GVA", "ZRH", "FRA", "CWL", "LON", "DUB", "NA", "XXL", "Zürich", "007")
SNAPSHOTS = ("s1", "s2", "0001", "1", "NaN", "None", "S1", "ß", "s 3", "s,4", 's"5', "\U0001d564 6")
NAMES = ("", "daily", "=cmd()", "a,b", 'say "hi"', "semi;colon", "Ünïcode ✓", "two\nlines", "NA", "007", "tab\there")
STATUSES = ("available", "available", "creating", "transferring", "deleting", "unavailable", "")
CURRENCIES = ("CHF", "USD", "JPY", "KWD", "EUR")
SIZES = (0, 1, 2, 4_831_838_208, GIB, 10 * GIB, 2**40, 3 * 2**50, 2**53 + 1, 2**62, 2**63 - 1)
PRICES = ("0.28", "0.105", "1", "0", "123456.789", "0.00000000000000000001", "0.3333333333333333333333333", "0.5", "7.0")
UNITS = {
    "GB/month": 2**30 * 30 * DAY, "GB/hour": 2**30 * 3_600, "TB/month": 2**40 * 30 * DAY, "MB/day": 2**20 * DAY,
}  # fmt: skip
DAYS = ("2024-02-29", "2025-12-31", "2026-03-29", "2026-10-01", "2026-10-25", "2015-03-19")
BROKEN_SIZES = ("-1", "1.5", "1e3", "12.0", str(2**63), "", "NaN", "true", "0x10", " 5")
BROKEN_TIMES = ("2026-10-01T00:00:00", "yesterday", "", "1790812800", "2026-02-30T00:00:00Z", "2026-10-01T24:00:00Z")


@dataclass(frozen=True)
class World:
    """Facts by command, and what to ask of them."""

    seed: int
    commands: tuple[Tables, ...]
    period: str
    as_of: int
    cycle: int = 300
    max_hold: int = 900
    supersede: frozenset[int] = frozenset()  # which commands supersede
    known_at: int | None = None  # how many commands are known
    now: int = FAR  # when the commands are given

    @staticmethod
    def random(seed: int, *, clean: bool = False) -> "World":
        """Make the world of a seed; a clean one has one command, and nothing broken or contradicting in it."""
        return Maker(Random(seed), seed, clean).world()

    @property
    def tables(self) -> Tables:
        """All rows of all commands together."""
        together: defaultdict[str, list[Row]] = defaultdict(list)
        for command in self.commands:
            for table, rows in command.items():
                together[table] += rows
        return dict(together)

    def asked(self, count: int) -> list["World"]:
        """The same facts, asked for other periods beside their polls, at other clocks, and as they were known at other times."""
        random = Random(self.seed + 1)
        polls = sorted({key.second for key in (sample_of(row)[0] for row in self.tables.get("samples", ())) if key})
        edges = polls or [bounds(self.period)[0]]
        worlds = []
        for _ in range(count):
            steps = [0, 0, 1, -1, self.cycle, -self.cycle, self.max_hold, self.max_hold + 1, 3 * self.cycle // 2, DAY]
            start, end = sorted(max(0, random.choice(edges) + random.choice(steps)) for _ in range(2))
            as_of = random.choice([FAR, max(start + 1, random.choice(edges) + random.choice(steps))])
            known_at = random.choice([None, None, random.randint(1, len(self.commands))])
            period = f"{written(start)}..{written(max(end, start + 1))}"
            worlds.append(replace(self, period=period, as_of=as_of, known_at=known_at))
        return worlds

    def having(self, **tables: list[Row]) -> "World":
        """The same question asked of other facts: one command, in which some tables are replaced."""
        return replace(self, commands=(self.tables | tables,), supersede=frozenset(), known_at=None)


def written(second: int, random: Random | None = None) -> str:
    """Write an instant, in any of the ways that mean the same second."""
    if random is None or random.random() < 0.5:
        return _written(second, 0, "T", "Z")
    if second % DAY == 0 and random.random() < 0.3:
        return _written(second, 0, "T", "")[:10]
    hours, minutes = random.choice([(0, 0), (2, 0), (-5, -30), (13, 45), (-12, 0), (5, 45)])
    offset = f"{'-' if hours < 0 else '+'}{abs(hours):02}:{abs(minutes):02}"
    fraction = random.choice(["", "", ".0", ".999", ".123456", ".999999999", ".000000001"])
    return _written(second, hours * 3_600 + minutes * 60, random.choice("T "), fraction + offset)


def _written(second: int, offset_seconds: int, separator: str, rest: str) -> str:
    moment = EPOCH + timedelta(seconds=second + offset_seconds)
    return moment.strftime(f"%Y-%m-%d{separator}%H:%M:%S") + rest


@dataclass
class Maker:
    random: Random
    seed: int
    clean: bool
    cycle: int = 300
    max_hold: int = 900
    is_dense: bool = False  # hours of steady polls in which little changes, as real life has them
    polls: dict[tuple[str, str, int], list[Row]] = field(default_factory=dict)

    def world(self) -> World:
        random = self.random
        self.is_dense = random.random() < 0.25
        if random.random() < 0.3:
            self.cycle = random.choice([1, 60, 299, 301, 600, 3_600])
            self.max_hold = random.choice([self.cycle, self.cycle + 1, 3 * self.cycle, 3 * self.cycle // 2, 10 * self.cycle])
        self.start, self.end, period = self._period()
        self.accounts = random.sample(ACCOUNTS, random.choice([1, 1, 2, 3]))
        self.locations = random.sample(LOCATIONS, random.choice([1, 2, 2, 3, 4]))
        self.moments = {self.start, self.end}
        for account in self.accounts:
            self._history(account)
        tables = {
            "samples": [row for rows in self.polls.values() for row in rows],
            "subscriptions": self._subscriptions(), "prices": self._prices(), "burst_levels": self._burst_levels(),
            "accounts": self._known_accounts(),
        }  # fmt: skip
        commands, supersede = ((tables,), frozenset()) if self.clean else self._commands(tables)
        for command in commands:
            for rows in command.values():
                random.shuffle(rows)
        known_at = random.randint(1, len(commands)) if len(commands) > 1 and random.random() < 0.3 else None
        now = random.choice([FAR, FAR, self.start - 10 * DAY, self.start])
        return World(self.seed, commands, period, self._as_of(), self.cycle, self.max_hold, supersede, known_at, now)

    def _period(self) -> tuple[int, int, str]:
        random = self.random
        day = (datetime.fromisoformat(random.choice(DAYS)).replace(tzinfo=UTC) - EPOCH) // timedelta(seconds=1)
        kind = random.choice(["day", "day", "odd", "odd", "days", "month"])
        if kind == "day":
            return day, day + DAY, written(day)[:10]
        if kind == "month":
            start = (EPOCH + timedelta(seconds=day)).replace(day=1)
            end = (start + timedelta(days=32)).replace(day=1)
            first, last = ((moment - EPOCH) // timedelta(seconds=1) for moment in (start, end))
            return first, last, written(first)[:7]
        start = day if kind == "days" else day + random.randrange(DAY)
        end = start + (random.randint(1, 3) * DAY if kind == "days" else random.choice([1, 300, 3_601, DAY, 90_001]))
        return start, end, f"{written(start, random)}..{written(end, random)}"

    def _as_of(self) -> int:
        if self.random.random() < 0.6:
            return FAR
        near = self.random.choice([*sorted(self.moments), self.random.randint(self.start, self.end)])
        return max(self.start + 1, near + self.random.choice([0, 1, -1, 300]))

    # --- polls ---

    def _history(self, account: str) -> None:
        """Snapshots of one account that come, grow, go, move and are listed by one endpoint or several."""
        random = self.random
        endpoints = random.sample([*self.locations, "EP 1", "0"], random.choice([1, 1, 2, 3]))
        snapshots = {
            snapshot: (random.choice(self.locations), random.choice(endpoints), random.choice(SIZES[:6]))
            for snapshot in random.sample(SNAPSHOTS, random.randint(1, 5))
        }
        everywhere = {snapshot for snapshot in snapshots if random.random() < 0.2}
        for endpoint in endpoints:
            for second in self._poll_seconds():
                self._drift(snapshots, endpoints)
                rows = [
                    self._row(second, endpoint, account, snapshot, *at)
                    for snapshot, at in snapshots.items()
                    if at[1] == endpoint or snapshot in everywhere
                    if random.random() < (0.998 if self.is_dense else 0.95)
                ]
                self.polls[endpoint, account, second] = rows or [self._heartbeat(second, endpoint, account)]

    def _poll_seconds(self) -> list[int]:
        """Instants of polls, around the period's begin, its end, or anywhere, with gaps beside every boundary."""
        random = self.random
        if self.is_dense:
            return self._steady_seconds()
        half, hold = 3 * self.cycle // 2, self.max_hold
        gaps = [self.cycle] * 8 + [1, self.cycle - 1, self.cycle + 1, half - 1, half, half + 1, hold - 1, hold, hold + 1, 2 * hold]
        gaps += [DAY, DAY // 2 + 1]
        seconds: set[int] = set()
        for _ in range(random.choice([1, 1, 2, 3])):
            anchor = random.choice([self.start, self.start, self.end, random.randint(self.start, self.end)])
            second = anchor + random.choice(
                [0, 0, -1, 1, -hold, -hold - 1, 1 - hold, -self.cycle, -half, -half - 1, -5 * self.cycle]
            )
            for _ in range(random.randint(1, 12)):
                seconds.add(second)
                second += max(1, random.choice(gaps))
        self.moments |= seconds
        return sorted(second for second in seconds if second >= 0)

    def _steady_seconds(self) -> list[int]:
        """Polls every cycle, over several hours: to the second, or jittering; a few left out, a few twice in a cycle."""
        random = self.random
        first = random.choice([self.start, self.end]) - random.randrange(100) * self.cycle + random.choice([0, 0, 7, 299])
        jitter = random.choice([1, 1, 1, 3, 60])
        seconds = set()
        for number in range(random.choice([49, 97, 150])):
            second = first + number * self.cycle + random.randrange(jitter)
            seconds |= {second} if random.random() < 0.98 else set()
            seconds |= {second + random.choice([1, 100, 299])} if random.random() < 0.01 else set()
        self.moments |= set(random.sample(sorted(seconds), 5))
        return sorted(second for second in seconds if second >= 0)

    def _drift(self, snapshots: dict[str, tuple[str, str, int]], endpoints: list[str]) -> None:
        random = self.random
        for snapshot, (location, endpoint, size) in list(snapshots.items()):
            chance = random.random() * (20 if self.is_dense else 1)
            if chance < 0.12:
                size = random.choice([*SIZES, size + 1, size // 2, size * 2])  # noqa: PLW2901 -- it drifts
            elif chance < 0.15:
                location = random.choice(self.locations)  # noqa: PLW2901 -- it drifts
            elif chance < 0.18:
                endpoint = random.choice(endpoints)  # noqa: PLW2901 -- it drifts
            snapshots[snapshot] = (location, endpoint, min(size, 2**63 - 1))

    def _row(self, second: int, endpoint: str, account: str, snapshot: str, location: str, _home: str, size: int) -> Row:
        random = self.random
        row = {
            "poll_time": written(second, random), "endpoint": endpoint, "account": account, "location": location,
            "snapshot": snapshot, "allocated_size": str(size), "drive": random.choice(["", "d1", "002"]) if self.clean else "d1",
            "status": random.choice(STATUSES), "name": random.choice(NAMES),
        }  # fmt: skip
        if self.is_dense and random.random() < 0.99:
            row |= {"drive": "d1", "status": "available", "name": snapshot}
        if endpoint == location and random.random() < 0.5:
            row["endpoint"] = ""
        return row

    def _heartbeat(self, second: int, endpoint: str, account: str) -> Row:
        named = self.random.random() < 0.5
        return {
            "poll_time": written(second, self.random), "endpoint": "" if named else endpoint, "account": account,
            "location": endpoint if named else self.random.choice(["", *self.locations]), "snapshot": "",
            "allocated_size": self.random.choice(["", "0"]), "drive": "", "status": "", "name": "",
        }  # fmt: skip

    # --- the small tables ---

    def _moment(self) -> int:
        """Somewhere that matters: at a poll, at an edge, at noon, at midnight, or a second beside it."""
        random = self.random
        day = self.start - self.start % DAY
        at = random.choice([self.start, self.end, day, day + DAY // 2, *random.sample(sorted(self.moments), 1), day - 40 * DAY,
                            random.randint(self.start, self.end)])  # fmt: skip
        return max(0, at + random.choice([0, 0, 0, 1, -1, 150, 300, 450, -DAY]))

    def _subscriptions(self) -> list[Row]:
        random, rows = self.random, []
        for number in range(random.choice([0, 1, 2, 4, 6])):
            row = {
                "id": f"{number:03}", "account": random.choice([*self.accounts, "nobody"]),
                "location": random.choice(self.locations), "amount": str(random.choice([*SIZES, GIB, 10 * GIB, 5 * GIB])),
                "start_time": "", "end_time": "", "period": "", "resource": random.choice(["backup", "backup", "", "cpu"]),
                "price": "", "currency": "", "auto_renew": random.choice(["", "true"]),
            }  # fmt: skip
            start, end = sorted([self._moment(), self._moment()])
            length = random.choice(["1 month", "3 months", "1 day", "10 days", "2 weeks", "1 year"])
            kind = random.choice(["both", "both", "both", "start", "end"])
            if kind in ("both", "start"):
                row["start_time"] = written(start, random)
            if kind in ("both", "end"):
                row["end_time"] = written(max(end, start + 1), random)
            if kind != "both":
                row["period"] = length
            rows.append(row)
            if rows and random.random() < 0.3:  # renewed: at once, a second late, or a second early
                edge = max(end, start + 1) + random.choice([0, 1, -1])
                last = edge + random.choice([1, DAY, 30 * DAY])
                times = {"start_time": written(edge, random), "end_time": written(last, random), "period": ""}
                rows.append(row | times | {"id": f"{number:03}-next"})
        return rows

    def _prices(self) -> list[Row]:
        random, rows = self.random, {}
        for currency in CURRENCIES:
            for _ in range(random.choice([0, 2, 4, 6])):
                unit = random.choice(["GB/month", "GB/month", *UNITS])
                since = random.choice([0, 0, self._moment()])
                row = {
                    "location": random.choice(["", "", *self.locations]), "resource": random.choice(["backup"] * 6 + ["cpu"]),
                    "currency": currency, "level": str(random.choice([0, 1, 1, 1, 2])), "price": random.choice(PRICES),
                    "unit": unit, "multiplier": str(UNITS[unit]), "effective_from": written(since, random),
                }  # fmt: skip
                rows[row["location"], row["resource"], currency, row["level"], since] = row
        return list(rows.values())

    def _burst_levels(self) -> list[Row]:
        random, rows = self.random, {}
        for location in [*self.locations, ""]:
            if random.random() < 0.3:
                first = self._moment()
                for step in range(random.choice([1, 2, 12])):
                    since = first + step * 300
                    rows[location, since] = {"location": location, "resource": "backup", "level": str(random.choice([0, 1, 1, 2])),
                                             "effective_from": written(since, random)}  # fmt: skip
        return list(rows.values())

    def _known_accounts(self) -> list[Row]:
        random = self.random
        rows = [
            {"account": account, "currency": random.choice(CURRENCIES), "name": random.choice(NAMES)}
            for account in self.accounts
            if random.random() < 0.9
        ]
        return rows if random.random() < 0.8 else [{name: row[name] for name in ("account", "currency")} for row in rows]

    # --- several commands ---

    def _commands(self, tables: Tables) -> tuple[tuple[Tables, ...], frozenset[int]]:
        """Spread the facts over commands, polls whole; then repeat, contradict and break some."""
        random = self.random
        count = random.choice([1, 1, 2, 3])
        rare = 0.05 if self.is_dense else 1
        commands: list[Tables] = [defaultdict(list) for _ in range(count)]
        seconds = sorted(second for _, _, second in self.polls)
        # Day after day, the last day first, or anyhow.
        order = random.choice([list(range(count)), list(range(count))[::-1], None])
        for (endpoint, account, second), rows in self.polls.items():
            command = order[seconds.index(second) * count // len(seconds)] if order else random.randrange(count)
            if random.random() < 0.15 * rare and all(row["snapshot"] for row in rows):
                commands[command]["captures"].append(self._capture(endpoint, account, rows))
            else:
                commands[command]["samples"] += [dict(row) for row in rows]
            commands[random.randrange(count)]["samples"] += self._again_or_broken(rows, rare)
        for table in ("subscriptions", "prices", "burst_levels", "accounts"):
            for row in tables[table]:
                for command in random.sample(range(count), random.choice([1, 1, min(2, count)])):
                    commands[command][table].append(dict(row))
        changes = {"subscriptions": ("amount", "77"), "prices": ("price", "0.77"), "accounts": ("currency", "CHF")}
        for table, (column, value) in changes.items():
            if count > 1 and random.random() < 0.5 and commands[-1][table]:
                commands[-1][table][0][column] = value
        supersede = frozenset(number for number in range(1, count) if random.random() < 0.3)
        return tuple(dict(command) for command in commands), supersede

    def _again_or_broken(self, rows: list[Row], rare: float) -> list[Row]:
        """Some rows of a poll again: as they were or with another content; or a broken one, which spoils the poll that it names."""
        random, more = self.random, []
        if random.random() < 0.1 * rare:
            more = [dict(row) for row in random.sample(rows, random.choice([len(rows), len(rows), 1]))]
            if random.random() < 0.4 and more[0]["snapshot"]:
                more[0][random.choice(["allocated_size", "status", "drive"])] = "7"
        if random.random() < 0.04 * rare:
            broken = random.choice([{"allocated_size": random.choice(BROKEN_SIZES)}, {"poll_time": random.choice(BROKEN_TIMES)},
                                    {"account": ""}, {"snapshot": "x" * 129}, {"drive": "d" * 129}])  # fmt: skip
            more.append({**rows[0], "snapshot": "new", "allocated_size": "5", **broken})
        return more

    def _capture(self, endpoint: str, account: str, rows: list[Row]) -> Row:
        def listed(row: Row, owner: str) -> Row:
            drive = {"uuid": row["drive"], "resource_uri": ""} if row["drive"] else None
            return {"uuid": row["snapshot"], "name": row["name"], "status": row["status"], "location": row["location"],
                    "allocated_size": int(row["allocated_size"]), "drive": drive, "owner": {"uuid": owner}}  # fmt: skip

        objects = [listed(row, account) for row in rows]
        if self.random.random() < 0.5:
            shared = self.random.choice([*ACCOUNTS[:2], "stranger"])
            if shared != account:
                objects.append(listed(rows[0], shared))
        response = {"meta": {"limit": 0, "offset": 0, "total_count": len(objects)}, "objects": objects}
        return {"poll_time": rows[0]["poll_time"], "endpoint": endpoint, "account": account, "response": response}
