"""Sessions: the cookies of an API, kept for its own origin while a crawl runs.

Scrapy's own middleware asks the web for a list of public suffixes, to tell whose cookie is
whose; here they all are one origin's.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response

from mplus_crawler.museum.components import Component
from mplus_crawler.museum.contract import Museum
from mplus_crawler.wire.addresses import origin


class SessionMiddleware(Component):
    """Gives the API of a spider with a :attr:`~Museum.session` its cookies back."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._cookies: dict[str, str] = {}

    def process_request(self, request: Request) -> None:
        """Put the session on *request*."""
        if self._cookies and self._is_ours(request):
            pairs = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
            request.headers["Cookie"] = pairs

    def process_response(self, request: Request, response: Response) -> Response:
        """Remember what *response* sets, unless it is an old one out of the ledger."""
        if self._is_ours(request) and not request.meta.get("replayed"):
            for header in response.headers.getlist("Set-Cookie"):
                try:
                    cookies = SimpleCookie(header.decode("latin-1"))
                except CookieError:
                    continue
                self._cookies |= {name: cookie.coded_value for name, cookie in cookies.items()}
        return response

    def _is_ours(self, request: Request) -> bool:
        spider = Museum.of(self._crawler)
        return spider.session and origin(request.url) == origin(spider.base_url)
