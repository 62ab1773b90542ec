"""A virtual clock of whole seconds: what is due happens in order, and every cycle the world lives and the provider looks."""

import heapq
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable


class Clockwork(ABC):
    """A clock that stands until it is stepped.

    At one instant, first comes to an end what was going on, then the cycle turns. Steps from several threads wait for each other.
    """

    def __init__(self, start_s: int, cycle_s: int) -> None:
        self.start_s = self.now_s = start_s
        self.cycle_s = cycle_s
        self.lock = threading.RLock()
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._queued = 0
        self._next_cycle_s = start_s + -start_s % cycle_s

    @abstractmethod
    def _cycle(self) -> None:
        """Do what is done every cycle."""

    def advance(self, seconds: int) -> int:
        """Let time pass; gives the new instant."""
        return self.advance_to(self.now_s + seconds)

    def advance_to(self, instant_s: int) -> int:
        """Let time pass up to an instant, everything that happens at it included; the past stays as it is."""
        with self.lock:
            while True:
                due_s = min(self._queue[0][0] if self._queue else instant_s + 1, self._next_cycle_s)
                if due_s > instant_s:
                    break
                self.now_s = max(self.now_s, due_s)
                while self._queue and self._queue[0][0] <= due_s:
                    heapq.heappop(self._queue)[2]()
                if due_s == self._next_cycle_s:
                    self._next_cycle_s += self.cycle_s
                    self._cycle()
            self.now_s = max(self.now_s, instant_s)
            return self.now_s

    def after(self, seconds: int, action: Callable[[], None]) -> None:
        """Let something happen after some seconds; what takes none happens at the next step of the clock."""
        self._queued += 1
        heapq.heappush(self._queue, (self.now_s + seconds, self._queued, action))
