"""The download handler: reserves the budget last, so that no reserved request is queued."""

from __future__ import annotations

import asyncio
import logging

from scrapy import Request
from scrapy.core.downloader.handlers.http11 import HTTP11DownloadHandler
from scrapy.crawler import Crawler
from scrapy.exceptions import DownloadCancelledError, ResponseDataLossError
from scrapy.http import JsonResponse, Response
from scrapy.responsetypes import responsetypes
from twisted.web.client import HTTPConnectionPool

from mplus_crawler.museum.contract import Museum
from mplus_crawler.wire.addresses import origin
from mplus_crawler.wire.bodies import decoded
from mplus_crawler.wire.connection import BoundedFactory
from mplus_crawler.wire.credentials import KeyFilter, remove_key, secret, signed
from mplus_crawler.wire.redaction import redacted
from mplus_crawler.wire.throttle import Throttle

# Unknown to Scrapy, which would guess the type from each body.
responsetypes.classes["application/ld+json"] = JsonResponse

# Twisted resends a GET by itself when a kept connection turns out dead: a request that the budget
# has not counted. Our own retries are counted.
HTTPConnectionPool.retryAutomatically = False

# It logs the URLs of responses that are too large or truncated.
_scrapys = logging.getLogger("scrapy.core.downloader.handlers.http11")

# By API: all crawls of the process share the number of requests that may be in flight.
_places: dict[str, asyncio.Semaphore] = {}


class BudgetedDownloadHandler(HTTP11DownloadHandler):
    """Scrapy's HTTP handler behind the budget, for every request: retries, redirects, media."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._pool._factory = BoundedFactory
        self._throttle = Throttle.of(crawler)
        self._crawler = crawler
        self._max_size = crawler.settings.getint("DOWNLOAD_MAXSIZE")

    async def download_request(self, request: Request) -> Response:
        """Wait for the budget, send, and report the response's rate-limit headers to it."""
        spider = Museum.of(self._crawler)
        api, _ = request.meta["rate_limit"]
        async with _places.setdefault(api, asyncio.Semaphore(spider.policy.in_flight)):
            return await self._send(request, spider)

    async def _send(self, request: Request, spider: Museum) -> Response:
        admission = await self._throttle.admit(request)
        holding = asyncio.ensure_future(self._throttle.hold(admission))
        response: Response | None = None
        try:
            # The API may repeat a key that this request does not need.
            key = secret(spider.policy)
            has_key = key and origin(request.url) == origin(spider.base_url)
            response = (
                await self._download(request, spider)
                if has_key
                else (await super().download_request(request))
            )
            max_size = request.meta.get("download_maxsize", self._max_size)
            readable = _readable(response, max_size)
            return redacted(self._crawler, readable) if has_key else readable
        finally:
            holding.cancel()
            await self._throttle.settle(admission, response)

    async def _download(self, request: Request, spider: Museum) -> Response:
        """Send *request* with the key; neither response, exception nor log shows it."""
        sent = signed(request, spider.policy, spider.base_url)
        hide = KeyFilter(spider.policy)
        _scrapys.addFilter(hide)
        try:
            response = await super().download_request(sent)
        except Exception as error:
            remove_key(error, spider.policy)
            raise
        finally:
            _scrapys.removeFilter(hide)
        return response if sent.url == request.url else response.replace(url=request.url)


def _readable(response: Response, max_size: int) -> Response:
    """Return *response* with its body decoded; a damaged body of an error is dropped."""
    try:
        return decoded(response, max_size)
    except (ResponseDataLossError, DownloadCancelledError):
        if response.status < 300:
            raise
        headers = response.headers.copy()
        headers.pop("Content-Encoding", None)
        return response.replace(body=b"", headers=headers)
