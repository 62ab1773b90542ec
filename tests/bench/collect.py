"""How fast a cycle of many collections is: polls a second, our share of the time beside a bare httpx loop, and peak memory.

    python tests/bench/collect.py [COLLECTIONS]

One sandbox, in a process of its own, answers for six locations. First a bare loop asks for the same listings with the same
concurrency and throws them away; then `metering collect --once` polls them into spool and store. Each runs in a process of its
own; processor time tells whose work it is, for the sandbox runs beside them on the same machine.
"""

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from metering.api import Meter
from metering.collector import service
from metering.config import load_settings
from metering.sandbox import World, running

CONCURRENCY = 8
PLACES = 6
SNAPSHOTS = 6
MIB = 2**20


def serve(accounts: str) -> None:
    """Serve a world in which every account has snapshots everywhere, until a line comes in."""
    world = World(seed=1, block_bytes=MIB)
    for level, price in enumerate(("0.105", "0.28")):
        world.money.set_price(price, "CHF", level, world.start_s)
    drives = []
    for number in range(int(accounts)):
        account = world.add_account(f"user{number}@example.com", "secret")
        drives += [
            (account, place, world.create_drive(account, place, name="disk", size=64 * MIB))
            for place in world.locations
            for _ in range(SNAPSHOTS)
        ]
    world.advance(10)
    for account, place, drive in drives:
        world.create_snapshots(account, place, [{"drive": drive.uuid}])
        world.write(drive, range(8))
    world.advance(290)
    with running(world) as sandbox:
        print(json.dumps({place: sandbox.endpoint(place) for place in world.locations}), flush=True)
        print(json.dumps(list(world.accounts)), flush=True)
        sys.stdin.readline()


async def bare(folder: str) -> None:
    """Ask for all listings and do nothing with them but to read their JSON."""
    urls, accounts = json.loads((Path(folder) / "asked.json").read_text())
    clients = {url: httpx.AsyncClient(base_url=url, trust_env=False) for url in urls}
    slots = {url: asyncio.Semaphore(CONCURRENCY) for url in urls}

    async def get(url: str, number: int) -> None:
        async with slots[url]:
            answer = await clients[url].get("remotesnapshots/detail/?limit=0", auth=(f"user{number}@example.com", "secret"))
            assert answer.json()["meta"]["total_count"] == SNAPSHOTS

    started, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(get(url, number) for number in range(accounts) for url in urls))
    print(json.dumps({"wall": time.perf_counter() - started, "cpu": time.process_time() - used}))


def ours(folder: str) -> None:
    """Collect once, and tell what polling and ingest took."""
    figures = {"ingest_wall": 0, "ingest_cpu": 0}
    original = service.ingest_waiting

    def timed(*values):
        figures.setdefault("polling_peak_mib", peak_mib())
        started, used = time.perf_counter(), time.process_time()
        outcome = original(*values)
        figures["ingest_wall"] += time.perf_counter() - started
        figures["ingest_cpu"] += time.process_time() - used
        return outcome

    service.ingest_waiting = timed
    with Meter(load_settings(Path(folder) / "metering.toml")) as meter:
        used = time.process_time()
        report = meter.collect(tell=print)
        figures["cpu"] = time.process_time() - used
    figures |= {"polls": report.polls, "samples": report.samples, "wall": report.elapsed_ms / 1_000}
    figures["failures"] = [failure.text for failure in report.failures[:3]]
    figures["peak_mib"] = peak_mib()
    print(json.dumps(figures))


def peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def write_settings(folder: Path, places: dict[str, str], accounts: list[str]) -> None:
    text = f'store = "{folder}/metering.duckdb"\n[collect]\nspool = "{folder}/spool"\nclock = "provider"\n'
    text += f"concurrency = {CONCURRENCY}\nrequests_per_minute = 1000000\nmoney_every = 86400\n"
    for place, url in places.items():
        text += f'[endpoints.{place}]\nurl = "{url}"\n'
    for number, account in enumerate(accounts):
        text += f'[accounts.a{number}]\naccount = "{account}"\nusername = "user{number}@example.com"\n'
        text += 'password_env = "BENCH_PASSWORD"\n'
    (folder / "metering.toml").write_text(text)
    (folder / "asked.json").write_text(json.dumps([list(places.values()), len(accounts)]))


def run(mode: str, folder: Path) -> dict:
    done = subprocess.run([sys.executable, __file__, mode, str(folder)], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(collections: int) -> None:
    accounts = -(-collections // PLACES)
    os.environ["BENCH_PASSWORD"] = "secret"
    program = [sys.executable, __file__, "serve", str(accounts)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            places = json.loads(server.stdout.readline())
            write_settings(folder, places, json.loads(server.stdout.readline()))
            loop = run("bare", folder)
            run("ours", folder)  # only the first cycle asks for subscriptions and balances, and makes the store
            clock = next(iter(places.values())).split("/", 3)
            httpx.post(f"{clock[0]}//{clock[2]}/_clock/", json={"advance": 300}, trust_env=False).raise_for_status()
            cycle = run("ours", folder)
        finally:
            server.communicate("\n")
    polling = cycle["cpu"] - cycle["ingest_cpu"]
    print(f"polled       {cycle['polls']} of {accounts * PLACES} collections, {cycle['samples']} samples {cycle['failures'] or ''}")
    print(f"bare httpx   {loop['wall']:.2f} s, {loop['cpu']:.2f} s of processor, {accounts * PLACES / loop['wall']:.0f} polls/s")
    print(f"the cycle    {cycle['wall']:.2f} s, {polling:.2f} s of processor, {cycle['polls'] / cycle['wall']:.0f} polls/s")
    print(f"our share    {100 * (polling - loop['cpu']) / polling:.0f} % of the processor time of polling")
    print(f"the ingest   {cycle['ingest_wall']:.2f} s, {cycle['ingest_cpu']:.2f} s of processor")
    print(f"peak memory  {cycle['polling_peak_mib']} MiB after polling, {cycle['peak_mib']} MiB after ingest")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", accounts]:
            serve(accounts)
        case ["bare", folder]:
            asyncio.run(bare(folder))
        case ["ours", folder]:
            ours(folder)
        case [collections]:
            main(int(collections))
        case _:
            main(2_000)
