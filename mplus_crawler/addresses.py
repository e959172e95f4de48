"""Where a URL leads: its origin, and whether that is on this machine rather than the web."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of *url* (RFC 6454), the scheme's own port filled in."""
    split = urlsplit(url)
    port = split.port or {"https": 443, "http": 80}.get(split.scheme)
    return split.scheme, (split.hostname or "").lower(), port


def is_loopback(host: str) -> bool:
    """Whether *host* names this machine: localhost or a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
