"""Sessions: the API's cookies, sent back to its own origin while a crawl runs.

Scrapy's own middleware downloads a list of public suffixes to decide which cookie belongs to
which host; here all belong to one origin.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.http import Response

from mplus_crawler.museum.components import Component
from mplus_crawler.wire.addresses import origin

# RFC 6265 section 6.1 asks for 50 cookies a host; a session needs one or two. Beyond either
# bound, the oldest cookie is dropped.
MAX_COOKIES = 50
MAX_COOKIE_BYTES = 4096


class SessionMiddleware(Component):
    """Sends the API of a spider with a :attr:`~Museum.session` its cookies back.

    At most :data:`MAX_COOKIES` of them, and :data:`MAX_COOKIE_BYTES` in all.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        if not self._museum.session:
            raise NotConfigured
        self._cookies: dict[str, str] = {}

    def process_request(self, request: Request) -> None:
        """Put the cookies on *request*."""
        if self._cookies and self._is_ours(request):
            pairs = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
            request.headers["Cookie"] = pairs

    def process_response(self, request: Request, response: Response) -> Response:
        """Keep the cookies that *response* sets, unless it comes from the ledger."""
        if self._is_ours(request) and not request.meta.get("replayed"):
            for header in response.headers.getlist("Set-Cookie"):
                self._keep(header[:MAX_COOKIE_BYTES].decode("latin-1"))
        return response

    def _keep(self, header: str) -> None:
        try:
            cookies = SimpleCookie(header)
        except CookieError:
            return
        for name, cookie in cookies.items():
            self._cookies.pop(name, None)
            self._cookies[name] = cookie.coded_value
        while len(self._cookies) > MAX_COOKIES or self._bytes() > MAX_COOKIE_BYTES:
            del self._cookies[next(iter(self._cookies))]

    def _bytes(self) -> int:
        return sum(len(name) + len(value) + len("=; ") for name, value in self._cookies.items())

    def _is_ours(self, request: Request) -> bool:
        return origin(request.url) == origin(self._museum.base_url)
