"""What was inflicted on the program, and that it survived: `python -m tests.scorecard`.

    python -m tests.scorecard --seeds 20 --steps 30      longer simulated lives, and more of them
    python -m tests.scorecard --examples 500             more bad inputs
    python -m tests.scorecard --mutants                  plants every bug of mutants.py too, which takes long
    python -m tests.scorecard --quick                    lives and bad inputs, not every row of the catalogue

It counts what was done, not what was meant to be: a test that was skipped, a fault that never struck or a count of nothing fails.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from faults import FAULTS
from oracle_facts import DAY
from simulation import simulated

ROOT = Path(__file__).resolve().parent.parent
FUZZ = ("tests/fuzz", "tests/ingest/test_hostile_bytes.py")
# What must have struck at least once in any run that is worth its name.
STRIKES = ("power gone", "killed", "poll late", "poll lost", "poll rejected", "poll conflicting")


class Card:
    """The lines of the scorecard, and what went wrong."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def line(self, what: str, count: int, more: str = "") -> None:
        print(f"{f'{count:,}'.replace(',', ' '):>16}  {what}{f'  ({more})' if more else ''}", flush=True)
        if count <= 0:
            self.problems.append(f"{what}: none")

    def tests(self, *arguments: str, **environment: str) -> int:
        """Run tests, and give how many passed; one that failed or was skipped is a problem."""
        pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", *arguments]
        ran = subprocess.run(pytest, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)
        counts = Counter(
            {what: int(count) for count, what in re.findall(r"(\d+) (passed|failed|errors?|skipped|xfailed)", ran.stdout)}
        )
        if ran.returncode or set(counts) - {"passed"}:
            self.problems.append(f"pytest {' '.join(arguments[:2])}: {dict(counts)}\n{ran.stdout[-1_500:]}{ran.stderr[-500:]}")
        return counts["passed"]


def lives(card: Card, seeds: int, steps: int) -> None:
    """Simulate lives, and count what happened in them."""
    tally: Counter[str] = Counter()
    byte_seconds = survived = 0
    for seed in range(seeds):
        try:
            one, checked = simulated(seed, steps)
        except AssertionError as error:
            card.problems.append(str(error))
            continue
        tally, byte_seconds, survived = tally + one, byte_seconds + checked, survived + 1
    card.line("lives survived, each from a seed", survived, f"{steps} steps each")
    card.line("days simulated", tally["simulated seconds"] // DAY)
    card.line("seconds of simulated time", tally["simulated seconds"])
    card.line("ingests and closings", tally["operations"])
    for what in sorted({f"fault: {name}" for name in STRIKES} | {name for name in tally if name.startswith("fault: ")}):
        card.line(what, tally[what])
    for what in sorted(name for name in tally if name.startswith("check: ")):
        card.line(what, tally[what])
    card.line("byte-seconds that are the oracle's to the last one", byte_seconds)


def rows(card: Card) -> None:
    """Run every test that the catalogue names, and count its rows."""
    places = sorted({f"tests/{place}" for fault in FAULTS for place in fault.places})
    passed = card.tests(*places)
    card.line("rows of the catalogue of faults", len(FAULTS), f"{len(places)} tests are named")
    card.line("faults injected by them, one a case", passed)


def main() -> int:
    """Print the scorecard; 1 if anything failed, was skipped, or never happened."""
    parser = argparse.ArgumentParser(description="What was inflicted on the program, and that it survived.")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--examples", type=int, default=20, help="bad inputs for each kind of them")
    parser.add_argument("--mutants", action="store_true", help="plant every bug of mutants.py, and see that it is found")
    parser.add_argument("--quick", action="store_true", help="leave out the tests of the catalogue's rows")
    given = parser.parse_args()
    card, began = Card(), time.monotonic_ns()
    lives(card, given.seeds, given.steps)
    kinds = card.tests(*FUZZ, METERING_EXAMPLES=str(given.examples))
    card.line("kinds of bad input", kinds, f"up to {given.examples} of each")
    if not given.quick:
        rows(card)
    if given.mutants:
        planted = subprocess.run([sys.executable, "tests/mutants.py"], cwd=ROOT, capture_output=True, text=True, check=False)
        found = re.search(r"(\d+) of (\d+) planted bugs were found", planted.stdout)
        card.line("planted bugs found", int(found[1]) if found else 0, f"of {found[2]}" if found else planted.stderr[-300:])
        if planted.returncode:
            card.problems.append("a planted bug survived, or could not be planted: python tests/mutants.py")
    card.line("seconds it took", (time.monotonic_ns() - began) // 10**9)
    for problem in card.problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    return 1 if card.problems else 0


if __name__ == "__main__":
    sys.exit(main())
