"""One spelling for equivalent URIs (RFC 3986, sections 6.2.2 and 6.2.3)."""

from __future__ import annotations

import re

# RFC 3986, appendix B: it matches every text.
_PARTS = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{0,9}))?")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def normalized(uri: str) -> str:
    """Return *uri* in the one spelling of all that are equivalent to it.

    Scheme and host are in lower case, without a final dot and without an empty or default port;
    escapes of unreserved characters are decoded, others are in upper case; dot segments are
    resolved. Reserved characters stay as they are: ``%2F`` is not a slash. Idempotent.
    """
    match = _PARTS.fullmatch(uri)
    assert match is not None
    scheme, authority, path, query, fragment = match.groups()
    scheme, path = (scheme or "").lower(), _ESCAPE.sub(_escape, path)
    if authority is not None:
        path = _without_dots(path) if "/." in path else path
        path = path or ("/" if scheme in _DEFAULT_PORTS else "")
        authority = f"//{_authority(_ESCAPE.sub(_escape, authority), scheme)}"
    rest = _ESCAPE.sub(_escape, f"{query or ''}{fragment or ''}")
    return f"{scheme}{':' if scheme else ''}{authority or ''}{path}{rest}"


def _escape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()


def _authority(authority: str, scheme: str) -> str:
    user, at, place = authority.rpartition("@")
    match = _HOST.fullmatch(place)
    if match is None:
        return authority
    port = int(match[2]) if match[2] else None
    host = match[1].lower().removesuffix(".")
    numbered = port is not None and port != _DEFAULT_PORTS.get(scheme)
    return f"{user}{at}{host}{f':{port}' if numbered else ''}"


def _without_dots(path: str) -> str:
    """Return the absolute *path* without dot segments (RFC 3986, section 5.2.4)."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    ends = "/" if kept and segments[-1] in (".", "..") else ""
    return f"/{'/'.join(kept)}{ends}"
