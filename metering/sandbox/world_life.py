"""A seeded world that lives: drives are written to, backups are taken and thinned out, subscriptions bought, prices change.

Everything follows from the seed. What life does, it does at the begin of a cycle, so somebody who polls then sees every level for
as long as it lasts, but for what the provider itself takes time over.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from metering.model.period import SECONDS_PER_DAY
from metering.sandbox.refusal import Refusal
from metering.sandbox.world import World
from metering.sandbox.world_money import Order
from metering.sandbox.world_things import LOCATIONS, Account, Drive, Snapshot, Timing

GIB = 2**30
# Currency, and the prices of a GB for a month at level 0 (subscriptions), 1, 2 and 3.
PRICES = {
    "CHF": ("0.105", "0.28", "0.31", "0.37"), "USD": ("0.115", "0.30", "0.335", "0.40"), "EUR": ("0.098", "0.26", "0.29", "0.345"),
    "GBP": ("0.087", "0.2275", "0.25", "0.3"), "JPY": ("16", "43.5", "48", "57"),
}  # fmt: skip
NAMES = ("Alpenblick AG", "Brown & Sons", "Café Noir, S.à r.l.", 'Dünner "Hosting" GmbH', "Écluse SA", "Fjord AS")
MAX_LEVEL = 3


@dataclass(slots=True)
class Plan:
    """How one drive lives: it is written to in `busy_percent` of the cycles, backed up every `every` of them, `keep` are kept."""

    drive: Drive
    account: Account
    location: str
    busy_percent: int
    run_blocks: int
    every: int
    phase: int
    keep: int
    ends_s: int | None
    taken: list[Snapshot]


class Life:
    """What goes on in a seeded world, cycle by cycle."""

    def __init__(self, world: World, plans: list[Plan], seed: int) -> None:
        self.plans = plans
        self._random = random.Random(f"life {seed}")  # noqa: S311 -- a seeded world, no secret
        self._level = dict.fromkeys(world.locations, 1)

    def __call__(self, world: World, now_s: int) -> None:
        """Live through the cycle that begins now."""
        turn = now_s // world.cycle_s
        for plan in self.plans:
            if plan.drive.uuid not in world.drives or plan.drive.status != "unmounted":
                continue
            if plan.ends_s is not None and now_s >= plan.ends_s:
                world.delete_drive(plan.drive)
                continue
            if turn % plan.every == plan.phase:
                self._back_up(world, plan)
            if self._random.randrange(100) < plan.busy_percent:
                count = plan.drive.blocks.count
                first = self._random.randrange(count)
                world.write(plan.drive, range(first, min(count, first + self._random.randint(1, plan.run_blocks))))
        for location in world.locations:
            if self._random.randrange(100) == 0:
                step = self._random.choice((-1, 1))
                self._level[location] = min(MAX_LEVEL, max(1, self._level[location] + step))
                world.money.set_level(location, self._level[location], now_s + world.cycle_s)

    def _back_up(self, world: World, plan: Plan) -> None:
        wish = {"drive": plan.drive.uuid, "location": plan.location, "name": f"{plan.drive.name} {len(plan.taken) + 1}"}
        try:
            (snapshot,) = world.create_snapshots(plan.account, plan.drive.origin, [wish])
        except Refusal:
            return
        plan.taken.append(snapshot)
        others = [account for account in world.accounts.values() if account is not plan.account]
        if others and self._random.randrange(5) == 0:
            world.share(snapshot, self._random.choice(others))
        kept = [each for each in plan.taken if each.gone_s is None and each.status == "available"]
        doomed = kept[: max(0, len(kept) + 1 - plan.keep)]
        if doomed:
            world.delete_snapshots(plan.account, doomed)


def seeded_world(
    seed: int = 0,
    *,
    start_s: int,
    days: int = 31,
    accounts: int = 3,
    drives: int = 2,
    elsewhere: bool = False,
    timing: Timing | None = None,
    list_stored: bool = False,
    locations: Iterable[str] = LOCATIONS,
) -> World:
    """Make a world that lives, with its plans for `days` ahead; step it with `advance`.

    Args:
        seed: all that is random follows from it.
        start_s: when it begins.
        days: how far ahead prices change and drives end.
        accounts: `user1@example.com` with `password1`, and so on.
        drives: how many each account has in each of its locations.
        elsewhere: whether some snapshots are stored in another location than where their drive is.
        timing: how long the provider takes over things.
        list_stored: whether a location lists also what others stored there.
        locations: the codes it has.
    """
    world = World(seed=seed, start_s=start_s, locations=locations, timing=timing, list_stored=list_stored)
    chance = random.Random(f"plans {seed}")  # noqa: S311 -- a seeded world, no secret
    currencies = list(PRICES)[: max(1, min(accounts, len(PRICES)))]
    _set_prices(world, currencies, start_s, days, chance)
    plans: list[Plan] = []
    for number in range(1, accounts + 1):
        account = world.add_account(
            f"user{number}@example.com",
            f"password{number}",
            currency=currencies[(number - 1) % len(currencies)],
            name=NAMES[number - 1] if number <= len(NAMES) else f"Customer {number}",
            funds=Fraction(1_000_000),
        )
        for origin in chance.sample(world.locations, chance.randint(1, min(3, len(world.locations)))):
            for _ in range(drives):
                plans.append(_plan(world, account, origin, chance, days, elsewhere=elsewhere))  # noqa: PERF401 -- it does things
            _subscribe(world, account, origin, chance, start_s, days)
    world.lives.append(Life(world, plans, seed))
    return world


def _set_prices(world: World, currencies: list[str], start_s: int, days: int, chance: random.Random) -> None:
    """Set prices long before the world begins, a change in it, and one location that has its own."""
    change_s = start_s + days * SECONDS_PER_DAY * 2 // 5 + 12_345
    own = chance.choice(world.locations)
    for currency in currencies:
        for level, price in enumerate(PRICES[currency]):
            world.money.set_price(price, currency, level, start_s - 90 * SECONDS_PER_DAY)
            world.money.set_price(f"{price}{'5' if '.' in price else '.5'}", currency, level, change_s)
        world.money.set_price(PRICES[currency][2], currency, 1, start_s - 30 * SECONDS_PER_DAY, location=own)
        world.money.set_price(PRICES[currency][0], currency, 0, start_s, resource="dssd")


def _plan(world: World, account: Account, origin: str, chance: random.Random, days: int, *, elsewhere: bool) -> Plan:
    size = chance.randint(4, 40) * GIB + chance.choice((0, 512 * 2**10))
    drive = world.create_drive(account, origin, name=f"{origin.lower()} {chance.choice(('db', 'web', 'mail', 'files'))}", size=size)
    goes_elsewhere = elsewhere and chance.randrange(2) == 0
    ends = world.start_s + chance.randint(1, max(1, days)) * SECONDS_PER_DAY // 2 if chance.randrange(4) == 0 else None
    every = chance.choice((12, 24, 72, 288))
    return Plan(
        drive,
        account,
        chance.choice(world.locations) if goes_elsewhere else origin,
        busy_percent=chance.randint(2, 60),
        run_blocks=chance.randint(4, 200),
        every=every,
        phase=chance.randrange(every),
        keep=chance.randint(2, 8),
        ends_s=ends,
        taken=[],
    )


def _subscribe(world: World, account: Account, location: str, chance: random.Random, start_s: int, days: int) -> None:
    """Subscribe to a little at once, by period, and to a little more for a while that begins and ends at odd seconds."""
    first = Order(chance.randint(1, 4) * GIB // 4, period=f"{chance.randint(1, 7)} days", auto_renew=True)
    from_s = start_s + chance.randint(0, days * SECONDS_PER_DAY // 2)
    second = Order(chance.randint(1, 900) * 10**6, start_s=from_s, end_s=from_s + chance.randint(1, days * SECONDS_PER_DAY // 2))
    world.money.buy(account, location, [first, second], start_s)
