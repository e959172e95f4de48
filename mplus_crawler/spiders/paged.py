"""The base class of collections in pages; it isolates records that break their pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Self
from urllib.parse import quote, unquote, urlencode, urljoin

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure
from w3lib.url import url_query_cleaner

from mplus_crawler.errors import InvalidResponseError
from mplus_crawler.protocols.chain import ApiBase, Chain, NextLinkError
from mplus_crawler.protocols.documents import read_document, value_at
from mplus_crawler.protocols.pagers import Page, Pager, PageRequest
from mplus_crawler.records.batch import Loss, Records
from mplus_crawler.spiders.arguments import Parser, whole
from mplus_crawler.spiders.base import MuseumSpider, request_of
from mplus_crawler.spiders.parts import fails_on_record, halves, is_unreadable
from mplus_crawler.spiders.single import record_request


class PagedSpider(MuseumSpider):
    """A collection that a museum's API lists in pages.

    To harvest one:

    1. Set :attr:`museum`, :attr:`name` and :attr:`kind`, as for every :class:`MuseumSpider`.
    2. Set :attr:`path`, where the collection is below the API's base, and :attr:`pager`.
    3. Write :meth:`columns`; its ``id`` must be the same in a list and in a single record.
    4. Set :attr:`record_path`, where one record is, with ``{id}`` in it. It lets the harvest
       settle rows that move while it pages, and find out why a record is no longer listed;
       :attr:`record_pointer` says where the response has
       the record. Without a path, the pages themselves are read once more.
    5. Set :attr:`full_query` if pages are of whole records only with these parameters, and
       :attr:`ids_query` for lists of ids that are lighter than pages of records.
    6. Set :attr:`filters`: the museum's own parameters, and what each may be.

    For example::

        class BirdsSpider(PagedSpider):
            museum, name, kind = "aviary", "birds", "bird"
            path, record_path = "birds", "birds/{id}"
            pager = PagesByNumber(members="/data/items", total="/data/total")

            def columns(self, record, known_id):
                return {"id": record.get("ring"), "label": record.get("name")}
    """

    in_harvest = True
    pager: ClassVar[Pager]
    path: ClassVar[str]
    record_path: ClassVar[str] = ""
    record_pointer: ClassVar[str] = ""
    full_query: ClassVar[Mapping[str, str]] = {}
    ids_query: ClassVar[Mapping[str, str]] = {}
    # Rows that move while the harvest pages are settled by lists of ids.
    reconciles: ClassVar[bool] = True
    filters: ClassVar[Mapping[str, Parser]] = {}
    # Arguments that are not parameters of the museum's.
    ours: ClassVar[Mapping[str, Parser]] = {}

    chain: Chain
    place: ApiBase
    size: int
    # The last page that the ledger replayed: where the former crawl ended.
    replayed: Page | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Return the spider, with its chain of pages."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        spider.place = ApiBase(spider.base_url, spider.policy.base_url)
        spider.size = int(spider.arguments.get("page_size", spider.policy.page_size))
        spider.chain = spider.chain_from(spider.url(1, spider.size), spider.limit)
        return spider

    @classmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """Return ``limit``, ``page_size`` and the collection's filters."""
        most = cls.load_policy(settings).page_size
        return {"limit": whole(1), "page_size": whole(1, most), **cls.ours, **cls.filters}

    # The collection: override these where the museum differs.

    def query(self, *, full: bool) -> dict[str, str]:
        """Return the query of a page, without number and size: whole records, or their ids."""
        ours = ("limit", "page_size", *self.ours)
        chosen = {name: value for name, value in self.arguments.items() if name not in ours}
        return {**(self.full_query if full else self.ids_query), **chosen}

    def url(self, number: int, size: int, *, full: bool = True) -> str:
        """Return the URL of page *number* of *size* rows: whole records, or a list of their ids."""
        query = {**self.pager.query(number, size), **self.query(full=full)}
        return urljoin(self.api_url, f"{self.path}?{urlencode(query)}")

    def record_url(self, id_: str) -> str | None:
        """Return the URL of the record *id_*; ``None`` if records have no separate page."""
        if not self.record_path:
            return None
        return urljoin(self.base_url, self.record_path.format(id=quote(id_, safe="")))

    def record_request(
        self,
        id_: str,
        callback: Callable[..., Any],
        errback: Callable[[Failure], Any],
        *,
        again: bool = False,
    ) -> Request:
        """Return the request for the record *id_* alone; *callback* receives *id_* by name."""
        url = self.record_url(id_)
        assert url is not None, "records have no separate page"
        return record_request(url, callback, errback, again=again, id_=id_)

    @property
    def has_record_pages(self) -> bool:
        """Whether each record has a separate page."""
        return self.record_url("") is not None

    def id_at(self, url: str) -> str | None:
        """Return the id of the record at *url*, the inverse of :meth:`record_url`, if it is one."""
        before, _, after = urljoin(self.base_url, self.record_path).partition("{id}")
        place = self.carry(url)
        if not self.record_path or not (place.startswith(before) and place.endswith(after)):
            return None
        return unquote(place[len(before) : len(place) - len(after)]) or None

    def records(self, response: Response, page: Page) -> Iterator[Request | Records]:
        """Yield the records of *page*, or requests for what they lack."""
        yield self.batch(response.meta["retrieved_at"], page, enumerate(self.within_limit(page)))

    def batch(
        self,
        retrieved_at: str,
        page: Page,
        members: Iterable[tuple[int, Any]],
        ids: Mapping[int, str] | None = None,
    ) -> Records:
        """Return *members* of *page*, each with its index there; *ids* has some of their ids."""
        members = list(members)
        return Records(
            retrieved_at,
            [((ids or {}).get(index), member) for index, member in members],
            places=[self.position(page.first_row + index + 1) for index, _ in members],
        )

    # How the collection is read.

    def chain_from(self, first: str, rows: int | None = None) -> Chain:
        """Return the chain of pages that begins at the URL *first* and has at most *rows* rows."""
        return Chain(
            first=first,
            parameter=self.pager.number,
            carry=self.carry,
            lookahead=self.lookahead,
            note=lambda remark: self.census.note(remark),
            rows=rows,
        )

    def carry(self, url: str) -> str:
        """Return *url*, a link in a response, on the configured API and without a key."""
        url, credential = self.place.carry(url), self.policy.credential
        if credential and credential.query:
            url = url_query_cleaner(url, (credential.query,), remove=True)
        return url

    async def start(self) -> AsyncIterator[Request]:
        """Request the first page."""
        self.census.limit_to(self.chain.rows)
        yield self.page_request(*self.chain.start())

    def accept(self, request: Request, response: Response) -> None:
        """Read the page, or the single record, and pass it to the callback."""
        if request.meta.get("single_record"):
            record = value_at(read_document(response.body), self.record_pointer)
            if not isinstance(record, dict):
                raise InvalidResponseError("the response has no record")
            request.cb_kwargs["record"] = record
            return
        links = [value.decode("latin-1") for value in response.headers.getlist("Link")]
        requested = PageRequest(request.url, request.meta["page"], request.meta["size"])
        page = self.pager.read(response.body, links, requested)
        if fault := self.chain.fault(page):  # a cache may have mixed up two responses
            raise InvalidResponseError(fault, page)
        request.cb_kwargs["page"] = page

    def health_check(self) -> Request:
        """Return a request for the id of the first row, which a bad record does not break."""
        return Request(self.url(1, 1, full=False), meta={"page": 1, "size": 1}, dont_filter=True)

    def parse(self, response: Response, page: Page) -> Iterator[Request | Records]:
        """Yield requests for the next pages, and the page's records."""
        replayed = response.meta.get("replayed", False)
        self.census.page(replayed=replayed)
        if replayed and (self.replayed is None or page.number > self.replayed.number):
            self.replayed = page
        self.size = page.size
        yield from self.following(page)
        yield from self.parse_part(response, page)

    def parse_part(self, response: Response, page: Page) -> Iterator[Request | Records]:
        """Yield the records of a page, or of a part of one."""
        self.count(page)
        if self.pager.number is not None:
            for number, url in self.chain.begin(self.url(2, self.size), page.total, self.size):
                yield self.page_request(number, url)
        yield from self.records(response, page)

    def count(self, page: Page) -> None:
        """Report how many rows the museum says there are."""
        self.census.total(page.total)

    def following(self, page: Page) -> Iterator[Request]:
        """Yield requests for the pages after *page*."""
        try:
            pages = self.chain.arrived(page)
        except NextLinkError as bad:
            self.census.problem(str(bad))
            return
        self.census.expect_pages(self.chain.expected or page.number)
        for number, url in pages:
            yield self.page_request(number, url)

    def lost(self, failure: Failure) -> Iterator[Request | Loss]:
        """Read a failed page without the record that breaks it, or report it; then continue."""
        request = request_of(failure)
        self.census.failed_page()
        yield from self.smaller(failure)
        for number, url in self.chain.lost(request.meta["page"]):
            yield self.page_request(number, url)

    def smaller(self, failure: Failure) -> Iterator[Request | Loss]:
        """Request the rows of a page that always fails in smaller pages."""
        request = request_of(failure)
        number, size = request.meta["page"], request.meta["size"]
        if not fails_on_record(failure) or self.pager.number is None:
            reason = failure.getErrorMessage()
            if number == 1 and reason.endswith(" 404"):
                reason += f"; is {self.base_url} the address of the API?"
            self.census.lost_page(f"page {number}: {reason}")
        elif size > 1:
            for part, rows in halves(number, size):
                yield self.part_request(part, rows)
        else:
            yield self.row_request(number, failure.getErrorMessage())

    def parse_unreadable(self, response: Response, page: Page, message: str) -> Iterator[Loss]:
        """Report the one record that the server never delivers, by its id in the list of ids."""
        self.count(page)
        if page.members:
            id_ = self.id_of(page.members[0])
            yield Loss(id_, "unreadable", message, self.position(page.number))

    def lost_row(self, failure: Failure) -> Iterator[Loss]:
        """Report a row whose id cannot be read either: by its position, or as missing."""
        row, reason = request_of(failure).meta["page"], failure.getErrorMessage()
        if is_unreadable(failure):
            yield Loss(None, "unreadable", reason, self.position(row))
        else:
            self.census.lost_page(f"row {row}: {reason}")

    def position(self, row: int) -> tuple[int, int]:
        """Return the page of *row*, counted from 1, and the position there."""
        page, before = divmod(row - 1, self.size)
        return page + 1, before + 1

    def page_request(self, number: int, url: str) -> Request:
        """Return the request for a page of the chain."""
        meta = {"page": number, "size": self.size}
        return Request(url, self.parse, errback=self.lost, meta=meta, dont_filter=True)

    def part_request(self, number: int, size: int) -> Request:
        """Return the request for a part of a page that cannot be read whole."""
        return Request(
            self.url(number, size),
            self.parse_part,
            errback=self.smaller,
            meta={"page": number, "size": size, "max_error_retries": 1},
            dont_filter=True,
        )

    def row_request(self, number: int, message: str) -> Request:
        """Return the request for the id of row *number*, whose record cannot be read."""
        return Request(
            self.url(number, 1, full=False),
            self.parse_unreadable,
            errback=self.lost_row,
            meta={"page": number, "size": 1},
            cb_kwargs={"message": message},
            dont_filter=True,
        )

    def within_limit(self, page: Page) -> list[Any]:
        """Return the records of *page* within ``limit``."""
        if self.chain.rows is None:
            return page.members
        return page.members[: max(0, self.chain.rows - page.first_row)]
