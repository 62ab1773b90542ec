"""What is asked of one account is computed of that account only, and is what it is among all the others."""

import tempfile
from pathlib import Path

import pytest
from fact_files import write_tables
from hypothesis import given
from hypothesis import strategies as st
from judge import meter_of, take
from worlds import World

from metering import bookkeeping
from metering.books.bills import compute
from metering.model.errors import NoDataError
from metering.model.period import instant_text

REPORTS = {"usage": "account,location", "burst": "episode", "snapshots": "snapshot", "cost": "location", "coverage": "interval"}


def of_all(*words, **more):
    return compute(*words, **more | {"account": None})


def told(meter, world, account):
    found = []
    for report, by in REPORTS.items():
        try:
            table = meter.report_table(report, world.period, by=by, as_of=instant_text(world.as_of), account=account)
        except NoDataError as error:
            found.append(str(error))
        else:
            found.append(table.documents())
    return found


@given(seed=st.integers(min_value=0, max_value=2**40))
def test_an_account_alone_is_told_what_it_is_told_among_others(seed):
    world = World.random(seed)
    accounts = sorted({row["account"] for tables in world.commands for row in tables.get("samples", ()) if row["account"]})
    with tempfile.TemporaryDirectory() as directory, meter_of(world) as meter:
        for number, tables in enumerate(world.commands):
            take(meter, write_tables(Path(directory) / f"{number}", tables), supersede=number in world.supersede)
        for account in [*accounts[:3], "nobody"]:
            alone = told(meter, world, account)
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(bookkeeping, "compute", of_all)
                assert told(meter, world, account) == alone
