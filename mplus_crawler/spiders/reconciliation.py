"""Reconciliation: when rows have moved while paging, proves that every id is in hand.

Counting proves nothing here: a row that goes and one that comes leave the total as it was. A
light pass over the stubs lists the ids; what is missing is fetched singly, and passes go on
until two of them agree.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Self

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import DontCloseSpider
from scrapy.http import Response
from twisted.python.failure import Failure

from mplus_crawler.census import Census
from mplus_crawler.museum.components import Component
from mplus_crawler.protocols.chain import Chain, NextLinkError
from mplus_crawler.protocols.hydra.collections import Page, page_number
from mplus_crawler.records.batch import Loss, Records
from mplus_crawler.spiders.base import request_of
from mplus_crawler.spiders.dmg.base import uri_of
from mplus_crawler.spiders.dmg.paging import CollectionSpider
from mplus_crawler.spiders.single import ask, is_doubtful, told

logger = logging.getLogger(__name__)

# A collection that differs in so many passes in a row is being rebuilt.
_MOST_PASSES = 5


class Reconciliation(Component):
    """Extension: takes over when the chain is at its end, and the census has doubts."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._passes = 0
        self._former: set[str] | None = None
        self._listed: dict[str, int] = {}  # by id, the page that it stood on
        self._fault = ""
        self._asked: set[str] = set()
        self._seam_checked = False
        self._done = False

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """The reconciliation of *crawler*'s harvest."""
        reconciliation = cls(crawler)
        crawler.signals.connect(reconciliation._idle, signals.spider_idle)
        return reconciliation

    @property
    def _census(self) -> Census:
        return Census.of(self._crawler)

    @property
    def _spider(self) -> CollectionSpider:
        spider = self._crawler.spider
        assert isinstance(spider, CollectionSpider)
        return spider

    def _idle(self) -> None:
        requests = list(self._step())
        for request in requests:
            self._crawler.engine.crawl(request)
        if requests:
            raise DontCloseSpider

    def _step(self) -> Iterable[Request]:
        """What to ask for now that nothing is under way: singles, another pass, or nothing."""
        census = self._census
        if self._done or not isinstance(self._crawler.spider, CollectionSpider):
            return []
        if not self._crawler.crawling or census.ended or census.problems:
            return []
        seam = self._spider.replayed
        if seam and census.pages.fetched and not self._seam_checked:
            self._seam_checked = True
            return [self._seam(seam)]
        if self._passes == 0:
            if not census.in_doubt:
                return []
            logger.warning("rows have moved while paging: listing the collection again")
            self._former = set(census.ids())
            return self._pass()
        if not self._fault:
            missing = sorted(
                id_ for id_ in self._listed.keys() - self._asked if not census.knows(id_)
            )
            if missing:
                return self._fetch(missing)
            if self._listed.keys() == self._former:
                return self._finish()
        return self._another()

    def _fetch(self, missing: list[str]) -> Iterable[Request]:
        """The records *missing*: each by itself, else the pages that they stand on."""
        if self._spider.single:
            return [*map(self._single, missing)]
        self._asked.update(missing)
        return [self._full(number) for number in sorted({self._listed[id_] for id_ in missing})]

    def _full(self, number: int) -> Request:
        size = self._spider.policy.page_size
        return Request(
            self._spider.url(number, size),
            self._take,
            errback=self._lost,
            meta={"page": number, "size": size, "skip_ledger": True},
            dont_filter=True,
        )

    def _take(self, response: Response, page: Page) -> Iterator[Records]:
        """What of *page* is not in hand."""
        new = [member for member in page.members if self._is_new(uri_of(member))]
        yield Records(response.meta["retrieved_at"], [(None, member) for member in new])

    def _is_new(self, uri: str | None) -> bool:
        return bool(uri) and not self._census.knows(self._spider.canonical(uri or ""))

    def _farewell(self, gone: list[str]) -> Request:
        """The first row once more, for the records that are *gone* from the list."""
        self._asked.update(gone)
        return Request(
            self._spider.url(1, 1, full=False),
            self._withdraw,
            errback=self._lost,
            meta={"page": 1, "size": 1, "skip_ledger": True},
            cb_kwargs={"gone": gone},
            dont_filter=True,
        )

    def _withdraw(self, response: Response, page: Page, gone: list[str]) -> Iterator[Loss]:
        yield from (Loss(id_, "vanished", "the museum lists it no more") for id_ in gone)

    def _seam(self, page: Page) -> Request:
        """The page where a former crawl ended, once more: rows may have moved between the two."""
        return Request(
            self._spider.url(page.number, page.size),
            self._compare,
            errback=self._unseen,
            meta={"page": page.number, "size": page.size, "skip_ledger": True},
            cb_kwargs={"former": page},
            dont_filter=True,
        )

    def _compare(self, response: Response, page: Page, former: Page) -> None:
        if [*map(uri_of, page.members)] != [*map(uri_of, former.members)]:
            self._census.doubt("rows have moved since the harvest was begun")

    def _unseen(self, failure: Failure) -> None:
        self._census.doubt(f"where the harvest was taken up: {failure.getErrorMessage()}")

    def _another(self) -> Iterable[Request]:
        if self._passes >= _MOST_PASSES:
            self._done = True
            self._census.problem(
                self._fault or f"no two of {self._passes} passes found the same ids"
            )
            return []
        self._former = set(self._listed)
        return self._pass()

    def _finish(self) -> Iterable[Request]:
        """Two passes agree; what we have beyond them is gone, if its own page says so."""
        gone = sorted(set(self._census.ids()) - self._listed.keys() - self._asked)
        if gone:
            return [*map(self._single, gone)] if self._spider.single else [self._farewell(gone)]
        self._done = True
        if never := [id_ for id_ in self._listed if not self._census.knows(id_)]:
            self._census.problem(f"{len(never)} records are listed and cannot be had: {never[0]}…")
            return []
        self._census.reconciled(self._passes)
        return []

    def _pass(self) -> Iterable[Request]:
        spider = self._spider
        self._passes += 1
        self._listed, self._fault = {}, ""
        self._chain = Chain(
            first=spider.url(1, spider.policy.page_size, full=False),
            place=spider.place,
            lookahead=spider.chain.lookahead,
            note=self._census.note,
        )
        return [self._page(self._chain.start(), 1)]

    def _page(self, url: str, number: int) -> Request:
        meta = {"page": number, "size": self._spider.policy.page_size, "skip_ledger": True}
        return Request(url, self._list, errback=self._lost, meta=meta, dont_filter=True)

    def _list(self, response: Response, page: Page) -> Iterator[Request]:
        """Take the page's ids, and go on."""
        self._census.total(page.total)
        uris = [uri_of(member) for member in page.members]
        self._listed |= {self._spider.canonical(uri): page.number for uri in uris if uri}
        # A last page that only the total calls short disproves the total, if the next pass agrees.
        ends = page.is_last and 0 < len(uris) < page.size
        if not all(uris) or (response.meta.get("accepted_invalid") and not ends):
            self._fault = f"page {page.number} of the stubs is not whole"
        try:
            for url in self._chain.arrived(page):
                yield self._page(url, page_number(url) or 0)
        except NextLinkError as bad:
            self._fault = str(bad)

    def _lost(self, failure: Failure) -> None:
        self._fault = f"a page of the stubs could not be had: {failure.getErrorMessage()}"

    def _single(self, id_: str, *, again: bool = False) -> Request:
        self._asked.add(id_)
        url = self._spider.place.carry(id_)
        return ask(url, self._record, self._unreadable, again=again, id_=id_)

    def _record(
        self, response: Response, id_: str, record: object = None
    ) -> Iterator[Request | Records | Loss]:
        """A record of its own page: in hand, merged, or gone."""
        uri = uri_of(record)
        if response.status == 200 and uri and self._spider.canonical(uri) != id_:
            yield self._loss(id_, f"the museum answers with another record, {uri}")
        elif response.status == 200:
            if not self._census.knows(id_):
                yield Records(response.meta["retrieved_at"], [(id_, record)])
        elif is_doubtful(response):
            yield self._single(id_, again=True)
        else:
            yield self._loss(id_, told(response))

    def _loss(self, id_: str, message: str) -> Loss:
        """Gone, if it was in hand; else something that the museum lists and never gives."""
        return Loss(id_, "vanished" if self._census.knows(id_) else "unreadable", message)

    def _unreadable(self, failure: Failure) -> Iterator[Loss]:
        request = request_of(failure)
        id_ = request.cb_kwargs["id_"]
        if self._crawler.crawling and not self._census.knows(id_):
            yield Loss(id_, "unreadable", failure.getErrorMessage())
