"""Version 1 of the API, for servers that still provide it.

Elsewhere each spider ends with the day of the version's retirement, and the spider to use.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, ClassVar, Self
from urllib.parse import urlencode, urljoin

import orjson
from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from mplus_crawler import program
from mplus_crawler.census import Census
from mplus_crawler.museum.policies.policy import Version
from mplus_crawler.records.batch import Loss, Records
from mplus_crawler.responses.lifecycle import read_lifecycle
from mplus_crawler.spiders.arguments import Parser, whole
from mplus_crawler.spiders.base import request_of
from mplus_crawler.spiders.dmg.base import GentSpider
from mplus_crawler.spiders.dmg.oslo.columns import columns
from mplus_crawler.spiders.dmg.oslo.pages import NUMBER, SIZE, OsloPage, read_page
from mplus_crawler.spiders.paged import halves, is_unreadable
from mplus_crawler.spiders.single import CONFIRM_AFTER
from mplus_crawler.wire.retry import RetriesExhaustedError


class V1Spider(GentSpider):
    """A collection of version 1, paged by number: the links of its pages do not work.

    :attr:`successor` is the spider for the same records today; without :attr:`parameters` the
    museum would omit some.
    """

    kind = "v1_record"
    api_version = "v1"
    path: ClassVar[str]
    successor: ClassVar[str]
    parameters: ClassVar[Mapping[str, str]] = {}

    census: Census
    version: Version
    size: int
    rows: int | None
    _requested: int = 0
    _in_flight: int = 0
    _end: int = 1
    _cut: int | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Return the spider, with its version and page size."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        limit = spider.arguments.get("limit")
        spider.version = spider.policy.version("v1")
        spider.size = int(spider.arguments.get("page_size", spider.policy.page_size))
        spider.rows = int(limit) if limit else None
        return spider

    @classmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """Return ``limit`` and ``page_size``."""
        return {"limit": whole(1), "page_size": whole(1, cls.load_policy(settings).page_size)}

    @property
    def api_url(self) -> str:
        """The base URL of the version, with a final slash."""
        return urljoin(self.base_url, f"{self.version.path}/")

    def columns(self, record: Any, known_id: str | None) -> dict[str, Any]:
        """Return the columns of a record of version 1."""
        return columns(record)

    async def start(self) -> AsyncIterator[Request]:
        """Request the first page."""
        self.census = Census.of(self.crawler)
        self.census.limit_to(self.rows)
        for request in self.next_pages():
            yield request

    def accept(self, request: Request, response: Response) -> None:
        """Read the page for the callback."""
        number, size = request.meta["page"], request.meta["size"]
        request.cb_kwargs["page"] = read_page(response.body, number, size)

    def parse(self, response: Response, page: OsloPage) -> Iterator[Request | Records]:
        """Yield requests for the next pages, and the page's records."""
        self.census.page(replayed=response.meta.get("replayed", False))
        self.size = page.size
        self.learn(page)
        yield from self.arrived()
        yield self.records(response, page)

    def parse_part(self, response: Response, page: OsloPage) -> Iterator[Request | Records]:
        """Yield the records of a part of a page that cannot be parsed whole."""
        self.learn(page)
        yield from self.next_pages()
        yield self.records(response, page)

    def learn(self, page: OsloPage) -> None:
        """Learn from *page* how many pages and records there are."""
        last = -(-page.last * page.size // self.size)
        wanted = last if self.rows is None else min(last, -(-self.rows // self.size))
        self._end = max(self._end, wanted)
        if page.total is not None:
            self.census.total(page.total)
        elif page.first_row + page.size >= wanted * self.size:  # else the last page shows it
            self.census.total(page.first_row + len(page.members))

    def records(self, response: Response, page: OsloPage) -> Records:
        """Return the records of *page* within ``limit``."""
        left = None if self.rows is None else max(0, self.rows - page.first_row)
        members = [(None, member) for member in page.members[:left]]
        places = [self.place(page.first_row + row) for row in range(1, len(members) + 1)]
        return Records(response.meta["retrieved_at"], [*members], places=places)

    def place(self, row: int) -> tuple[int, int]:
        """Return the page of *row*, counted from 1, and the position there."""
        page, before = divmod(row - 1, self.size)
        return page + 1, before + 1

    def arrived(self) -> Iterator[Request]:
        """Yield requests for further pages after one has arrived or failed."""
        self._in_flight -= 1
        self.census.expect_pages(self.end)
        yield from self.next_pages()

    def next_pages(self) -> Iterator[Request]:
        """Yield requests for the next pages, as many as may be in flight."""
        while self._requested < self.end and self._in_flight < self.lookahead:
            self._requested += 1
            self._in_flight += 1
            yield self.page_request(self._requested)

    @property
    def end(self) -> int:
        """The number of the last page, as known so far."""
        return self._end if self._cut is None else min(self._end, self._cut)

    def page_request(self, number: int, *, again: bool = False) -> Request:
        """Return the request for page *number* of full records."""
        return Request(
            self.url(number, self.size),
            self.parse,
            errback=self.lost,
            meta={
                "page": number,
                "size": self.size,
                "second_try": again,
                "retry_delay": CONFIRM_AFTER if again else 0.0,
            },
            dont_filter=True,
        )

    def part_request(self, number: int, size: int) -> Request:
        """Return the request for a part of a page that cannot be parsed whole."""
        return Request(
            self.url(number, size),
            self.parse_part,
            errback=self.smaller,
            meta={"page": number, "size": size},
            dont_filter=True,
        )

    def url(self, number: int, size: int) -> str:
        """Return the URL of page *number* of *size* full records."""
        query = {NUMBER: number, SIZE: size, "fullRecord": "true", **self.parameters}
        return urljoin(self.api_url, f"{self.path}?{urlencode(query)}")

    def lost(self, failure: Failure) -> Iterator[Request | Loss]:
        """Request a missing page once more; after the second 404 it is past the end."""
        request = request_of(failure)
        number, again = request.meta["page"], request.meta["second_try"]
        none = isinstance(failure.value, RetriesExhaustedError) and failure.value.not_retryable
        if none and not again and self.crawler.crawling:
            yield self.page_request(number, again=True)
            return
        if none and number <= self.end:
            self._cut = number - 1
            self.past_the_end(number)
        elif not none:
            self.census.failed_page()
            yield from self.smaller(failure)
        yield from self.arrived()

    def smaller(self, failure: Failure) -> Iterator[Request | Loss]:
        """Request a page that cannot be parsed in smaller ones; report any other as missing."""
        request, reason = request_of(failure), failure.getErrorMessage()
        number, size = request.meta["page"], request.meta["size"]
        if not is_unreadable(failure):
            self.census.lost_page(f"page {number}: {reason}")
        elif size > 1:
            for part, rows in halves(number, size):
                yield self.part_request(part, rows)
        else:
            yield Loss(None, "unreadable", reason, self.place(number))

    def past_the_end(self, number: int) -> None:
        """Report an announced page that does not exist; the total shows if records are missing."""
        remark = f"page {number} was announced and is past the end (harvest anew: -a fresh=true)"
        if number == 1:
            remark = (
                "there is no first page: the collection is empty, or the museum's database failed"
            )
        if self.census.expected is None:
            self.census.lost_page(remark)
        else:
            self.census.note(remark)

    def not_retryable(self, response: Response) -> str:
        """Return a reason for 404: the page does not exist."""
        return "the museum responded with 404" if response.status == 404 else ""

    def access_denied(self, response: Response) -> str:
        """Return a reason if the version is gone: 410, or 404 before the first page."""
        missing = response.status == 404 and not self.census.pages.fetched
        if response.status == 410 or (missing and not _names_page(response)):
            return f"{response.status} from {response.url}: {self.retirement(response)}"
        return super().access_denied(response)

    def retirement(self, response: Response) -> str:
        """Return when the version was retired, by response or policy, and what to use instead."""
        sunset = read_lifecycle(response).sunset
        day = sunset.date() if sunset else _retired_on(response) or self.version.sunset
        instead = f"use {self.successor} ({program()} crawl {self.successor})"
        if day is None:
            return f"{self.version.name} was retired, {instead}"
        if day > datetime.now(UTC).date():
            return f"{self.version.name} was to be retired on {day}, {instead}: it is already gone"
        return f"{self.version.name} was retired on {day}, {instead}"


def _body(response: Response) -> dict[str, Any]:
    try:
        body = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _names_page(response: Response) -> bool:
    """Whether the server reports a missing page, not a missing version."""
    return "page" in str(_body(response).get("error", "")).lower()


def _retired_on(response: Response) -> date | None:
    try:
        return date.fromisoformat(_body(response).get("retired_on", ""))
    except (TypeError, ValueError):
        return None


class V1ObjectsSpider(V1Spider):
    """Objects of version 1."""

    name = "v1_objects"
    path = "id/objects"
    successor = "objects"
    parameters: ClassVar = {"hasImages": "false"}  # else those without are silently omitted


class V1AgentsSpider(V1Spider):
    """Agents of version 1."""

    name = "v1_agents"
    path = "id/agents"
    successor = "agents"


class V1ExhibitionsSpider(V1Spider):
    """Exhibitions of version 1."""

    name = "v1_exhibitions"
    path = "id/exhibitions"
    successor = "exhibitions"


class V1ConceptsSpider(V1Spider):
    """Concepts of version 1."""

    name = "v1_concepts"
    path = "id/concepts"
    successor = "concepts"
