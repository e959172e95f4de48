"""Name resolution: refuses names that resolve to private addresses.

A name can be given a private address at any time, so addresses are checked when the connection
is made and not before. A proxy resolves names itself: :mod:`mplus_crawler.wire.proxy` checks them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from scrapy.resolver import CachingHostnameResolver
from twisted.internet.interfaces import IResolutionReceiver
from zope.interface import implementer  # type: ignore[import-untyped]  # has no stubs

from mplus_crawler.wire.addresses import is_public_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.interfaces import IAddress, IHostResolution

# Hosts that the user has configured: the APIs of the crawls in this process.
_configured: set[str] = set()


def trust(url: str) -> None:
    """Allow any address for the host of *url*, which the user has configured."""
    if host := urlsplit(url).hostname:
        _configured.add(host.lower().removesuffix("."))


def is_trusted(host: str) -> bool:
    """Whether *host* is configured, and may have any address."""
    return host.lower().removesuffix(".") in _configured


def proxies() -> dict[str, str]:
    """Return the proxies of the environment by scheme, ``http`` and ``https``."""
    return {scheme: url for scheme, url in getproxies().items() if scheme in ("http", "https")}


def proxy_host(proxy: str) -> str:
    """Return the host of the URL *proxy*; an empty string if it is malformed."""
    url = proxy if "://" in proxy else f"http://{proxy}"
    try:
        split = urlsplit(url)
        usable = split.scheme in ("http", "https") and split.port != 0
    except ValueError:
        return ""
    usable = usable and url.isprintable() and " " not in url
    return (split.hostname or "") if usable else ""


class PublicResolver(CachingHostnameResolver):
    """Scrapy's resolver for IPv4 and IPv6, without addresses that are not public.

    The hosts of the configured APIs and of the user's own proxies may have any address.
    """

    def resolveHostName(  # noqa: N802  # Twisted's name
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Sequence[type[IAddress]] | None = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> IHostResolution:
        """Resolve *hostName*; without a public address, it fails like an unknown name."""
        own = set(map(proxy_host, proxies().values()))
        receiver: Any = resolutionReceiver
        if not is_trusted(hostName) and hostName.lower() not in own:
            receiver = PublicAddresses(resolutionReceiver)
        return super().resolveHostName(
            receiver, hostName, portNumber, addressTypes, transportSemantics
        )


@implementer(IResolutionReceiver)
class PublicAddresses:
    """Passes public addresses on to *receiver*."""

    def __init__(self, receiver: Any) -> None:
        self._receiver = receiver
        self.resolutionBegan = receiver.resolutionBegan
        self.resolutionComplete = receiver.resolutionComplete

    def addressResolved(self, address: Any) -> None:  # noqa: N802  # Twisted's name
        """Pass *address* on if it is public."""
        if is_public_address(address.host):
            self._receiver.addressResolved(address)
