"""Version 1 of the API, for servers that still provide it.

Elsewhere each spider stops and reports the day of retirement, and the spider to use instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, ClassVar
from urllib.parse import urljoin

import orjson
from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

from mplus_crawler import program
from mplus_crawler.museum.policies.policy import Version
from mplus_crawler.protocols.pagers import Page
from mplus_crawler.records.batch import Loss
from mplus_crawler.responses.lifecycle import read_lifecycle
from mplus_crawler.spiders.base import request_of
from mplus_crawler.spiders.dmg.base import GentSpider
from mplus_crawler.spiders.dmg.oslo.columns import columns
from mplus_crawler.spiders.dmg.oslo.pages import OsloPage, OsloPages
from mplus_crawler.spiders.paged import PagedSpider
from mplus_crawler.spiders.single import CONFIRM_AFTER
from mplus_crawler.wire.retry import RetriesExhaustedError


class V1Spider(GentSpider, PagedSpider):
    """A collection of version 1; :attr:`successor` is the spider for the same records today."""

    kind = "v1_record"
    api_version = "v1"
    in_harvest = False
    reconciles = False  # rows that moved are reported only: the successor has them all
    pager = OsloPages()
    full_query: ClassVar[Mapping[str, str]] = {"fullRecord": "true"}
    successor: ClassVar[str]

    @property
    def version(self) -> Version:
        """The policy's facts about the version."""
        return self.policy.version("v1")

    @property
    def api_url(self) -> str:
        """The base URL of the version, with a final slash."""
        return urljoin(self.base_url, f"{self.version.path}/")

    def columns(self, record: Any, known_id: str | None) -> dict[str, Any]:
        """Return the columns of a record of version 1."""
        return columns(record)

    def count(self, page: Page) -> None:
        """Report the total; where the museum states none, the last page shows it."""
        rows, end = self.chain.rows, page.first_row + page.size
        if isinstance(page, OsloPage) and page.counted:
            super().count(page)
        elif page.is_last or (rows is not None and end >= rows):
            self.census.total(page.first_row + len(page.members))

    def lost(self, failure: Failure) -> Iterator[Request | Loss]:
        """Request a missing page once more; after the second 404 it is past the end."""
        request, gave_up = request_of(failure), failure.value
        if not (isinstance(gave_up, RetriesExhaustedError) and gave_up.not_retryable):
            yield from super().lost(failure)
        elif self.crawler.crawling and not request.meta.get("second_try"):
            again = self.page_request(request.meta["page"], request.url)
            again.meta.update(second_try=True, retry_delay=CONFIRM_AFTER)
            yield again
        else:
            self.past_the_end(request.meta["page"])

    def past_the_end(self, number: int) -> None:
        """Report an announced page that does not exist; the total shows if records are missing."""
        if self.chain.expected is not None and number > self.chain.expected:
            return
        self.chain.end_before(number)
        self.census.expect_pages(number - 1)
        remark = f"page {number} was announced, but does not exist (start afresh: -a fresh=true)"
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
            return f"{self.version.name} was to be retired on {day}, but is already gone; {instead}"
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
    # Else those without images are silently omitted.
    ids_query: ClassVar = {"hasImages": "false"}
    full_query: ClassVar = {**V1Spider.full_query, **ids_query}


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
