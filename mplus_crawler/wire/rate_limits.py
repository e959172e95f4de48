"""What a server says of its limits, in every dialect seen, as one :class:`RateLimits`.

RateLimit and RateLimit-Policy (IETF draft-ietf-httpapi-ratelimit-headers 7, and 8 and
later), RateLimit-Limit/-Remaining/-Reset (drafts up to 6), X-RateLimit-*, and
Retry-After (RFC 9110 section 10.2.3). The malformed is ignored, the absurd clamped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from email.utils import parsedate_to_datetime
from typing import Any

import http_sf
from http_sf.errors import StructuredFieldError
from scrapy.http import Response
from scrapy.http.headers import Headers

from mplus_crawler.wire.budget.budget import Quota, RateLimits

# Nobody is believed to ask for more than a day.
LONGEST_WAIT = 86_400.0
# Longer field values are hostile, not informative.
_LONGEST_FIELD = 1024
# A reset beyond this is a point in time (seconds since 1970), not a duration.
_EPOCH = 1_000_000_000


def read_rate_limits(response: Response, now: Callable[[], float] = time.time) -> RateLimits:
    """What *response* says of its tier's limits.

    A 429, and a 503 that says how long, parks the tier for the longest time that any header
    asks for; the *park* of a 429 that names none is 0, and the throttle knows better.
    Points in time are the server's: its clock (``Date``) counts, where it shows one.
    """
    fields = response.headers
    served = _date(_field(fields, "Date"))
    now = now if served is None else lambda: served
    quotas = tuple(_quotas(fields, now))
    if response.status not in (429, 503):
        return RateLimits(quotas)
    waits = [quota.reset for quota in quotas if quota.remaining == 0 or response.status == 429]
    if (after := _retry_after(_field(fields, "Retry-After"), now)) is not None:
        waits.append(after)
    return RateLimits(quotas, back_off=max(waits, default=0.0))


def _quotas(fields: Headers, now: Callable[[], float]) -> Iterable[Quota]:
    yield from _draft_8(fields)
    yield from _draft_7(_field(fields, "RateLimit"))
    for prefix in ("RateLimit-", "X-RateLimit-", "X-Rate-Limit-"):
        remaining = _count(_first(_field(fields, f"{prefix}Remaining")))
        reset = _seconds(_first(_field(fields, f"{prefix}Reset")), now)
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
            reset = _count(parameters.get("t"), default=window)
            if reset is not None:
                yield Quota(remaining, min(float(reset), LONGEST_WAIT), window)


def _draft_7(field: str) -> Iterable[Quota]:
    members = _parse(field, "dictionary")
    if not isinstance(members, dict):
        return
    values = {name: value[0] for name, value in members.items() if isinstance(value, tuple)}
    remaining, reset = _count(values.get("remaining")), _count(values.get("reset"))
    if remaining is not None and reset is not None:
        yield Quota(remaining, min(float(reset), LONGEST_WAIT))


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
    """A field's value, several lines joined as RFC 9110 section 5.3 says; empty when absent."""
    value = ", ".join(line.decode("latin-1") for line in fields.getlist(name)).strip()
    return value if len(value) <= _LONGEST_FIELD else ""


def _first(field: str) -> str:
    return field.split(",")[0].split(";")[0].strip()


def _count(value: object, default: int | None = None) -> int | None:
    """A whole number from 0, or *default*."""
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdigit() else None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return default
    return value


def _seconds(value: str, now: Callable[[], float]) -> float | None:
    """Seconds from now, of a number that is a duration or a point in time."""
    number = _count(value)
    if number is None:
        return None
    wait = number - now() if number >= _EPOCH else float(number)
    return min(max(wait, 0.0), LONGEST_WAIT)


def _retry_after(value: str, now: Callable[[], float]) -> float | None:
    if (number := _count(value)) is not None:
        return min(float(number), LONGEST_WAIT)
    date = _date(value)
    return None if date is None else min(max(date - now(), 0.0), LONGEST_WAIT)


def _date(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
