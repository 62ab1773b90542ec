"""The seconds that decide how polls are classed. Source: ACCOUNTING.md §3."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """The poll cycle, and how long a poll holds at the most."""

    cycle_s: int = 300
    max_hold_s: int = 900
