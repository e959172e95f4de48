"""Outages: failures in a row, and how long to wait for the server."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic


class Outage:
    """The failures since the last success, whatever their causes and requests.

    The wait, with growing pauses, lasts *patience* seconds for a server that has responded in this
    run. For any other server it lasts an eighth of that, and less if that server cannot be reached
    at all. Meanwhile one request probes the server, and the others wait. *now* is the clock.
    """

    def __init__(self, patience: float, now: Callable[[], float] = monotonic) -> None:
        self._patience = patience
        self._now = now
        self._since: float | None = None
        self._unreachable = False
        self.failures = 0
        self.responded = False
        self.probing = False

    def failed(self, *, unreachable: bool = False) -> None:
        """Count a failure; *unreachable*: there was no connection, such as a refused one."""
        self.failures += 1
        self._unreachable = unreachable
        if self._since is None:
            self._since = self._now()

    def over(self) -> None:
        """End the outage: a response was not a failure."""
        self.failures = 0
        self.probing = False
        self._since = None

    @property
    def seconds(self) -> float:
        """Seconds since the first failure."""
        return 0.0 if self._since is None else self._now() - self._since

    @property
    def exhausted(self) -> bool:
        """Whether the wait has lasted long enough."""
        if self.responded:
            return self.seconds >= self._patience
        return self.seconds >= self._patience / (24 if self._unreachable else 8)

    @property
    def pause(self) -> float:
        """Seconds until the next attempt: twice as long as the outage has lasted, within bounds."""
        return min(max(2 * self.seconds, self._patience / 30), self._patience / 3)
