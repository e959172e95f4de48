"""The budget: may a request of this tier go now, or in how many seconds.

A store keeps, per window, the requests that a server may still be counting. It never
sleeps and never grants what a limit does not allow, in fixed or sliding windows: a
request counts from its reservation until one window after its answer arrived, since
the server cannot have counted it later than that. While there is no answer it is held;
one that nobody holds any more (a killed process) counts for :data:`STRETCH` windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Protocol

from mplus_crawler.errors import ExitCode, HarvestError
from mplus_crawler.policies.policy import Limit, Tier

# What nobody holds is counted by the server well within 15 % of its window.
STRETCH = 1.15
# So often, in windows, a request without an answer is to be held.
HOLD = 0.05
# How long after a park the other requests wait for what the one probe brings.
PROBE_SECONDS = 10.0


class BudgetUnavailableError(HarvestError):
    """The store cannot be opened or written: nothing may be sent."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Account:
    """What is counted together: one API, one tier, one identity (address or key)."""

    key: str
    limits: tuple[Limit, ...]

    @classmethod
    def of(cls, api: str, tier: Tier, identity: str, share: float) -> Account:
        """The account of *tier*, with each limit reduced to *share* of it."""
        limits = tuple(_part(limit, share) for limit in tier.limits)
        return cls(f"{api} {tier.name} {identity}", limits)

    def seconds_for(self, requests: int) -> float:
        """Seconds until the last of *requests* can go where one has gone before them, at least."""
        return max(requests // limit.requests * limit.seconds for limit in self.limits)


def _part(limit: Limit, share: float) -> Limit:
    """*share* of *limit*: fewer requests, or more time where rounding would waste a quarter."""
    wanted = limit.requests * share
    if (requests := int(wanted + 1e-9)) >= 0.75 * wanted:
        return Limit(requests, limit.seconds)
    requests = ceil(wanted)
    return Limit(requests, limit.seconds * requests / wanted)


@dataclass(frozen=True, slots=True)
class Grant:
    """The store's answer: a number to settle with, or the seconds until it pays to ask again."""

    ticket: int | None
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Quota:
    """A server's count: *remaining* requests until *reset* seconds from now.

    *window* is the length of its window in seconds, where the server names it.
    """

    remaining: int
    reset: float
    window: float | None = None

    def window_among(self, windows: Sequence[float]) -> float:
        """The one of *windows* that this count is of: the named, else the shortest that can be."""
        named = [window for window in windows if window == self.window]
        possible = named or [window for window in windows if window >= self.reset - 1]
        return min(possible, default=max(windows))


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What an answer said of its tier: its counts, and a *back_off* in seconds (429 or 503).

    While a tier is parked nothing goes; then one request does, as a probe.
    """

    quotas: tuple[Quota, ...] = ()
    back_off: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """One window of one account, for ``scrapy budget``."""

    key: str
    window: float
    limit: int
    used: int
    resets_in: float
    parked_for: float
    waiting: tuple[str, ...]


class Budget(Protocol):
    """A store of budgets. Every method may raise :class:`BudgetUnavailableError`."""

    def reserve(self, account: Account, who: str = "") -> Grant:
        """Take one request from every window of *account* at once, or say how long to wait."""

    def hold(self, account: Account, ticket: int) -> None:
        """The request of *ticket* is still without an answer."""

    def settle(self, account: Account, ticket: int, evidence: RateLimits) -> None:
        """An answer (or none) came for *ticket*; take over what it says."""

    def usage(self) -> Sequence[Usage]:
        """Every window in use."""

    def close(self) -> None:
        """Let go of the store."""
