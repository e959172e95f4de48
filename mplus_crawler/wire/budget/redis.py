"""Budgets in Redis or Valkey, shared by the processes of several hosts; uses the store's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from typing import Any, ClassVar
from urllib.parse import urlsplit

from mplus_crawler.errors import UsageError
from mplus_crawler.wire.budget.budget import (
    PROBE_SECONDS,
    STRETCH,
    Account,
    BudgetAwayError,
    BudgetUnavailableError,
    Grant,
    RateLimits,
    Usage,
)

_PREFIX = "mplus_crawler:"
_ACCOUNTS = f"{_PREFIX}accounts"
# Seconds without a response after which the store counts as away.
_TIMEOUT = 5.0


class RedisBudget:
    """Budgets at *url* (``redis://`` or ``rediss://``); every call is atomic on the server."""

    remote: ClassVar[bool] = True

    def __init__(self, url: str, timeout: float = _TIMEOUT) -> None:
        try:
            import redis
        except ImportError:
            raise UsageError(
                "BUDGET_URL=redis://… needs the package redis: pip install redis"
            ) from None
        self._place = urlsplit(url).netloc.rpartition("@")[2]
        self._away = (
            redis.ConnectionError,
            redis.TimeoutError,
            redis.exceptions.ReadOnlyError,
            redis.exceptions.TryAgainError,
            OSError,
        )
        self._broken = (
            redis.AuthenticationError,
            redis.exceptions.AuthorizationError,
            redis.exceptions.MaxConnectionsError,
        )
        with self._usable():
            self._client: Any = redis.Redis.from_url(
                url,
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                retry=None,  # the caller waits
                decode_responses=True,
            )
            # A store that may not be written fails here.
            self._client.hset(f"{_PREFIX}store", "opened", str(self._now()))
            self._reserve: Callable[..., Any] = self._client.register_script(_script("reserve"))
            self._settle: Callable[..., Any] = self._client.register_script(_script("settle"))
        # By account, the number of the last ticket: a store with a lower one has lost its counts.
        self._last: dict[str, int] = {}

    def reserve(self, account: Account, who: str = "") -> Grant:
        """See :class:`~mplus_crawler.wire.budget.budget.Budget`."""
        limits = [part for limit in account.limits for part in (limit.requests, limit.seconds)]
        with self._usable():
            last = self._last.setdefault(account.key, 0)
            ticket, wait = self._reserve(
                [_PREFIX + account.key, _ACCOUNTS],
                [account.key, who, last, STRETCH, PROBE_SECONDS, *limits],
            )
        if ticket:
            self._last[account.key] = ticket
        return Grant(ticket or None, wait / 1e6)

    def hold(self, account: Account, ticket: int) -> None:
        """See :class:`~mplus_crawler.wire.budget.budget.Budget`."""
        with self._usable():
            now = self._now()
            for limit in account.limits:
                spent = f"{_PREFIX}{account.key}:spent:{limit.seconds}"
                self._client.zadd(spent, {str(ticket): now + limit.seconds * STRETCH})

    def settle(self, account: Account, ticket: int, stated: RateLimits) -> None:
        """See :class:`~mplus_crawler.wire.budget.budget.Budget`."""
        windows = [limit.seconds for limit in account.limits]
        counts = [
            part
            for seconds, quota in stated.by_window(windows).items()
            for part in (seconds, quota.remaining, quota.reset)
        ]
        back_off = "" if stated.back_off is None else stated.back_off
        with self._usable():
            self._settle(
                [_PREFIX + account.key], [ticket, back_off, len(windows), *windows, *counts]
            )

    def usage(self) -> Sequence[Usage]:
        """See :class:`~mplus_crawler.wire.budget.budget.Budget`."""
        with self._usable():
            now = self._now()
            return [
                usage
                for key in sorted(self._client.smembers(_ACCOUNTS))
                for usage in self._windows(key, now)
            ]

    def close(self) -> None:
        """See :class:`~mplus_crawler.wire.budget.budget.Budget`."""
        self._client.close()

    def _now(self) -> float:
        seconds, microseconds = self._client.time()
        return float(seconds + microseconds / 1e6)

    def _windows(self, key: str, now: float) -> Iterator[Usage]:
        prefix = _PREFIX + key
        waiting = tuple(self._client.zrangebyscore(f"{prefix}:waiting", now - 1, "+inf"))
        back_off = float(self._client.hget(f"{prefix}:back_off", "until") or 0)
        for name in sorted(self._client.scan_iter(f"{prefix}:window:*")):
            seconds = name.rpartition(":")[2]
            spent = f"{prefix}:spent:{seconds}"
            last = self._client.zrange(spent, -1, -1, withscores=True)
            yield Usage(
                key=key,
                window=float(seconds),
                limit=int(self._client.hget(name, "requests") or 0),
                used=self._client.zcount(spent, f"({now}", "+inf"),
                resets_in=max(0.0, last[0][1] - now) if last else 0.0,
                backs_off_for=max(0.0, back_off - now),
                waiting=waiting,
            )

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Turn whatever the store or the way to it raises into our errors."""
        try:
            yield
        except Exception as error:
            away = isinstance(error, self._away) and not isinstance(error, self._broken)
            kind = BudgetAwayError if away else BudgetUnavailableError
            raise kind(
                f"the budget store at {self._place} cannot be used ({type(error).__name__}); "
                "nothing is sent without it: start or repair it, or set another with BUDGET_URL"
            ) from None


def _script(name: str) -> str:
    return (resources.files("mplus_crawler.wire.budget") / f"{name}.lua").read_text("utf-8")
