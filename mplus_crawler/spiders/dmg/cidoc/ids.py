"""One spelling for each of the museum's URIs."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

from mplus_crawler.protocols.uris import normalized

# A record, or what has a URI below one, as …/0012/part/1.
_canonical_tail = re.compile(
    r"id/[a-z]+/(?!\.{1,2}(?:/|$))[A-Za-z0-9_.~-]+(?:/[a-z]{4,}/[0-9]+){0,9}"
).fullmatch
# A host that has one spelling but for its case.
_plain_host = re.compile(r"https?://([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)/").match
_record = re.compile(r"(?i:id/)++([a-zA-Z]+)/++(.*[^/])/*", re.DOTALL).fullmatch
# Parts of a record and events in its life have URIs below the record's, as in …/0012/part/1.
_below = re.compile(r"(?:/[a-z]{4,}/[0-9]+){1,9}$").search


def canonical_id(raw: str, base_url: str, also: Collection[str] = ()) -> str:
    """Return the canonical spelling of *raw*: *base_url*, ``id/{kind}/``, percent-encoded PID.

    On the wire PIDs are not encoded, slashes are doubled or trailing, http stands for https,
    equivalent URIs are spelled differently (:mod:`mplus_crawler.protocols.uris`), and the bases
    in *also* serve the same records. Slashes in a PID are encoded,
    those of a part (``/part/1``) are not. A PID with ``%XX`` escapes is read as encoded. Other
    URLs below a base are moved below *base_url*, and their queries are spelled in one way. Any
    other URI is returned unchanged. Idempotent.
    """
    if raw.startswith(base_url) and _canonical_tail(raw, len(base_url)):
        return raw
    bases = base_url, *also
    if _is_elsewhere(raw[: raw.rfind("/") + 1], bases):
        return raw
    match = _own(bases)[1](normalized(raw))
    if match is None:
        return raw
    rest = match[1] or ""
    if record := _record(rest):
        below = found[0] if (found := _below(record[2])) else ""
        number = record[2].removesuffix(below)
        rest = f"id/{record[1].lower()}/{_encoded(number)}{below}"
    elif "?" in rest:
        rest = _queried(*rest.split("?", 1))
    return f"{base_url.rstrip('/')}/{rest}"


def pid(canonical: str) -> str:
    """Return the persistent identifier in a canonical URI, decoded."""
    return unquote(canonical.rpartition("/")[2])


def _queried(place: str, query: str) -> str:
    """Return a URL with every name and value of its query percent-encoded."""
    pairs = [pair.replace("+", " ").partition("=") for pair in query.split("&") if pair]
    spelled = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, _, value in pairs)
    return f"{place.rstrip('/')}?{spelled}"


@lru_cache(maxsize=4096)
def _encoded(tail: str) -> str:
    return quote(unquote_to_bytes(tail.encode("utf-8", "surrogatepass")), safe="")


@lru_cache(maxsize=4096)
def _is_elsewhere(place: str, bases: tuple[str, ...]) -> bool:
    """Return whether *place*, a URL up to one of its slashes, is on another host than *bases*."""
    host = _plain_host(place)
    return host is not None and host[1].lower() not in _own(bases)[0]


@lru_cache
def _own(
    bases: tuple[str, ...],
) -> tuple[frozenset[str | None], Callable[[str], re.Match[str] | None]]:
    """Return the hosts of *bases*, and a function that matches the URIs below them."""
    hosts = frozenset(urlsplit(normalized(base)).hostname for base in bases)
    below = re.compile(rf"(?:{'|'.join(map(_base_pattern, bases))})(?:/++(.*))?", re.DOTALL)
    return hosts, below.fullmatch


def _base_pattern(base_url: str) -> str:
    base = urlsplit(normalized(base_url))
    path = "".join("/++" + re.escape(part) for part in base.path.split("/") if part)
    return f"(?i:https?://{re.escape(base.netloc)}){path}"
