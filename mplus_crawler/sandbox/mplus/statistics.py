"""Statistics of the calls to M+'s API."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mplus_crawler.sandbox.facts.mplus import Json

# Older lines are dropped, so that a long benchmark does not fill the memory.
LOG_LINES = 20_000
_SPANS = {"peak_second": 1.0, "peak_day": 86_400.0}


@dataclass(slots=True)
class _Peak:
    """The maximum of calls in any span of *seconds*."""

    seconds: float
    most: int = 0
    recent: deque[float] = field(default_factory=deque)

    def hit(self, now: float) -> None:
        self.recent.append(now)
        while self.recent[0] <= now - self.seconds:
            self.recent.popleft()
        self.most = max(self.most, len(self.recent))


class Statistics:
    """Calls with their roots and statuses; times are those of a monotonic clock."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Reset all counts."""
        self._peaks = {name: _Peak(seconds) for name, seconds in _SPANS.items()}
        self._statuses: Counter[int] = Counter()
        self._roots: Counter[str] = Counter()
        self._log: deque[Json] = deque(maxlen=LOG_LINES)
        self.calls = self.writes = self.sessions = self.in_flight = self.peak_in_flight = 0

    def arrived(self, now: float) -> None:
        """Count an arriving call."""
        self.calls += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        for peak in self._peaks.values():
            peak.hit(now)

    def responded(self, at: float, roots: Iterable[tuple[str, Any]], status: int) -> None:
        """Count the response and its roots; status 0 is a connection that broke before it."""
        self.in_flight -= 1
        self._statuses[status] += 1
        calls = [{"root": name, "arguments": arguments} for name, arguments in roots]
        self._roots.update(root["root"] for root in calls)
        self._log.append({"at": at, "status": status, "asked": calls})

    def report(self, with_log: bool = False) -> Json:
        """All counts, ready for JSON."""
        report: Json = {
            "calls": self.calls,
            "statuses": {str(status): count for status, count in sorted(self._statuses.items())},
            "roots": dict(self._roots),
            "writes": self.writes,
            "sessions": self.sessions,
            **{name: peak.most for name, peak in self._peaks.items()},
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak_in_flight,
        }
        return report | {"log": list(self._log)} if with_log else report
