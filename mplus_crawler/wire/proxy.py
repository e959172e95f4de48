"""HTTP proxies from the environment: not for this machine, and never past the address check."""

from __future__ import annotations

import asyncio
import socket
from typing import Self
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.httpproxy import HttpProxyMiddleware
from scrapy.exceptions import IgnoreRequest, NotConfigured
from scrapy.utils.httpobj import urlparse_cached

from mplus_crawler.errors import UsageError
from mplus_crawler.wire.addresses import is_loopback, is_public_address
from mplus_crawler.wire.resolver import is_trusted, proxies, proxy_host


def check_proxies(url: str) -> None:
    """Raise :class:`UsageError` if a proxy for *url* cannot be used, without quoting its URL.

    Scrapy reaches https hosts through http proxies only, and reads a URL without scheme as https.
    The URL may contain a password.
    """
    split = urlsplit(url)
    proxy = proxies().get(split.scheme)
    if not proxy or is_loopback(split.hostname or ""):
        return
    if not proxy_host(proxy) or not proxy.lower().startswith("http://"):
        raise UsageError(f"{split.scheme}_proxy is not the URL of a proxy; use http://HOST:PORT")


class ProxyMiddleware(HttpProxyMiddleware):
    """Scrapy's proxy support, for remote hosts only.

    A proxy resolves names itself, so our resolver cannot refuse a private address. A host named
    by a response or a feed is therefore resolved here first.
    """

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Return the middleware, unless the environment names no proxy."""
        if not proxies():
            raise NotConfigured
        return super().from_crawler(crawler)

    async def process_request(  # type: ignore[override]  # Scrapy awaits what it gets
        self, request: Request
    ) -> None:
        """Set the proxy of *request*; drop a request to a host without public addresses."""
        host = urlparse_cached(request).hostname or ""
        if is_loopback(host):
            request.meta["proxy"] = None
        super().process_request(request)
        if request.meta.get("proxy") and not is_trusted(host) and not await _is_public(host):
            raise IgnoreRequest(f"{host} has no public address: not requested through the proxy")


async def _is_public(host: str) -> bool:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(is_public_address(str(address[0])) for *_, address in found)
