"""Names, looked up at connection time: none may lead to this machine or its network.

A name on the web can be given a private address at any time, so what it resolves to is looked
at where the connection is made, and nowhere earlier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from scrapy.resolver import CachingThreadedResolver
from twisted.internet.error import DNSLookupError

from mplus_crawler.wire.addresses import is_public_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.defer import Deferred

# Hosts that the user has named: the APIs of the crawls in this process.
_configured: set[str] = set()


def trust(url: str) -> None:
    """Let the host of *url*, which the user has configured, resolve to any address."""
    if host := urlsplit(url).hostname:
        _configured.add(host.lower())


class PublicResolver(CachingThreadedResolver):
    """Scrapy's resolver; a name with a private address is as good as unknown.

    Except those of the configured APIs and of the user's own proxies.
    """

    def getHostByName(  # noqa: N802  # Twisted's name
        self, name: str, timeout: Sequence[int] = ()
    ) -> Deferred[str]:
        """The address of *name*; fails with DNSLookupError where it is none of the web."""
        found: Deferred[str] = super().getHostByName(name, timeout)
        return found.addCallback(_public, name)


def _public(address: str, name: str) -> Any:
    proxies = {urlsplit(proxy).hostname for proxy in getproxies().values()}
    if name.lower() in _configured | proxies or is_public_address(address):
        return address
    raise DNSLookupError(f"{name} leads to {address}, which is no address on the web")
