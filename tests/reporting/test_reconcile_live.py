"""The provider asked for its own lists now: over its API, by the collector's settings, and what cannot be had is told."""

import pytest
import stamina
from collect_help import Rig
from reconcile_world import assert_sums_add, lived, span
from sandbox_help import running

from metering.api import Meter
from metering.model.errors import MisuseError
from metering.model.limits import ReadingLimits
from metering.sandbox.world_facts import write_facts
from metering.sandbox.world_watch import every_cycle


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    """A world of a day, served, and a store that holds what its polls saw."""
    folder = tmp_path_factory.mktemp("live")
    world = lived(4, days=1)
    write_facts(world, folder / "facts", world.start_s, world.now_s, every_cycle(world, world.start_s, world.now_s))
    with running(world) as sandbox:
        rig = Rig(folder, sandbox)
        with rig.meter() as meter:
            meter.ingest(folder / "facts")
        yield rig


def live(rig, kind, **options):
    with stamina.set_testing(True, attempts=2, cap=True), rig.meter() as meter:
        made = meter.reconcile(span(rig.world), live=kind, as_of=span(rig.world).partition("..")[2], **options)
    assert_sums_add(made)
    return made


@pytest.mark.parametrize("kind", ["ledger", "usage", "dailyburst"])
def test_the_providers_lists_agree_with_ours(rig, kind):
    made = live(rig, kind)
    assert made.findings == []
    assert {outcome.outcome for outcome in made.outcomes} == {"matched"}
    assert sum(total.theirs for total in made.totals) > 0


def test_one_account_in_one_location_can_be_asked_alone(rig):
    (account, location), _ = max(rig.world.money.ledger.items(), key=lambda item: len(item[1]))
    made = live(rig, "ledger", account=account, location=location)
    assert [(unit.account, unit.location) for unit in made.units] == [(account, location)]
    assert made.findings == []


def test_a_location_that_refuses_is_told_and_the_others_are_compared(rig):
    (_, refusing), _ = max(rig.world.money.ledger.items(), key=lambda item: len(item[1]))
    rig.sandbox.faults.add("status", value=401, location=refusing, path=None)
    try:
        made = live(rig, "ledger")
    finally:
        rig.sandbox.faults.clear()
    assert {(finding.check, finding.location) for finding in made.findings} == {("no_answer", refusing)}
    assert {(finding.start, finding.end) for finding in made.findings} == {(rig.world.start_s, rig.world.now_s)}
    assert all("credential" in finding.message for finding in made.findings)
    assert not made.is_clean
    assert refusing not in {unit.location for unit in made.units}
    assert len(made.units) == (len(rig.world.locations) - 1) * len(rig.world.accounts)


@pytest.mark.parametrize("kind", ["ledger", "usage"])
def test_what_is_too_much_for_one_answer_is_asked_for_in_parts(rig, kind):
    with rig.meter() as meter:
        settings = meter.settings.model_copy(update={"limits": ReadingLimits(response_bytes=60_000)})
    with stamina.set_testing(True, attempts=2, cap=True), Meter(settings) as meter:
        made = meter.reconcile(span(rig.world), live=kind, as_of=span(rig.world).partition("..")[2])
    assert made.findings == []
    assert made.outcomes == live(rig, kind).outcomes


def test_what_nobody_has_configured_cannot_be_asked(rig):
    with rig.meter() as meter, pytest.raises(MisuseError, match="name no such account and location"):
        meter.reconcile(span(rig.world), live="ledger", account="nobody")
    with rig.meter() as meter, pytest.raises(MisuseError, match="there is no list 'balance'"):
        meter.reconcile(span(rig.world), live="balance")
