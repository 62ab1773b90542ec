"""The notation of worked cases: facts a person can read, one a line, and quantities that show their arithmetic.

    account acme CHF "Acme AG"
    price 0.28 CHF per GB/hour level 1 in ZRH from 2026-10-01
    level 2 in ZRH from 10:30
    subscription k1 acme ZRH 5 GiB from 2026-10-01 to 2026-11-01       (or `for 1 month`; `resource cpu`)
    poll 10:00 acme ZRH: s1 = 10 GiB, s2 in GVA = 4831838208
    polls 10:00 to 10:55 every 300 s acme ZRH: s1 = 10 GiB
    poll 11:00 acme ZRH: nothing
    capture 11:05 acme ZRH: s1 = 10 GiB, s2 of other = 1 GiB

A poll names the account and the endpoint that was asked; a snapshot is stored there unless it says `in`. A time without a date is
of the case's day, in UTC. `---` begins another command, `--- superseding` one that supersedes.
"""

import re
import shlex
import tomllib
from fractions import Fraction
from pathlib import Path
from typing import Any

from fact_files import Row, Tables
from oracle_facts import instant, shown
from worlds import UNITS

DAY = "2026-10-05"
SIZES = {"B": 1, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50, "s": 1, "h": 3_600, "d": 86_400, "": 1}


def cases_of(path: Path) -> list[dict[str, Any]]:
    """Read the cases of a file."""
    return tomllib.loads(path.read_text(encoding="utf-8"))["case"]


def quantity(text: str | int) -> int:
    """Work out `2 GiB × 600 s + 1 GiB × 1 h`: sums of products of whole or decimal numbers, each with a unit or none."""
    total = Fraction(0)
    for term in re.split(r"\+", str(text)):
        product = Fraction(1)
        for factor in term.split("×"):
            number, _, unit = factor.strip().partition(" ")
            product *= Fraction(number.replace("_", "")) * SIZES[unit.strip()]
        total += product
    assert total.denominator == 1, f"{text} is no whole quantity"
    return int(total)


def at(text: str, day: str = DAY) -> str:
    """Give a time of the case's day, or a date or instant as it stands."""
    return f"{day}T{text}Z" if re.fullmatch(r"\d\d:\d\d(:\d\d([.]\d+)?)?", text) else text


def commands_of(text: str, day: str = DAY) -> tuple[tuple[Tables, ...], frozenset[int]]:
    """Read the facts of a case: the tables of each command, and which of them supersede."""
    commands: list[Tables] = [{}]
    supersede = set()
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("#"):
            continue
        if line.startswith("---"):
            commands.append({})
            if "superseding" in line:
                supersede.add(len(commands) - 1)
            continue
        word, rest = line.split(None, 1)
        table, rows = _READERS[word](rest, day)
        commands[-1].setdefault(table, []).extend(rows)
    return tuple(commands), frozenset(supersede)


def _options(words: list[str], *names: str) -> dict[str, str]:
    """Take `name value…` pairs apart: a value reaches until the next name."""
    found: dict[str, list[str]] = {}
    current = ""
    for word in words:
        if word in names:
            current = word
            found[current] = []
        else:
            found[current].append(word)
    return {name: " ".join(value) for name, value in found.items()}


def _account(rest: str, _day: str) -> tuple[str, list[Row]]:
    account, currency, *name = shlex.split(rest)
    return "accounts", [{"account": account, "currency": currency, "name": "".join(name)}]


def _price(rest: str, day: str) -> tuple[str, list[Row]]:
    price, currency, *words = rest.split()
    said = _options(words, "per", "level", "in", "from")
    return "prices", [
        {
            "location": said.get("in", ""), "resource": "backup", "currency": currency, "level": said["level"], "price": price,
            "unit": said["per"], "multiplier": str(UNITS[said["per"]]), "effective_from": at(said["from"], day),
        }
    ]  # fmt: skip


def _level(rest: str, day: str) -> tuple[str, list[Row]]:
    level, *words = rest.split()
    said = _options(words, "in", "from")
    return "burst_levels", [
        {"location": said["in"], "resource": "backup", "level": level, "effective_from": at(said["from"], day)}
    ]  # fmt: skip


def _subscription(rest: str, day: str) -> tuple[str, list[Row]]:
    name, account, location, *words = rest.split()
    said = _options(["amount", *words], "amount", "from", "to", "for", "resource")
    times = {"start_time": said.get("from"), "end_time": said.get("to")}
    row = {"id": name, "account": account, "location": location, "amount": str(quantity(said["amount"]))}
    row |= {column: at(time, day) if time else "" for column, time in times.items()}
    return "subscriptions", [row | {"period": said.get("for", ""), "resource": said.get("resource", "backup")}]


def _poll(rest: str, day: str) -> tuple[str, list[Row]]:
    row, listed = _head(rest, day)
    row |= {"location": "", "snapshot": "", "allocated_size": ""}
    if listed.startswith("nothing"):
        return "samples", [row | {"location": listed.removeprefix("nothing").removeprefix(" in ")}]
    rows = []
    for snapshot, said, size in _listed(listed):
        location, status = said.get("in", row["endpoint"]), said.get("while", "")
        rows.append(row | {"location": location, "snapshot": snapshot, "allocated_size": size, "status": status})
    return "samples", rows


def _capture(rest: str, day: str) -> tuple[str, list[Row]]:
    row, listed = _head(rest, day)
    objects = [
        {
            "uuid": snapshot, "name": "", "status": "available", "location": said.get("in", row["endpoint"]), "drive": None,
            "allocated_size": int(size), "owner": {"uuid": said.get("of", row["account"])},
        }
        for snapshot, said, size in _listed(listed)
    ]  # fmt: skip
    return "captures", [row | {"response": {"meta": {"limit": 0, "offset": 0, "total_count": len(objects)}, "objects": objects}}]


def _head(rest: str, day: str) -> tuple[Row, str]:
    head, _, listed = rest.partition(": ")
    time, account, endpoint = head.split()
    return {"poll_time": at(time, day), "endpoint": endpoint, "account": account}, listed.strip()


def _listed(listed: str) -> list[tuple[str, dict[str, str], str]]:
    """Each `s1 in GVA of other while deleting = 10 GiB`; a size behind `?` stands as it is."""
    found = []
    for sample in listed.split(","):
        said, _, size = sample.partition(" = ")
        snapshot, *words = said.split()
        text = size.strip()
        raw = text.removeprefix("?") if text.startswith("?") else str(quantity(text))
        found.append((snapshot, _options(words, "in", "of", "while"), raw))
    return found


def _polls(rest: str, day: str) -> tuple[str, list[Row]]:
    first, last, step, tail = re.fullmatch(r"(\S+) to (\S+) every (\d+) s (.*)", rest).groups()  # type: ignore[union-attr]
    seconds = range(instant(at(first, day)), instant(at(last, day)) + 1, int(step))
    return "samples", [row for second in seconds for row in _poll(f"{shown(second)} {tail}", day)[1]]


_READERS = {
    "account": _account, "price": _price, "level": _level, "subscription": _subscription, "poll": _poll, "polls": _polls,
    "capture": _capture,
}  # fmt: skip
