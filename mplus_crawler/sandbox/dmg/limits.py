"""The museum's rate limits, and exact counts of the requests of each client."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from math import ceil, inf

from mplus_crawler.sandbox.facts.dmg import FACTS, Json

UNLIMITED = "unlimited"

# Older lines of the request log are dropped, so that a long benchmark doesn't fill the memory.
LOG_LINES = 200_000


@dataclass(frozen=True, slots=True)
class Tier:
    """A group of paths that share one counter per client (the museum's usage policy)."""

    name: str
    requests: float
    seconds: float
    paths: tuple[str, ...] = ()

    def covers(self, path: str) -> bool:
        """Return whether a path below the base belongs to the tier, by whole segments."""
        return any(path == prefix or path.startswith(f"{prefix}/") for prefix in self.paths)

    @property
    def label(self) -> str:
        """Return the quota's name in the headers: requests and time."""
        minutes = self.seconds / 60
        return f"{self.requests:g}-in-" + (f"{minutes:g}min" if minutes >= 1 else self._seconds)

    @property
    def _seconds(self) -> str:
        return f"{self.seconds:g}sec"


def read_tiers(limits: str, window_scale: float) -> list[Tier]:
    """Return the museum's tiers, changed by ``museum``, ``off`` or ``name=requests/seconds,…``."""
    if not 0 < window_scale < inf:
        raise ValueError(f"window-scale: {window_scale:g} is not above 0")
    tiers = {tier["name"]: _tier(tier) for tier in FACTS["tier"]}
    if limits == "off":
        tiers = {name: Tier(name, inf, tier.seconds, tier.paths) for name, tier in tiers.items()}
    elif limits != "museum":
        for part in limits.split(","):
            tier = _override(part, tiers)
            tiers[tier.name] = tier
    return [
        Tier(tier.name, tier.requests, tier.seconds * window_scale, tier.paths)
        for tier in tiers.values()
    ]


def _tier(facts: Json) -> Tier:
    return Tier(facts["name"], facts["requests"], facts["seconds"], tuple(facts["paths"]))


def _override(part: str, tiers: Mapping[str, Tier]) -> Tier:
    name, _, limit = part.partition("=")
    requests, _, seconds = limit.partition("/")
    try:
        tier = Tier(name, int(requests), float(seconds), tiers[name].paths)
    except (KeyError, ValueError):
        names = ", ".join(tiers)
        raise ValueError(
            f"limits: {part!r} is neither museum, off nor TIER=REQUESTS/SECONDS ({names})"
        ) from None
    if tier.requests < 1 or not 0 < tier.seconds < inf:
        raise ValueError(f"limits: {part!r} allows nothing")
    return tier


class Meter:
    """One client's requests in one tier: its fixed windows, and the busiest span of their length.

    A window starts with the client's first request after the last one ended; requests beyond the
    limit neither extend nor move it (observed on the wire).
    """

    def __init__(self, tier: Tier, client: str) -> None:
        self._tier = tier
        self._partition = _partition(client)
        self._ends = -inf
        self._count = 0
        self._recent: deque[float] = deque()
        self.peak_fixed = 0
        self.peak_sliding = 0

    def hit(self, now: float) -> bool:
        """Count a request; return whether the limit allows it."""
        if now >= self._ends:
            self._ends, self._count = now + self._tier.seconds, 0
        self._count += 1
        self._recent.append(now)
        while self._recent[0] <= now - self._tier.seconds:
            self._recent.popleft()
        self.peak_fixed = max(self.peak_fixed, self._count)
        self.peak_sliding = max(self.peak_sliding, len(self._recent))
        return self._count <= self._tier.requests

    def headers(self, now: float, allowed: bool) -> dict[str, str]:
        """Return the headers of draft-ietf-httpapi-ratelimit-headers-08."""
        tier, wait = self._tier, ceil(round(self._ends - now, 6))
        if tier.requests == inf:
            return {}
        left = max(0, int(tier.requests) - self._count)
        policy = f"q={tier.requests:g}; w={ceil(tier.seconds)}; pk=:{self._partition}:"
        fields = {
            "RateLimit-Policy": f'"{tier.label}"; {policy}',
            "RateLimit": f'"{tier.label}"; r={left}; t={wait}',
        }
        return fields if allowed else fields | {"Retry-After": str(wait)}


def _partition(client: str) -> str:
    return b64encode(sha256(client.encode()).hexdigest()[:12].encode()).decode()


@dataclass(slots=True)
class Tally:
    """Requests and responses of one tier, over all clients."""

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    in_flight: int = 0
    peak_in_flight: int = 0
    first: float | None = None
    last: float | None = None


class Statistics:
    """Counts of all requests to the museum's API."""

    def __init__(self, tiers: list[Tier]) -> None:
        self._tiers = tiers
        self.reset()

    def reset(self) -> None:
        """Reset all counts and windows."""
        names = [tier.name for tier in self._tiers]
        self._tallies = {name: Tally() for name in [*names, UNLIMITED]}
        self._meters: dict[tuple[str, str], Meter] = {}
        self._paths: Counter[str] = Counter()
        self._log: deque[tuple[float, str, int]] = deque(maxlen=LOG_LINES)

    def tier(self, path: str) -> Tier | None:
        """Return the tier that counts a path."""
        return next((tier for tier in self._tiers if tier.covers(path)), None)

    def meter(self, tier: Tier, client: str) -> Meter:
        """Return the meter of a client in a tier."""
        key = (tier.name, client)
        if key not in self._meters:
            self._meters[key] = Meter(tier, client)
        return self._meters[key]

    def arrived(self, tier: Tier | None, path: str, time: float) -> Tally:
        """Count a request; pass the tally to :meth:`responded` after the response."""
        tally = self._tallies[tier.name if tier else UNLIMITED]
        tally.requests += 1
        tally.in_flight += 1
        tally.peak_in_flight = max(tally.peak_in_flight, tally.in_flight)
        tally.first, tally.last = tally.first or time, time
        self._paths[path] += 1
        return tally

    def responded(self, tally: Tally, target: str, arrival: float, status: int) -> None:
        """Count the response; status 0 is a connection that broke before it."""
        tally.in_flight -= 1
        tally.statuses[status] += 1
        self._log.append((arrival, target, status))

    def report(self, with_log: bool = False) -> Json:
        """Return all counts as JSON; peaks are those of the busiest client."""
        report: Json = {
            "tiers": {name: self._tier_report(name, t) for name, t in self._tallies.items()},
            "paths": dict(self._paths),
        }
        if with_log:
            report["log"] = [list(line) for line in self._log]
        return report

    def _tier_report(self, name: str, tally: Tally) -> Json:
        meters = [meter for (tier, _), meter in self._meters.items() if tier == name]
        return {
            "requests": tally.requests,
            "too_many": tally.statuses[429],
            "statuses": {str(status): count for status, count in sorted(tally.statuses.items())},
            "peak_sliding": max((meter.peak_sliding for meter in meters), default=0),
            "peak_fixed": max((meter.peak_fixed for meter in meters), default=0),
            "peak_in_flight": tally.peak_in_flight,
            "first": tally.first,
            "last": tally.last,
        }
