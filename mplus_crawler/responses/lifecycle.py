"""The end of an API's version, as its responses announce it.

``Deprecation`` in its three forms (RFC 9745; its drafts had ``true`` and an HTTP date),
``Sunset`` (RFC 8594), and the links ``successor-version`` (RFC 5829), ``deprecation`` and
``sunset``. What cannot be parsed is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any
from urllib.parse import urljoin

import http_sf
from http_sf.errors import StructuredFieldError
from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.http import Response

from mplus_crawler.census import Census
from mplus_crawler.errors import counted, printable
from mplus_crawler.museum.components import Extension, Handlers
from mplus_crawler.protocols.dates import parse_http_date
from mplus_crawler.protocols.links import parse_links
from mplus_crawler.records.batch import stamp
from mplus_crawler.wire.rate_limits import LONGEST_FIELD

# From this many days before its end, the message counts the days left.
_LAST_DAYS = 90
_FIELDS = ("Deprecation", "Sunset", "Link")
_relation = re.compile("successor-version|deprecation|sunset", re.IGNORECASE).search


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """What a server announces about its version; ``None`` for what it does not mention.

    *since* is when the version was (or will be) deprecated, *sunset* when it ends, both in UTC;
    *documentation* and *sunset_policy* are URLs of pages.
    """

    deprecated: bool | None = None
    since: datetime | None = None
    sunset: datetime | None = None
    successor: str | None = None
    documentation: str | None = None
    sunset_policy: str | None = None

    def filled(self, other: Lifecycle) -> Lifecycle:
        """These values, completed from *other*."""
        return replace(
            other, **{name: value for name, value in asdict(self).items() if value is not None}
        )

    def days_left(self, today: date) -> int | None:
        """Days until the sunset, negative once it is over."""
        return (self.sunset.date() - today).days if self.sunset else None

    def message(self, today: date) -> str:
        """All of it in one line, for people; empty if nothing is announced."""
        parts = []
        if self.deprecated:
            parts.append(f"it is deprecated{_since(self.since, today)}")
        if self.sunset:
            parts.append(_ending(self.sunset.date(), (self.sunset.date() - today).days))
        if self.successor:
            parts.append(f"its successor is {self.successor}")
        parts += [f"see {page}" for page in (self.documentation, self.sunset_policy) if page]
        return printable(f"this version of the API: {', '.join(parts)}") if parts else ""


def read_lifecycle(response: Response) -> Lifecycle:
    """What the headers of *response* announce; never raises."""
    fields = {name: _lines(response, name) for name in _FIELDS}
    related = [line for line in fields["Link"] if _relation(line)]  # most pages have others only
    if not (related or fields["Deprecation"] or fields["Sunset"]):
        return Lifecycle()
    deprecated, since = _deprecation(fields["Deprecation"])
    links = parse_links(fields["Link"])
    return Lifecycle(
        deprecated=deprecated,
        since=since,
        sunset=_first(map(parse_http_date, fields["Sunset"])),
        successor=_target(response.url, links.get("successor-version")),
        documentation=_target(response.url, links.get("deprecation")),
        sunset_policy=_target(response.url, links.get("sunset")),
    )


class LifecycleWatch(Extension):
    """Extension: reads every response of the API, whatever its status, and reports news once.

    *now* is the clock, in UTC.
    """

    def __init__(
        self, crawler: Crawler, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        super().__init__(crawler)
        self._now = now
        self._known = Lifecycle()

    def handlers(self) -> Handlers:
        """Return the handlers of Scrapy's signals."""
        return {
            signals.response_downloaded: self.look,
            signals.response_received: self.look_at_replayed,
        }

    @cached_property
    def _census(self) -> Census:
        return Census.of(self._crawler)

    def look(self, response: Response, request: Request) -> None:
        """Learn what *response* announces, and report what is new."""
        if request.meta.get("third_party"):
            return
        known = self._known.filled(read_lifecycle(response))
        if known != self._known:
            self._known = known
            self._census.note(known.message(self._now().date()))

    def look_at_replayed(self, response: Response, request: Request) -> None:
        """As :meth:`look`, for a response from the ledger."""
        if request.meta.get("replayed"):
            self.look(response, request)

    def certified(self) -> dict[str, Any]:
        """The certificate's ``lifecycle``."""
        announced = {
            name: stamp(value) if isinstance(value, datetime) else value
            for name, value in asdict(self._known).items()
        }
        return {**announced, "days_left": self._known.days_left(self._now().date())}


def _since(since: datetime | None, today: date) -> str:
    if since is None:
        return ""
    return f" {'from' if since.date() > today else 'since'} {since.date()}"


def _ending(sunset: date, left: int) -> str:
    if left < 0:
        return f"it was to end on {sunset}, {counted(-left, 'day')} ago"
    if left > _LAST_DAYS:
        return f"it ends on {sunset}"
    return f"it ends on {sunset}, {counted(left, 'day')} from now"


def _deprecation(lines: Iterable[str]) -> tuple[bool | None, datetime | None]:
    """Whether it is deprecated and since when, if announced."""
    for line in lines:
        if since := parse_http_date(line):
            return True, since
        try:
            parsed: Any = http_sf.parse(line.encode("latin-1"), tltype="item")
        except (StructuredFieldError, ValueError, OverflowError, OSError):
            continue
        value = parsed[0]
        if isinstance(value, datetime):
            return True, value.astimezone(UTC)
        if value is True or str(value).lower() == "true":
            return True, None
    return None, None


def _lines(response: Response, name: str) -> list[str]:
    lines = [value.decode("latin-1") for value in response.headers.getlist(name)]
    # Link headers have a separate bound.
    return lines if name == "Link" or sum(map(len, lines)) <= LONGEST_FIELD else []


def _first(moments: Iterable[datetime | None]) -> datetime | None:
    return next(filter(None, moments), None)


def _target(base: str, link: str | None) -> str | None:
    try:
        return urljoin(base, link) if link else None
    except ValueError:
        return None
