"""Next to the wire: the budget is reserved here, where no request can age in a queue after it."""

from __future__ import annotations

import asyncio

from scrapy import Request
from scrapy.core.downloader.handlers.http11 import HTTP11DownloadHandler
from scrapy.crawler import Crawler
from scrapy.http import JsonResponse, Response
from scrapy.responsetypes import responsetypes
from twisted.web.client import HTTPConnectionPool

from mplus_crawler.museum.contract import Museum
from mplus_crawler.wire.credentials import signed
from mplus_crawler.wire.redaction import redacted
from mplus_crawler.wire.throttle import Throttle

# Scrapy doesn't know the type, and would guess it from the bytes of each body.
responsetypes.classes["application/ld+json"] = JsonResponse

# Twisted sends a GET again by itself when a kept connection turns out dead: a request that
# nobody counted. Our own retries ask the budget first.
HTTPConnectionPool.retryAutomatically = False


# By API: the crawls of one process share the places that its server has for us.
_places: dict[str, asyncio.Semaphore] = {}


class BudgetedDownloadHandler(HTTP11DownloadHandler):
    """Scrapy's HTTP handler, behind the budget: retries, redirects, robots and media included."""

    lazy = False

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._throttle = Throttle.of(crawler)
        self._crawler = crawler

    async def download_request(self, request: Request) -> Response:
        """Wait for the budget, send, and hand the answer's evidence back to it."""
        spider = Museum.of(self._crawler)
        api, _ = request.meta["rate_limit"]
        async with _places.setdefault(api, asyncio.Semaphore(spider.policy.in_flight)):
            return await self._send(request, spider)

    async def _send(self, request: Request, spider: Museum) -> Response:
        admission = await self._throttle.admit(request)
        holding = asyncio.ensure_future(self._throttle.hold(admission))
        response: Response | None = None
        try:
            response = await super().download_request(
                signed(request, spider.policy, spider.base_url) if spider.keyed else request
            )
            return redacted(self._crawler, response)
        finally:
            holding.cancel()
            self._throttle.settle(admission, response)
