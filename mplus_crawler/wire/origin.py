"""The origin guard: requests go to the API's own origin only."""

from __future__ import annotations

from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest

from mplus_crawler.census import Census
from mplus_crawler.museum.components import Component


class OriginGuard(Component):
    """Drops off-site requests, which a link or a redirect in a response may cause.

    An origin is scheme, host and port (RFC 6454); only that of the configured base is allowed.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._census = Census.of(crawler)

    def process_request(self, request: Request) -> None:
        """Drop *request* if the spider does not allow its URL, or for a circle of redirects."""
        if request.url in request.meta.get("redirect_urls", ()):
            raise IgnoreRequest(f"the museum redirects in a circle: {request.url}")
        spider, elsewhere = self._museum, request.meta.get("third_party")
        allows = spider.allows_elsewhere if elsewhere else spider.allows
        if not allows(request.url):
            reason = f"off-site request blocked: {urlsplit(request.url).netloc}"
            if not (elsewhere or request.meta.get("loss_reported")):
                self._census.problem(reason)
            raise IgnoreRequest(reason)
