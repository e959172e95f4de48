"""A collection, page by page, and around the records that break their pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, ClassVar, Self
from urllib.parse import urlencode, urljoin

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from mplus_crawler.census import Census
from mplus_crawler.errors import UsageError
from mplus_crawler.protocols.chain import Chain, NextLinkError
from mplus_crawler.protocols.hydra.collections import Page, page_number, read_page, read_record
from mplus_crawler.records.batch import Loss, Records
from mplus_crawler.spiders.arguments import Parser, day, whole
from mplus_crawler.spiders.base import request_of
from mplus_crawler.spiders.dmg.base import GentSpider, uri_of
from mplus_crawler.wire.retry import RetriesExhaustedError

# Our arguments that the museum calls otherwise.
_PARAMETERS = {"since": "modifiedSince"}


class CollectionSpider(GentSpider):
    """A collection's full records, page by page along ``rel="next"``.

    ``since`` asks for what changed from that day on, ``limit`` for the first records only,
    ``page_size`` for smaller pages; :attr:`filters` are the museum's own.
    """

    in_harvest = True
    path: ClassVar[str]
    # Whether each record can also be had by itself, under its id.
    single: ClassVar[bool] = True
    filters: ClassVar[Mapping[str, Parser]] = {}
    # Arguments of our own, of which the museum knows nothing.
    ours: ClassVar[Mapping[str, Parser]] = {}

    census: Census
    chain: Chain
    size: int
    # The last page that the ledger gave: where the former crawl ended.
    replayed: Page | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """The spider, with the chain of pages that it is to follow."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        limit = spider.arguments.get("limit")
        spider.size = int(spider.arguments.get("page_size", spider.policy.page_size))
        spider.chain = Chain(
            first=spider.url(1, spider.size),
            place=spider.place,
            lookahead=crawler.settings.getint("LOOKAHEAD"),
            note=lambda remark: Census.of(crawler).note(remark),
            rows=int(limit) if limit else None,
        )
        return spider

    @classmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """``since``, ``limit``, ``page_size`` and the collection's filters."""
        most = cls.load_policy(settings).page_size
        shared = {"since": day, "limit": whole(1), "page_size": whole(1, most)}
        return {**shared, **cls.ours, **cls.filters}

    @classmethod
    def check(cls, settings: BaseSettings, given: Mapping[str, str]) -> dict[str, str]:
        """As everywhere; filters that the museum would silently ignore are refused, too."""
        arguments = super().check(settings, given)
        if "agent" in arguments and (
            ignored := set(arguments) & {"since", *cls.filters} - {"agent"}
        ):
            raise UsageError(
                f"{cls.name}: beside agent the museum ignores {', '.join(sorted(ignored))}; "
                "leave one or the other out"
            )
        return arguments

    def url(self, number: int, size: int, *, full: bool = True) -> str:
        """The page *number* of *size* rows: full records, or stubs."""
        query = {
            "page": str(number),
            "itemsPerPage": str(size),
            **({"fullRecord": "true"} if full else {}),
            **{_PARAMETERS.get(name, name): value for name, value in self.arguments.items()},
        }
        for ours in ("limit", "page_size", *self.ours):
            query.pop(ours, None)
        return urljoin(self.base_url, f"{self.path}?{urlencode(query)}")

    async def start(self) -> AsyncIterator[Request]:
        """Ask for the first page."""
        self.census = Census.of(self.crawler)
        self.census.limit_to(self.chain.rows)
        yield self.page_request(self.chain.start())

    def accept(self, request: Request, response: Response) -> None:
        """Read the page, or the single record, and hand it to the callback."""
        if request.meta.get("single_record"):
            request.cb_kwargs["record"] = read_record(response.body)
            return
        links = [value.decode("latin-1") for value in response.headers.getlist("Link")]
        number, size = request.meta["page"], request.meta["size"]
        request.cb_kwargs["page"] = read_page(response.body, links, number, size)

    def health_check(self) -> Request:
        """The first row's stub: no stored record can break it."""
        return Request(self.url(1, 1, full=False), meta={"page": 1, "size": 1}, dont_filter=True)

    def parse(self, response: Response, page: Page) -> Iterator[Request | Records]:
        """The next pages, and the page's records."""
        replayed = response.meta.get("replayed", False)
        self.census.page(replayed=replayed)
        if replayed and (self.replayed is None or page.number > self.replayed.number):
            self.replayed = page
        self.size = page.size
        yield from self.following(page)
        yield from self.parse_part(response, page)

    def parse_part(self, response: Response, page: Page) -> Iterator[Request | Records]:
        """The page's records; stubs for those without an id."""
        self.census.total(page.total)
        for url in self.chain.begin(self.url(2, self.size), page.total, self.size):
            yield self.page_request(url)
        members = self.wanted(page)
        retrieved_at = response.meta["retrieved_at"]
        yield Records(retrieved_at, [(None, member) for member in members if not nameless(member)])
        if any(map(nameless, members)):
            yield self.stub_request(page, retrieved_at)

    def parse_stubs(
        self, response: Response, page: Page, full: Page, retrieved_at: str
    ) -> Iterator[Records]:
        """The records of *full* that have no id, under the ids that their stubs have.

        Where a record's own id and its stub's differ, rows have moved, and no stub is trusted:
        the ids are compared in the end, or, with ``limit``, these records are rejected whole.
        """
        ids = [uri_of(stub) for stub in page.members] + [None] * len(full.members)
        pairs = list(zip(ids, self.wanted(full), strict=False))
        moved = any(
            known is None or self.canonical(known) != self.canonical(member["@id"])
            for known, member in pairs
            if uri_of(member)
        )
        if moved and self.chain.rows is None:
            self.census.doubt(f"rows have moved between page {full.number} and its stubs")
            return
        yield Records(
            retrieved_at,
            [
                (None if moved or known is None else self.canonical(known), member)
                for known, member in pairs
                if nameless(member)
            ],
        )

    def lost(self, failure: Failure) -> Iterator[Request]:
        """A page that cannot be had: read around a record that breaks it, else say so; go on."""
        request = request_of(failure)
        number = request.meta["page"]
        self.census.failed_page()
        yield from self.smaller(failure)
        for url in self.chain.lost(number):
            yield self.page_request(url)

    def smaller(self, failure: Failure) -> Iterator[Request]:
        """The rows of a page on which the server fails for ever, in smaller pages."""
        request = request_of(failure)
        number, size = request.meta["page"], request.meta["size"]
        gave_up = failure.value
        if not isinstance(gave_up, RetriesExhaustedError) or gave_up.status is None:
            self.census.lost_page(f"page {number}: {failure.getErrorMessage()}")
        elif size > 1:
            for part, rows in halves(number, size):
                yield self.part_request(part, rows)
        else:
            yield self.row_request(number, failure.getErrorMessage())

    def parse_unreadable(self, response: Response, page: Page, message: str) -> Iterator[Loss]:
        """The one record that the server never gives, by the id of its stub."""
        uri = uri_of(page.members[0]) if page.members else None
        if uri is None:
            self.census.problem(f"row {page.number} cannot be read, and has no id")
        else:
            self.census.total(page.total)
            yield Loss(self.canonical(uri), "unreadable", message)

    def lost_row(self, failure: Failure) -> None:
        """A row of which not even the stub can be had."""
        request = request_of(failure)
        self.census.lost_page(f"row {request.meta['page']}: {failure.getErrorMessage()}")

    def lost_stubs(self, failure: Failure) -> Iterator[Records]:
        """Stubs that cannot be had: their records are rejected whole, for want of an id."""
        request = request_of(failure)
        members = self.wanted(request.cb_kwargs["full"])
        yield Records(
            request.cb_kwargs["retrieved_at"],
            [(None, member) for member in members if nameless(member)],
        )

    def following(self, page: Page) -> Iterator[Request]:
        """Requests for the pages after *page*."""
        try:
            urls = self.chain.arrived(page)
        except NextLinkError as bad:
            self.census.problem(str(bad))
            return
        self.census.expect_pages(self.chain.expected or page.number)
        for url in urls:
            yield self.page_request(url)

    def page_request(self, url: str) -> Request:
        """A page of full records, of the chain."""
        meta = {"page": page_number(url) or 1, "size": self.size}
        return Request(url, self.parse, errback=self.lost, meta=meta, dont_filter=True)

    def part_request(self, number: int, size: int) -> Request:
        """A part of a page that cannot be had whole."""
        return Request(
            self.url(number, size),
            self.parse_part,
            errback=self.smaller,
            meta={"page": number, "size": size, "max_error_retries": 1},
            dont_filter=True,
        )

    def row_request(self, number: int, message: str) -> Request:
        """The stub of row *number*, whose full record cannot be had."""
        return Request(
            self.url(number, 1, full=False),
            self.parse_unreadable,
            errback=self.lost_row,
            meta={"page": number, "size": 1},
            cb_kwargs={"message": message},
            dont_filter=True,
        )

    def stub_request(self, page: Page, retrieved_at: str) -> Request:
        """The same rows as *page*, as stubs: they have the ids that some full records lack."""
        return Request(
            self.url(page.number, page.size, full=False),
            self.parse_stubs,
            errback=self.lost_stubs,
            meta={"page": page.number, "size": page.size},
            cb_kwargs={"full": page, "retrieved_at": retrieved_at},
            dont_filter=True,
        )

    def wanted(self, page: Page) -> list[Any]:
        """The records of *page* within ``limit``."""
        if self.chain.rows is None:
            return page.members
        return page.members[: max(0, self.chain.rows - page.first_row)]


def halves(number: int, size: int) -> list[tuple[int, int]]:
    """The page *number* of *size* rows, as (number, size) of smaller pages: 100, 50, 25, 5, 1."""
    smaller = max(part for part in range(1, size) if size % part == 0)
    first = (number - 1) * (size // smaller) + 1
    return [(first + part, smaller) for part in range(size // smaller)]


def nameless(member: Any) -> bool:
    """Whether *member* is a record without ``@id``, as the museum sends for a null one."""
    return isinstance(member, dict) and "@id" not in member
