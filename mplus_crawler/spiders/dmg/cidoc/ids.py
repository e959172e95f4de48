"""One spelling for each of the museum's URIs, whatever the API wrote."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

_canonical_tail = re.compile(r"id/[a-z]+/[A-Za-z0-9_.~-]+").fullmatch
_record = re.compile(r"(?i:id)/++([a-zA-Z]+)/++(.*[^/])/*", re.DOTALL).fullmatch


def canonical_id(raw: str, base_url: str, also: Collection[str] = ()) -> str:
    """The canonical spelling of *raw*: *base_url* + ``id/{kind}/`` + percent-encoded PID.

    On the wire PIDs come unencoded, slashes are doubled or trailing, scheme and case of the
    host vary, and *also* names further bases that serve the same records. Whatever follows
    the kind is the PID, slashes and all; one that has ``%XX`` escapes is taken as encoded.
    Other places below a base are put below *base_url*, a query in one spelling, too. URIs of
    anyone else are left alone. Idempotent.
    """
    if raw.startswith(base_url) and _canonical_tail(raw, len(base_url)):
        return raw
    match = _own(base_url, tuple(also))(raw)
    if match is None:
        return raw
    rest = match[1] or ""
    if record := _record(rest):
        rest = f"id/{record[1].lower()}/{_encoded(record[2])}"
    elif "?" in rest:
        rest = _queried(*rest.split("?", 1))
    return f"{base_url.rstrip('/')}/{rest}"


def pid(canonical: str) -> str:
    """The persistent identifier in a canonical URI, as the museum writes it."""
    return unquote(canonical.rpartition("/")[2])


def _queried(place: str, query: str) -> str:
    """A place and its query, every name and value percent-encoded."""
    pairs = [pair.replace("+", " ").partition("=") for pair in query.split("&") if pair]
    spelled = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, _, value in pairs)
    return f"{place.rstrip('/')}?{spelled}"


@lru_cache(maxsize=4096)
def _encoded(tail: str) -> str:
    return quote(unquote_to_bytes(tail.encode("utf-8", "surrogatepass")), safe="")


@lru_cache
def _own(base_url: str, also: tuple[str, ...]) -> Callable[[str], re.Match[str] | None]:
    bases = "|".join(map(_base_pattern, (base_url, *also)))
    return re.compile(rf"(?:{bases})(?:/++(.*))?", re.DOTALL).fullmatch


def _base_pattern(base_url: str) -> str:
    base = urlsplit(base_url)
    path = "".join("/++" + re.escape(part) for part in base.path.split("/") if part)
    return f"(?i:https?://{re.escape(base.netloc)}){path}"
