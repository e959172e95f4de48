"""The breaker: whether failures in a row are an outage, rather than bad records."""

from __future__ import annotations

import asyncio
import logging

from scrapy import Request
from scrapy.crawler import Crawler

from mplus_crawler.museum.contract import Museum
from mplus_crawler.wire.outage import Outage

logger = logging.getLogger(__name__)

# Sent by gateways whose server is away. A record that breaks the server may also cause these;
# a health check, if there is one, decides.
_GATEWAY = (502, 503, 521, 522, 523, 530)


class Breaker:
    """Judges the failures of *outage*, with the spider's health check if it has one.

    ``RETRY_BREAKER`` failures in a row, all ``RETRY_TIMES`` attempts of a request, or the whole
    wait for a server suggest an outage.
    """

    def __init__(self, crawler: Crawler, outage: Outage) -> None:
        self._crawler = crawler
        self._museum = Museum.of(crawler)
        self._outage = outage
        self._breaker = crawler.settings.getint("RETRY_BREAKER")
        self._times = crawler.settings.getint("RETRY_TIMES")
        self._one_check = asyncio.Lock()
        self._checks_in_a_row = 0

    def succeeded(self) -> None:
        """Note a success other than a health check."""
        self._checks_in_a_row = 0

    async def is_away(self, request: Request, status: int | None) -> bool:
        """Whether the failures in a row are an outage, rather than bad records."""
        async with self._one_check:
            if self._outage.probing or not self._outage.failures:
                return self._outage.probing  # meanwhile, another request has decided
            return await self._find_out(request, status)

    async def _find_out(self, request: Request, status: int | None) -> bool:
        outage, tried = self._outage, request.meta.get("retry_times", 0)
        if outage.failures >= self._breaker:
            self._checks_in_a_row += 1
            # As many pages can be bad at a time as are requested.
            within = self._checks_in_a_row <= self._museum.lookahead
            return not (within and await self.is_healthy())
        if not outage.responded:
            return outage.failures > 1 and outage.exhausted
        given_up = tried >= self._times and outage.failures > tried
        if outage.failures < self._breaker / 2 or not (given_up or outage.exhausted):
            return False
        if self._museum.health_check() is None:
            return outage.exhausted or status in _GATEWAY
        return not await self.is_healthy()

    async def is_healthy(self) -> bool:
        """Whether the spider's health check succeeds; without one nothing is known."""
        check = self._museum.health_check()
        if check is None:
            return False
        meta = {**check.meta, "health_check": True, "skip_ledger": True, "max_retry_times": 0}
        try:
            await self._crawler.engine.download_async(check.replace(meta=meta))
        except Exception as error:  # after any failure it does not count as healthy
            logger.info("health check %s: %s", check.url, error)
            return False
        return True
