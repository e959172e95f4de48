"""Origins, loopback addresses, and which hosts are on the public internet."""

from __future__ import annotations

import ipaddress
import socket
import unicodedata
from contextlib import suppress
from functools import lru_cache
from urllib.parse import urlsplit

# Names that never leave a machine or a network (RFC 6761, RFC 6762, RFC 8375, ICANN's "internal").
_LOCAL_NAMES = ("localhost", "local", "localdomain", "internal", "home.arpa")
# Addresses that carry an IPv4 address inside (RFC 6052, RFC 3056, RFC 4380).
_CARRIERS = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/32", "2002::/16", "2001::/32")))
# So does an interface identifier of ISATAP (RFC 5214 section 6.1), private or not (the u bit).
_ISATAP, _ANY_ISATAP = 0x00005EFE, 0xFDFFFFFF


@lru_cache(maxsize=128)
def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of *url* (RFC 6454), with the scheme's default port."""
    split = urlsplit(url)
    port = split.port or {"https": 443, "http": 80}.get(split.scheme)
    host = (split.hostname or "").lower().removesuffix(".")
    if ":" in host:
        with suppress(ValueError):
            host = ipaddress.ip_address(host).compressed
    return split.scheme, host, port


def is_loopback(host: str) -> bool:
    """Whether *host* is ``localhost`` or a loopback address, IPv4-mapped ones included."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host.lower().removesuffix(".") == "localhost"
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback


def is_public_address(address: str) -> bool:
    """Whether *address* is an IP address, in its usual spelling, of a host on the internet.

    False for loopback, private, link-local, shared (CGNAT), multicast and reserved addresses,
    and for IPv6 addresses that contain an IPv4 address.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and (
        ip.ipv4_mapped
        or ip.scope_id
        or ip.is_site_local
        or any(ip in carrier for carrier in _CARRIERS)
        or int(ip) >> 32 & _ANY_ISATAP == _ISATAP
    ):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def is_public_name(host: str) -> bool:
    """Whether *host* is a public address, or a name that may belong to a host on the internet.

    The addresses of a name are checked when it is resolved (:mod:`mplus_crawler.wire.resolver`).
    Other spellings of IP addresses (decimal, octal, hexadecimal, shortened) are not public.
    """
    # Browsers and resolvers read full-width letters, digits and dots as plain ones.
    name = unicodedata.normalize("NFKC", host).lower().removesuffix(".")
    with suppress(ValueError):
        ipaddress.ip_address(name)
        return is_public_address(name)
    if _is_numeric(name) or "." not in name or not all(name.split(".")):
        return False
    if any(character.isspace() or character in "%/\\@:?#[]" for character in name):
        return False
    return not any(name == local or name.endswith(f".{local}") for local in _LOCAL_NAMES)


def is_public(url: str) -> bool:
    """Whether *url* is http or https, without user information, and has a public host."""
    try:
        split = urlsplit(url)
        _ = split.port  # raises ValueError if it is malformed
    except ValueError:
        return False
    if split.scheme not in ("http", "https") or "@" in split.netloc or "\\" in url:
        return False
    return bool(split.hostname) and is_public_name(split.hostname or "")


def _is_numeric(name: str) -> bool:
    """Whether the system may read *name* as an IPv4 address (its last label is a number)."""
    with suppress(OSError, UnicodeError, ValueError):
        socket.inet_aton(name)
        return True
    last = name.rpartition(".")[2]
    return last.isdigit() or last.startswith("0x")
