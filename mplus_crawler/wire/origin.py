"""The origin guard: nothing is asked of any place but the API's own origin."""

from __future__ import annotations

from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest

from mplus_crawler.census import Census
from mplus_crawler.museum.components import Component
from mplus_crawler.museum.contract import Museum


class OriginGuard(Component):
    """Drops requests that an answer (a link, a redirect) would send elsewhere.

    An origin is scheme, host and port (RFC 6454); the one allowed is that of the configured base.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._census = Census.of(crawler)

    def process_request(self, request: Request) -> None:
        """Pass what stays where the spider may ask."""
        spider, elsewhere = Museum.of(self._crawler), request.meta.get("third_party")
        allows = spider.allows_elsewhere if elsewhere else spider.allows
        if not allows(request.url):
            reason = f"an answer led away from the API, to {urlsplit(request.url).netloc}"
            if not (elsewhere or request.meta.get("loss_reported")):
                self._census.problem(reason)
            raise IgnoreRequest(reason)
