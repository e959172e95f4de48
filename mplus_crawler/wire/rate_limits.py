"""The rate-limit headers of a response, in every dialect seen, as :class:`RateLimits`.

RateLimit and RateLimit-Policy (IETF draft-ietf-httpapi-ratelimit-headers 7, and 8 and
later), RateLimit-Limit/-Remaining/-Reset (drafts up to 6), X-RateLimit-*, and
Retry-After (RFC 9110 section 10.2.3). Malformed values are ignored, absurd ones clamped.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from math import ceil
from typing import Any

import http_sf
from http_sf.errors import StructuredFieldError
from scrapy.http import Response
from scrapy.http.headers import Headers

from mplus_crawler.protocols.dates import parse_http_date
from mplus_crawler.wire.budget.budget import Quota, RateLimits

# Longer waits than a day, and counts above this, are clamped.
LONGEST_WAIT = 86_400.0
MOST_REQUESTS = 1_000_000_000
# Characters of a field, all its lines joined; a longer one is ignored.
LONGEST_FIELD = 1024
# A reset from here on is a point in time, in seconds since 1970 or in a thousandth, millionth
# or billionth of that, not a duration: the first is in 2001, the last of a unit in 5138.
_EPOCH, _EPOCH_END = 1e9, 1e11
_UNITS = (1.0, 1e3, 1e6, 1e9)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?")


def read_rate_limits(response: Response, now: Callable[[], float] = time.time) -> RateLimits:
    """Read the limits that *response* states for its tier.

    A 429 backs off for the longest time that any header asks for, and so does a 503; other
    errors and redirects for their Retry-After. The ``back_off`` of a 429 or 503 without any
    is 0, and the throttle decides. Points in time are read by the server's clock (``Date``).
    """
    fields = response.headers
    served = parse_http_date(_field(fields, "Date"))
    clock = now if served is None else served.timestamp
    quotas = tuple(_quotas(fields, clock))
    refused = response.status in (429, 503)
    waits = [
        quota.reset
        for quota in quotas
        if refused and (quota.remaining == 0 or response.status == 429)
    ]
    if response.status >= 300:
        waits += _retry_after(_field(fields, "Retry-After"), clock)
    back_off = max(waits, default=0.0 if refused else None)
    return RateLimits(quotas, back_off=back_off)


def _quotas(fields: Headers, now: Callable[[], float]) -> Iterable[Quota]:
    yield from _draft_8(fields)
    yield from _draft_7(_field(fields, "RateLimit"))
    for prefix in ("RateLimit-", "X-RateLimit-", "X-Rate-Limit-"):
        remaining = _count(_first(_field(fields, f"{prefix}Remaining")))
        reset = _reset(_first(_field(fields, f"{prefix}Reset")), now)
        if remaining is not None and reset is not None:
            yield Quota(remaining, reset)


def _draft_8(fields: Headers) -> Iterable[Quota]:
    windows = {
        str(name): _count(parameters.get("w"))
        for name, parameters in _items(_field(fields, "RateLimit-Policy"))
    }
    for name, parameters in _items(_field(fields, "RateLimit")):
        remaining = _count(parameters.get("r"))
        if remaining is not None:
            window = windows.get(str(name))
            reset = _duration(parameters.get("t", window))
            if reset is not None:
                yield Quota(remaining, reset, window)


def _draft_7(field: str) -> Iterable[Quota]:
    members = _parse(field, "dictionary")
    if not isinstance(members, dict):
        return
    values = {name: value[0] for name, value in members.items() if isinstance(value, tuple)}
    remaining, reset = _count(values.get("remaining")), _duration(values.get("reset"))
    if remaining is not None and reset is not None:
        yield Quota(remaining, reset)


def _items(field: str) -> Iterable[tuple[Any, dict[str, Any]]]:
    parsed = _parse(field, "list")
    return [item for item in parsed if isinstance(item, tuple)] if isinstance(parsed, list) else []


def _parse(field: str, kind: str) -> Any:
    if not field:
        return None
    try:
        return http_sf.parse(field.encode("latin-1"), tltype=kind)
    except (StructuredFieldError, ValueError):
        return None


def _field(fields: Headers, name: str) -> str:
    """Return a field's value, its lines joined (RFC 9110 section 5.3); empty if absent."""
    value = b", ".join(fields.getlist(name)).strip()
    return value.decode("latin-1") if len(value) <= LONGEST_FIELD else ""


def _first(field: str) -> str:
    return field.split(",")[0].split(";")[0].strip()


def _number(value: object) -> float | None:
    """Return a number from 0; a text must be in ASCII digits, of any number."""
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value < 0:
        return None
    return float(value)


def _count(value: object) -> int | None:
    """Return a number of requests, rounded down."""
    if isinstance(value, Decimal) or (number := _number(value)) is None:
        return None
    return int(min(number, MOST_REQUESTS))


def _duration(value: object) -> float | None:
    """Return seconds, rounded up."""
    if (number := _number(value)) is None:
        return None
    return _clamped(number)


def _reset(value: str, now: Callable[[], float]) -> float | None:
    """Return seconds from now, given a duration or a point in time."""
    if (number := _number(value)) is None:
        return None
    for unit in _UNITS:
        if _EPOCH <= number / unit < _EPOCH_END:
            return _clamped(number / unit - now())
    return _clamped(number)


def _retry_after(value: str, now: Callable[[], float]) -> list[float]:
    """Return seconds: a number, a date, or the numbers of a field that proxies have repeated."""
    if date := parse_http_date(value):
        return [_clamped(date.timestamp() - now())]
    found = (_duration(part.strip()) for part in value.split(","))
    return [seconds for seconds in found if seconds is not None]


def _clamped(seconds: float) -> float:
    return float(ceil(min(max(seconds, 0.0), LONGEST_WAIT)))
