"""The throttle: the only code that waits."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from time import monotonic

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider, IgnoreRequest
from scrapy.http import Response

from mplus_crawler.census import Census, Verdict
from mplus_crawler.errors import HarvestError
from mplus_crawler.museum.components import Component, Extension, Handlers
from mplus_crawler.museum.policies.policy import Tier
from mplus_crawler.wire.budget.background import BackgroundBudget
from mplus_crawler.wire.budget.budget import (
    HOLD,
    Account,
    BudgetAwayError,
    BudgetUnavailableError,
    Grant,
    RateLimits,
)
from mplus_crawler.wire.budget.stores import open_budget
from mplus_crawler.wire.rate_limits import read_rate_limits

logger = logging.getLogger(__name__)

# Seconds between checks of a waiting request whether the crawl is stopping or the budget changed.
_LOOK_UP = 1.0
# Seconds until a store is tried again that another process holds, or that does not respond.
_AGAIN = 0.1
# The back-off, in seconds, after a 503 that states none.
_MOMENT = 1.0
# The first delay, in seconds, between requests to an overloaded server; then it doubles.
_SLOWER = 0.1
# Seconds to wait for a budget store that is away.
_AWAY = 120.0


@dataclass(frozen=True, slots=True)
class Admission:
    """A request that may be sent now; :meth:`Throttle.settle` it when its response is in."""

    account: Account
    ticket: int
    tier: Tier


class Throttle(Extension):
    """Keeps every request within its tier's budget, whichever component sends it.

    The request's tier has the limits; ``RATE_SHARE`` is the part of them that may be used. A wait
    of more than ``THROTTLE_MAX_WAIT`` seconds stops the crawl (exit 11).
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._share = crawler.settings.getfloat("RATE_SHARE")
        self._patience = crawler.settings.getfloat("THROTTLE_MAX_WAIT")
        self._queues: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._turns: dict[str, float] = {}
        self._pauses: list[float] = []
        self._peaks: dict[str, _Peak] = {}
        self.statuses: Counter[str] = Counter()
        self._budget: BackgroundBudget | None = None

    def handlers(self) -> Handlers:
        """Return the handlers of Scrapy's signals."""
        return {signals.spider_opened: self.open, signals.engine_stopped: self.close}

    @cached_property
    def _census(self) -> Census:
        return Census.of(self._crawler)

    def open(self) -> None:
        """Open the budget; without it no request may be sent."""
        try:
            store = open_budget(self._crawler.settings.get("BUDGET_URL"))
            self._budget = BackgroundBudget(store)
        except HarvestError as error:
            self._census.end(Verdict.STOPPED, str(error))
            raise CloseSpider("budget_unavailable") from None

    def close(self) -> None:
        """Close the budget."""
        if self._budget is not None:
            self._budget.close()

    @property
    def peaks(self) -> dict[str, int]:
        """The highest number of requests in any window of the first limit, by tier."""
        return {name: peak.highest for name, peak in sorted(self._peaks.items())}

    @property
    def wait(self) -> float:
        """Seconds until the next waiting request may be sent; 0 if none is waiting."""
        return max(0.0, min(self._turns.values(), default=0.0) - monotonic())

    @property
    def retry_in(self) -> float:
        """Seconds until the next failed request is sent again; 0 if there is none."""
        return max(0.0, min(self._pauses, default=0.0) - monotonic())

    async def admit(self, request: Request) -> Admission:
        """Wait until *request* may be sent, and count it in the budget."""
        self._check_running()
        spider = self._museum
        api, tier = request.meta["rate_limit"]
        account = Account.of(api, tier, spider.identity, self._share)
        who = f"{spider.name} (process {os.getpid()})"
        waited = 0.0
        async with self._queues[account.key]:
            while True:
                grant = await self._reserve(account, who)
                self._turns.pop(account.key, None)
                if grant.ticket is not None:
                    self._peak(tier).sent()
                    return Admission(account, grant.ticket, tier)
                if waited + grant.wait > self._patience:
                    if request.meta.get("third_party") or request.meta.get("optional"):
                        raise IgnoreRequest(self._too_long(tier, grant.wait))
                    self._stop(Verdict.STOPPED, self._too_long(tier, grant.wait))
                self._turns[account.key] = monotonic() + grant.wait
                waited += await self._sleep(min(grant.wait, _LOOK_UP))

    async def _reserve(self, account: Account, who: str) -> Grant:
        """Reserve a request; wait for a store that is away, and stop the crawl if it stays away."""
        assert self._budget is not None
        since = monotonic()
        while True:
            try:
                return await self._budget.reserve(account, who)
            except BudgetAwayError as error:
                if monotonic() - since > min(self._patience, _AWAY):
                    self._stop(Verdict.STOPPED, str(error))
            except BudgetUnavailableError as error:
                self._stop(Verdict.STOPPED, str(error))
            await self._sleep(_AGAIN)

    async def hold(self, admission: Admission) -> None:
        """Hold the request in the budget until cancelled: it has no response yet."""
        assert self._budget is not None
        shortest = min(limit.seconds for limit in admission.account.limits)
        while True:
            await asyncio.sleep(shortest * HOLD)
            try:
                await self._budget.hold(admission.account, admission.ticket)
            except BudgetUnavailableError as error:
                self._census.stop(Verdict.STOPPED, str(error))
                return

    async def settle(self, admission: Admission, response: Response | None) -> None:
        """Apply the limits that *response* states (``None``: there was none) to the tier.

        This raises nothing: a failing budget never costs a response.
        """
        self.statuses["none" if response is None else str(response.status)] += 1
        try:
            stated = RateLimits() if response is None else self._stated(response, admission)
            assert self._budget is not None
            await self._budget.settle(admission.account, admission.ticket, stated)
        except BudgetUnavailableError as error:
            self._census.stop(Verdict.STOPPED, str(error))
        except Exception as error:
            self._census.note(f"the budget could not count a response: {error!r}")

    def _stated(self, response: Response, admission: Admission) -> RateLimits:
        stated = read_rate_limits(response)
        if stated.back_off == 0.0:
            stated = replace(stated, back_off=_default_back_off(response, admission))
        if stated.back_off:
            logger.warning(
                "rate limit %s: the server asks to wait %.0f s",
                admission.tier.name,
                stated.back_off,
            )
        return stated

    async def pause(self, seconds: float) -> None:
        """Wait *seconds* before a retry, unless the crawl is stopping."""
        end = monotonic() + seconds
        self._pauses.append(end)
        try:
            while (left := end - monotonic()) > 0:
                await self._sleep(min(left, _LOOK_UP))
        finally:
            self._pauses.remove(end)

    async def _sleep(self, seconds: float) -> float:
        await asyncio.sleep(seconds)
        self._check_running()
        return seconds

    def _check_running(self) -> None:
        """Raise IgnoreRequest once the crawl is stopping, and let queued requests find out."""
        if not self._crawler.crawling or self._census.ended:
            for slot in self._crawler.engine.downloader.slots.values():
                slot.delay = 0  # it may be long for an overloaded server
            raise IgnoreRequest("the crawl is stopping")

    def _stop(self, verdict: Verdict, reason: str) -> None:
        self._census.stop(verdict, reason)
        raise IgnoreRequest(reason)

    def _too_long(self, tier: Tier, wait: float) -> str:
        then = datetime.now().astimezone() + timedelta(seconds=wait)
        return (
            f"rate limit {tier.name}: no request is allowed until {then:%Y-%m-%d %H:%M:%S %Z}, "
            f"{wait:.0f} s from now: longer than THROTTLE_MAX_WAIT ({self._patience:.0f} s)"
        )

    def _peak(self, tier: Tier) -> _Peak:
        if tier.name not in self._peaks:
            self._peaks[tier.name] = _Peak(tier.limits[0].seconds)
        return self._peaks[tier.name]


