"""Reconciliation: when rows have moved while paging, proves that every id is accounted for.

Counting proves nothing here: a deleted row and an added one leave the total unchanged. A pass
over the lists of ids shows which are missing; these are requested one by one, and passes are
repeated until two of them agree.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import DontCloseSpider
from scrapy.http import Response
from twisted.python.failure import Failure

from mplus_crawler.census import Census, Verdict
from mplus_crawler.errors import counted
from mplus_crawler.museum.components import Component, Handlers
from mplus_crawler.protocols.pagers import Page
from mplus_crawler.records.batch import Loss, Records
from mplus_crawler.spiders.base import MuseumSpider, request_of
from mplus_crawler.spiders.id_pass import IdPass, unsaved_page
from mplus_crawler.spiders.paged import PagedSpider
from mplus_crawler.spiders.probes import Probes
from mplus_crawler.spiders.single import described, is_doubtful, of_existing
from mplus_crawler.spiders.thinning import Thinning

logger = logging.getLogger(__name__)

# A collection that differs in so many passes in a row is being rebuilt.
_MOST_PASSES = 5


class Reconciliation(Component):
    """Extension: compares ids if the census has doubts after the last page, then sends probes.

    Finally, for any spider, records that have lost values are requested again.

    A :class:`.PagedSpider` offers what it needs: lists of ids (``url`` and ``id_of``), and one
    record (``record_url``), or its page.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._spider: PagedSpider
        self._census: Census
        self._passes = 0
        self._former: set[str] | None = None
        self._ids: IdPass  # the last pass
        self._requested: set[str] = set()
        self._not_found: dict[str, str] = {}  # by id, the response with 404
        self._unlisted: set[str] = set()  # records that exist, and are not listed
        self._resumption_checked = False
        self._done = False
        self._sources: list[Callable[[], Iterable[Request]]] = []

    def handlers(self) -> Handlers:
        """Return the handlers of Scrapy's signals."""
        return {signals.spider_opened: self._open, signals.spider_idle: self._idle}

    def _open(self) -> None:
        """Prepare what is to be requested after the last page, in this order."""
        spider = self._museum
        if isinstance(spider, PagedSpider):
            self._spider, self._census = spider, Census.of(self._crawler)
            own = [self._next_requests] if spider.reconciles else []
            self._sources = [*own, Probes(spider).next_requests]
        if isinstance(spider, MuseumSpider):
            self._sources.append(Thinning(spider).next_requests)

    def _idle(self) -> None:
        """Request what the first of the sources names."""
        every = (list(source()) for source in self._sources if self._crawler.crawling)
        if requests := next(filter(None, every), None):
            for request in requests:
                self._crawler.engine.crawl(request)
            raise DontCloseSpider

    def _next_requests(self) -> Iterable[Request]:
        """Return what to request next: records, another pass, or nothing."""
        census = self._census
        if self._done or census.ended or census.problems:
            return []
        last = self._spider.replayed
        if last and census.pages.fetched and not self._resumption_checked:
            self._resumption_checked = True
            return [self._page_again(last)]
        if self._passes == 0:
            if not census.in_doubt:
                return []
            logger.warning("rows have moved while paging: listing the collection again")
            self._former = set(census.ids())
            return self._pass()
        if self._not_found:
            return self._health_check()
        if not self._ids.fault:
            missing = sorted(
                id_ for id_ in self._ids.listed.keys() - self._requested if not census.knows(id_)
            )
            if missing:
                return self._fetch(missing)
            if self._ids.listed.keys() == self._former:
                return self._finish()
        return self._another()

    def _fetch(self, missing: list[str]) -> Iterable[Request]:
        """Yield requests for the records *missing*, or for their pages."""
        if self._spider.has_record_pages:
            return [*map(self._single, missing)]
        self._requested.update(missing)
        return [self._full(number) for number in sorted({self._ids.listed[id_] for id_ in missing})]

    def _health_check(self) -> Iterable[Request]:
        """Request a record that exists, before the responses with 404 count."""
        known = (id_ for id_ in self._ids.listed if self._census.knows(id_))
        existing = next((id_ for id_ in known if id_ not in self._not_found), None)
        if existing is None or not self._spider.has_record_pages:
            self._database_failed("no other record can be requested for comparison")
            return []
        request = self._spider.record_request(existing, self._checked, self._unchecked, again=True)
        return [of_existing(request)]

    def _checked(self, response: Response, id_: str, record: object = None) -> Iterator[Loss]:
        """Any status but 404 shows that the museum's database works."""
        if response.status == 404:
            self._database_failed(f"{response.url}, which is listed, also returns 404")
            return
        for missing, message in self._not_found.items():
            yield self._loss(missing, message)
        self._not_found.clear()

    def _unchecked(self, failure: Failure) -> None:
        self._database_failed(failure.getErrorMessage())

    def _database_failed(self, why: str) -> None:
        lost = counted(len(self._not_found), "record was", "records were")
        reason = f"{lost} not found, perhaps because the museum's database failed"
        self._census.stop(Verdict.STOPPED, f"{reason}: {why}")

    def _full(self, number: int) -> Request:
        size = self._spider.policy.page_size
        return unsaved_page(self._spider.url(number, size), self._take, self._lost, number, size)

    def _take(self, response: Response, page: Page) -> Iterator[Records]:
        """Yield the records of *page* that are new."""
        new = [member for member in page.members if self._is_new(self._spider.id_of(member))]
        yield Records(response.meta["retrieved_at"], [(None, member) for member in new])

    def _is_new(self, id_: str | None) -> bool:
        return id_ is not None and not self._census.knows(id_)

    def _withdrawal(self, gone: list[str]) -> Request:
        """The first row once more, for the records that are *gone* from the list."""
        self._requested.update(gone)
        url = self._spider.url(1, 1, full=False)
        return unsaved_page(url, self._withdraw, self._lost, 1, 1, gone=gone)

    def _withdraw(self, response: Response, page: Page, gone: list[str]) -> Iterator[Loss]:
        yield from (Loss(id_, "vanished", "the museum no longer lists it") for id_ in gone)

    def _page_again(self, page: Page) -> Request:
        """Request the page where a former crawl ended again: rows may have moved since."""
        url = self._spider.url(page.number, page.size)
        return unsaved_page(url, self._compare, self._unseen, page.number, page.size, former=page)

    def _compare(self, response: Response, page: Page, former: Page) -> None:
        id_of = self._spider.id_of
        if [*map(id_of, page.members)] != [*map(id_of, former.members)]:
            self._census.doubt("rows have moved since the harvest began")

    def _unseen(self, failure: Failure) -> None:
        self._census.doubt(f"where the harvest was resumed: {failure.getErrorMessage()}")

    def _another(self) -> Iterable[Request]:
        if self._passes >= _MOST_PASSES:
            self._done = True
            self._census.problem(
                self._ids.fault or f"no two of {self._passes} passes found the same ids"
            )
            return []
        self._former = set(self._ids.listed)
        return self._pass()

    def _finish(self) -> Iterable[Request]:
        """Settle the result of two equal passes; other ids are gone if their own pages show it."""
        gone = sorted(set(self._census.ids()) - self._ids.listed.keys() - self._requested)
        if gone and self._spider.has_record_pages:
            return [*map(self._single, gone)]
        if gone:
            return [self._withdrawal(gone)]
        self._done = True
        if never := [id_ for id_ in self._ids.listed if not self._census.knows(id_)]:
            lost = counted(len(never), "record is", "records are")
            self._census.problem(f"{lost} listed and never delivered: {never[0]}…")
            return []
        if self._ids.unread > len(self._unlisted):
            self._census.problem(f"the ids of {counted(self._ids.unread, 'row')} cannot be read")
            return []
        # Rows that share an id also explain a difference, if nothing else has moved.
        moved = self._census.moved or self._requested or self._ids.rows != self._census.expected
        self._census.reconciled(self._passes, drift=bool(moved))
        return []

    def _pass(self) -> Iterable[Request]:
        self._passes += 1
        self._ids = IdPass(self._spider)
        return [self._ids.start()]

    def _lost(self, failure: Failure) -> None:
        self._ids.fault = f"a page could not be read again: {failure.getErrorMessage()}"

    def _single(self, id_: str, *, again: bool = False) -> Request:
        self._requested.add(id_)
        return self._spider.record_request(id_, self._record, self._unreadable, again=again)

    def _record(
        self, response: Response, id_: str, record: object = None
    ) -> Iterator[Request | Records | Loss]:
        """Handle the response for one record: the record, another one, or none."""
        found = self._spider.id_of(record)
        if response.status == 200 and found and found != id_:
            yield self._loss(id_, f"the museum responds with another record, {found}")
        elif response.status == 200:
            if id_ not in self._ids.listed:
                self._unlisted.add(id_)
            if not self._census.knows(id_):
                yield Records(response.meta["retrieved_at"], [(id_, record)])
        elif is_doubtful(response):
            yield self._single(id_, again=True)
        elif response.status == 404:
            self._not_found[id_] = described(response)
        else:
            yield self._loss(id_, described(response))

    def _loss(self, id_: str, message: str) -> Loss:
        """Return a loss: vanished if it was harvested, else listed but never delivered."""
        return Loss(id_, "vanished" if self._census.knows(id_) else "unreadable", message)

    def _unreadable(self, failure: Failure) -> Iterator[Loss]:
        request = request_of(failure)
        id_ = request.cb_kwargs["id_"]
        if self._crawler.crawling and not self._census.knows(id_):
            yield Loss(id_, "unreadable", failure.getErrorMessage())
