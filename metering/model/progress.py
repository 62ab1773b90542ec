"""How far long work has come, as whoever asked for it is told."""

from collections.abc import Callable

# Called with the step that is done, how many are done and how many there are.
Progress = Callable[[str, int, int], None]


def silent(_step: str, _done: int, _all: int) -> None:
    """Show no progress."""