def _default_back_off(response: Response, admission: Admission) -> float:
    """Return seconds to back off if the server states none: a window after 429, few after 503."""
    if response.status == 429:
        return min(limit.seconds for limit in admission.account.limits)
    return _MOMENT


class _Peak:
    """The highest number of requests in any window of so many seconds."""

    def __init__(self, window: float) -> None:
        self.highest = 0
        self._window = window
        self._times: deque[float] = deque()

    def sent(self) -> None:
        now = monotonic()
        self._times.append(now)
        while self._times[0] <= now - self._window:
            self._times.popleft()
        self.highest = max(self.highest, len(self._times))


class ThrottleMiddleware(Component):
    """Gives each tier a separate downloader slot, and delays retries."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._throttle = Throttle.of(crawler)
        self._slowest = crawler.settings.getfloat("AUTOTHROTTLE_MAX_DELAY")

    async def process_request(self, request: Request) -> None:
        """Look up the request's rate limit, and name its slot by the tier."""
        api, tier = self._museum.rate_limit_of(request)
        request.meta.update(rate_limit=(api, tier), download_slot=tier.name)
        if pause := request.meta.pop("retry_delay", 0.0):
            await self._throttle.pause(pause)

    def process_response(self, request: Request, response: Response) -> Response:
        """Slow the slot down for an overloaded server, which AutoThrottle does not notice."""
        # A retry has been delayed already; its failure says nothing new about the server's load.
        again = request.meta.get("retry_times") or "max_error_retries" in request.meta
        if response.status == 429 or (response.status >= 500 and not again):
            slot = self._crawler.engine.downloader.slots.get(request.meta["download_slot"])
            if slot is not None:
                slot.delay = min(max(2 * slot.delay, _SLOWER), self._slowest)
        return response
