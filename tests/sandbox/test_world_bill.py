"""The world's bill, known by construction, is the pipeline's bill, to the last digit."""

import json
import os

import pytest
from sandbox_help import START_S, account_of, ready_drive, small_world, taken

import metering
from metering.model.period import instant_text
from metering.sandbox.world_bill import world_bill
from metering.sandbox.world_facts import write_facts
from metering.sandbox.world_life import seeded_world
from metering.sandbox.world_money import Order
from metering.sandbox.world_watch import every_cycle, with_misses

DAY_S = 86_400
WORLDS = min(40, int(os.environ.get("METERING_EXAMPLES", "4")))


def billed(folder, start_s, end_s, as_of_s):
    """Bill a facts directory with the pipeline; a world does not know the ids of charges, nor what is worth a finding."""
    with metering.open(":memory:") as meter:
        outcome = meter.ingest(folder)
        assert (outcome.rejections, outcome.notes) == ([], [])
        bill = meter.bill(f"{instant_text(start_s)}..{instant_text(end_s)}", as_of=instant_text(as_of_s)).document()
    for line in bill["lines"]:
        del line["charge_id"]
    del bill["findings"]
    return bill


@pytest.mark.parametrize("seed", range(WORLDS))
def test_a_seeded_world_and_the_pipeline_agree_to_the_last_digit(tmp_path, seed):
    start_s = START_S + seed * 7_777_777
    world = seeded_world(seed, start_s=start_s, days=1, accounts=3 + seed % 3, elsewhere=seed % 2 == 1, list_stored=seed % 4 == 3)
    world.advance_to(start_s + DAY_S)
    polls = with_misses(every_cycle(world, start_s, world.now_s), seed % 4 * 5, seed)
    write_facts(world, tmp_path / "facts", start_s, world.now_s, polls)
    expected = json.loads((tmp_path / "facts" / "expected" / "bill.json").read_text())
    assert billed(tmp_path / "facts", start_s, world.now_s, world.now_s) == expected
    assert expected["lines"]
    assert {line["level"] for line in expected["lines"]} > {1}


def test_a_period_inside_the_world_with_polls_before_and_after_it(tmp_path):
    world = seeded_world(11, start_s=START_S, days=1)
    world.advance_to(START_S + DAY_S)
    polls = with_misses(every_cycle(world, START_S, world.now_s), 8, 11)
    start_s, end_s, as_of_s = START_S + 20_123, START_S + 70_007, START_S + 80_000
    write_facts(world, tmp_path / "facts", start_s, end_s, polls, as_of_s=as_of_s)
    expected = json.loads((tmp_path / "facts" / "expected" / "bill.json").read_text())
    assert billed(tmp_path / "facts", start_s, end_s, as_of_s) == expected


def test_the_same_options_give_the_same_bytes(tmp_path):
    for name in ("one", "other"):
        world = seeded_world(5, start_s=START_S, days=1)
        world.advance_to(START_S + DAY_S)
        write_facts(world, tmp_path / name, START_S, world.now_s, every_cycle(world, START_S, world.now_s))
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) == 6
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes() for file in files)


def test_facts_are_not_written_into_a_folder_that_has_others(tmp_path):
    (tmp_path / "samples.csv").write_text("")
    with pytest.raises(FileExistsError, match="not empty"):
        write_facts(small_world(), tmp_path, START_S, START_S + 300, {})


def test_a_bill_that_a_person_can_check():
    """10 MiB for an hour, of which the last half hour is covered by a subscription of 4 MiB."""
    world = small_world()
    drive = ready_drive(world)
    taken(world, drive)
    world.advance_to(START_S + 600)
    world.write(drive, range(10))
    ann = account_of(world, "ann@example.com")
    order = Order(4 * 2**20, start_s=START_S + 600 + 1_800, end_s=START_S + DAY_S)
    world.money.buy(ann, "ZRH", [order], world.now_s)
    world.advance_to(START_S + 600 + 3_600)
    bill = world_bill(world, START_S + 600, world.now_s, polls={("ZRH", ann.uuid): range(START_S + 600, world.now_s, 300)})
    (usage,) = bill["usage"]
    assert usage["occupied_byte_seconds"] == str(10 * 2**20 * 3_600)
    assert usage["burst_byte_seconds"] == str(10 * 2**20 * 1_800 + 6 * 2**20 * 1_800)
    assert (usage["measured_seconds"], usage["missing_seconds"]) == (3_600, 0)
    (line,) = bill["lines"]
    # 16 MiB for half an hour are 16/1024 GiB for 1/1440 of a month of 30 days, at 0.28 CHF.
    assert line["amount"] == "0.00000303819444444444"
    assert bill["statements"] == [
        {
            "account": ann.uuid, "name": "Ann AG", "currency": "CHF", "state": "draft", "burst_amount": "0.00000303819444444444",
            "amount_due": "0.00",
        }
    ]  # fmt: skip


def test_missing_time_is_where_nobody_looked():
    world = small_world()
    world.advance_to(START_S + 7_200)
    ann = account_of(world, "ann@example.com")
    polls = {("ZRH", ann.uuid): [START_S, START_S + 300, START_S + 3_600]}
    (usage,) = world_bill(world, START_S, START_S + 7_200, polls=polls)["usage"]
    # After 300: measured for 300 s, held to 900 s, missing to 3 600; the last poll likewise to the end.
    states = {state: usage[f"{state}_seconds"] for state in ("measured", "held", "missing", "partial")}
    assert states == {"measured": 900, "held": 1_200, "missing": 5_100, "partial": 0}
