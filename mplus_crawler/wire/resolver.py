"""Name resolution: refuses names that resolve to private addresses.

A name can be given a private address at any time, so addresses are checked when the connection
is made and not before.
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

# Hosts that the user has configured: the APIs of the crawls in this process.
_configured: set[str] = set()


def trust(url: str) -> None:
    """Allow any address for the host of *url*, which the user has configured."""
    if host := urlsplit(url).hostname:
        _configured.add(host.lower())


class PublicResolver(CachingThreadedResolver):
    """Scrapy's resolver, without names that have a private address.

    The hosts of the configured APIs and of the user's own proxies may have any address.
    """

    def getHostByName(  # noqa: N802  # Twisted's name
        self, name: str, timeout: Sequence[int] = ()
    ) -> Deferred[str]:
        """Return the address of *name*; fail with DNSLookupError if it is not public."""
        found: Deferred[str] = super().getHostByName(name, timeout)
        return found.addCallback(_public, name)


def _public(address: str, name: str) -> Any:
    proxies = {urlsplit(proxy).hostname for proxy in getproxies().values()}
    if name.lower() in _configured | proxies or is_public_address(address):
        return address
    raise DNSLookupError(f"{name} resolves to {address}, which is not a public address")
