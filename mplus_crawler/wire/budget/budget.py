"""The contract of a budget store: may a request of this tier be sent now, or how long must it wait?

A store keeps, per window, the requests that the server may still count. It never sleeps and
never grants more than a limit allows, in fixed or sliding windows: a request counts from its
reservation until one window after its response, because the server cannot have counted it
later. A request without a response is held; when its process is killed, nothing holds it, and
it counts for :data:`STRETCH` windows from the last hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import ClassVar, Protocol

from mplus_crawler.errors import ExitCode, HarvestError
from mplus_crawler.museum.policies.policy import Limit, Tier

# The server counts a request within 15 % of a window after its last hold.
STRETCH = 1.15
# A request without a response is held this often, in windows.
HOLD = 0.05
# After a back-off, the other requests wait this long for the response to the probe.
PROBE_SECONDS = 10.0
_MOST = 2**31


class BudgetUnavailableError(HarvestError):
    """The budget store cannot be used, so no request may be sent."""

    exit_code = ExitCode.USAGE


class BudgetAwayError(BudgetUnavailableError):
    """The store does not respond, or another process holds it: it may be back soon."""


@dataclass(frozen=True, slots=True)
class Account:
    """The requests counted together: those of one API, tier and identity (IP address or key)."""

    key: str
    limits: tuple[Limit, ...]

    @classmethod
    def of(cls, api: str, tier: Tier, identity: str, share: float) -> Account:
        """Return the account of *tier*, with every limit multiplied by *share*."""
        limits = tuple(_part(limit, share) for limit in tier.limits)
        return cls(f"{api} {tier.name} {identity}", limits)


def _part(limit: Limit, share: float) -> Limit:
    """Return *share* of *limit*: fewer requests, or a longer window if rounding loses much."""
    exact = limit.requests * share
    if (requests := int(exact + 1e-9)) >= 0.75 * exact:
        return Limit(requests, limit.seconds)
    requests = ceil(exact)
    return Limit(requests, limit.seconds * requests / exact)


@dataclass(frozen=True, slots=True)
class Grant:
    """A ticket number for :meth:`Budget.settle`, or the seconds to wait before the next attempt."""

    ticket: int | None
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Quota:
    """A server's own count: *remaining* requests until *reset* seconds from now.

    *window* is the length of its window in seconds, if the server states it.
    """

    remaining: int
    reset: float
    window: float | None = None

    def __post_init__(self) -> None:
        # The largest integer that every store can hold; no limit is that high.
        object.__setattr__(self, "remaining", min(self.remaining, _MOST))

    def window_among(self, windows: Sequence[float]) -> float:
        """Return the window that this count is for: the stated one, else the shortest possible."""
        stated = [window for window in windows if window == self.window]
        possible = stated or [window for window in windows if window >= self.reset - 1]
        return min(possible, default=max(windows))


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The rate limits that a response states: counts, and a *back_off* in seconds (429 or 503).

    During a back-off no request of the tier is sent. After it, one request is sent as a probe.
    """

    quotas: tuple[Quota, ...] = ()
    back_off: float | None = None

    def by_window(self, windows: Sequence[float]) -> dict[float, Quota]:
        """Return one count a window: the one with the fewest requests left, for the longest time.

        A server may state limits that our policy does not have, so that several are for one window.
        """
        loosest_first = sorted(self.quotas, key=lambda quota: (-quota.remaining, quota.reset))
        return {quota.window_among(windows): quota for quota in loosest_first}


@dataclass(frozen=True, slots=True)
class Usage:
    """One window of one account, for ``scrapy budget``."""

    key: str
    window: float
    limit: int
    used: int
    resets_in: float
    backs_off_for: float
    waiting: tuple[str, ...]


class Budget(Protocol):
    """A store of budgets. Every method may raise :class:`BudgetUnavailableError`.

    *remote* is whether a call may take seconds, so that it belongs in a thread.
    """

    remote: ClassVar[bool]

    def reserve(self, account: Account, who: str = "") -> Grant:
        """Count one request in every window of *account*, or return how long to wait."""

    def hold(self, account: Account, ticket: int) -> None:
        """Keep counting the request of *ticket*, which has no response yet."""

    def settle(self, account: Account, ticket: int, stated: RateLimits) -> None:
        """End the request of *ticket*, and apply the limits *stated* in its response."""

    def usage(self) -> Sequence[Usage]:
        """Return every window in use."""

    def close(self) -> None:
        """Close the store."""
