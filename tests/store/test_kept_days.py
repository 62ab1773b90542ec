"""Days that are kept: read where they were kept as they are now, made again where an earlier version kept them."""

from small_world import GIB, meter_of, polls, write

DAY = 86_400
PERIOD = "2026-10-01..2026-10-03"


def occupied(meter):
    return [row.occupied_byte_seconds for row in meter.bill(PERIOD).usage]


def sql(meter, statement):
    with meter._store.writing() as engine:
        return engine.sql(statement)


def test_days_that_an_earlier_version_kept_are_not_read_and_are_made_again(tmp_path):
    meter = meter_of(tmp_path, samples=polls("2026-10-01", "2026-10-03", {"s": GIB}))
    sql(meter, "update level_days set occupied_byte_seconds = 1, peak_occupied_bytes = 1, least_occupied_bytes = 1")
    assert occupied(meter) == [2]  # so kept days are what a bill reads
    sql(meter, "update store_info set value = '300/900' where key = 'kept_clock'")
    assert occupied(meter) == [2 * DAY * GIB]
    assert meter.verify().differences == []
    meter.ingest(write(tmp_path / "more", samples=polls("2026-10-03", "2026-10-04", {"s": GIB})))
    assert occupied(meter) == [2 * DAY * GIB]
    assert sql(meter, "select distinct occupied_byte_seconds from level_days") == [(DAY * GIB,)]
    assert meter.verify().differences == []


def test_days_that_were_kept_with_other_seconds_are_not_read(tmp_path):
    samples = polls("2026-10-01", "2026-10-03", {"s": GIB}, step=1_200)
    meter_of(tmp_path, samples=samples, settings={"max_hold": 1_200})
    meter = meter_of(tmp_path, samples=[], settings={"max_hold": 300})
    assert occupied(meter) == [2 * DAY // 4 * GIB]
