"""A budget store, used from the event loop without blocking it for long."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from math import inf
from time import monotonic
from typing import TypeVar

from mplus_crawler.wire.budget.budget import (
    Account,
    Budget,
    BudgetAwayError,
    BudgetUnavailableError,
    Grant,
    RateLimits,
)

_T = TypeVar("_T")

# Seconds after a failed call in which nothing is held.
_SKIP = 1.0


class BackgroundBudget:
    """Calls *store*; in a thread if it is remote, since the network may block it for seconds.

    A local store is faster without a thread, which would exchange the interpreter's lock with a
    busy event loop at each statement. Every method may raise :class:`.BudgetUnavailableError`.
    The limits of responses that came while the store was away are settled before the next request
    is reserved.
    """

    def __init__(self, store: Budget) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="budget")
        self._away_at = -inf
        self._unsettled: deque[tuple[Account, int, RateLimits]] = deque()

    async def reserve(self, account: Account, who: str = "") -> Grant:
        """See :meth:`.Budget.reserve`; raise :class:`.BudgetAwayError` if a retry may help."""
        return await self._run(lambda: self._reserve(account, who))

    async def hold(self, account: Account, ticket: int) -> None:
        """See :meth:`.Budget.hold`; skipped while the store is away."""
        with suppress(BudgetAwayError):
            await self._run(lambda: self._hold(account, ticket))

    async def settle(self, account: Account, ticket: int, stated: RateLimits) -> None:
        """See :meth:`.Budget.settle`; postponed while the store is away."""
        self._unsettled.append((account, ticket, stated))
        with suppress(BudgetAwayError):
            await self._run(self._settle)

    def close(self) -> None:
        """Close the store after its last call."""
        if self._store.remote:
            self._thread.submit(self._close)
            self._thread.shutdown(wait=False)
        else:
            self._close()

    def _hold(self, account: Account, ticket: int) -> None:
        # Each call to a silent store takes the whole timeout, and reservations queue behind it.
        if monotonic() - self._away_at > _SKIP:
            self._store.hold(account, ticket)

    def _reserve(self, account: Account, who: str) -> Grant:
        self._settle()
        return self._store.reserve(account, who)

    def _settle(self) -> None:
        while self._unsettled:
            self._store.settle(*self._unsettled[0])
            self._unsettled.popleft()

    def _close(self) -> None:
        with suppress(BudgetUnavailableError):
            self._settle()
        self._store.close()

    async def _run(self, call: Callable[[], _T]) -> _T:
        try:
            if not self._store.remote:
                return call()
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except BudgetAwayError:
            self._away_at = monotonic()
            raise
