"""One pass over a collection's lists of ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

from mplus_crawler.protocols.chain import NextLinkError
from mplus_crawler.protocols.pagers import Page
from mplus_crawler.spiders.base import request_of
from mplus_crawler.spiders.paged import PagedSpider
from mplus_crawler.spiders.parts import halves, is_unreadable


class IdPass:
    """The ids that *spider*'s collection lists now; :meth:`start` gives the first request.

    *listed* has the page of each id; *rows* counts all rows, and *unread* those whose ids cannot be
    read. A pass with a *fault* is ignored.
    """

    def __init__(self, spider: PagedSpider) -> None:
        self._spider = spider
        self._size = spider.policy.page_size
        self._chain = spider.chain_from(self._url(1, self._size))
        self.listed: dict[str, int] = {}
        self.rows = 0
        self.unread = 0
        self.fault = ""

    def start(self) -> Request:
        """Return the request for the first page."""
        return self._page(*self._chain.start())

    def _url(self, number: int, size: int) -> str:
        return self._spider.url(number, size, full=False)

    def _page(self, number: int, url: str) -> Request:
        return unsaved_page(url, self._list, self._smaller, number, self._size)

    def _list(self, response: Response, page: Page) -> Iterator[Request]:
        """Collect the page's ids, and request the next pages."""
        self._collect(response, page, page.number)
        try:
            for number, url in self._chain.arrived(page):
                yield self._page(number, url)
        except NextLinkError as bad:
            self.fault = str(bad)

    def _list_part(self, response: Response, page: Page) -> Iterator[Request]:
        """Collect the ids of a part of a page; a part of the first page gives the total."""
        self._collect(response, page, page.first_row // self._size + 1)
        for number, url in self._chain.begin(self._url(2, self._size), page.total, self._size):
            yield self._page(number, url)

    def _collect(self, response: Response, page: Page, number: int) -> None:
        self._spider.count(page)
        ids = [self._spider.id_of(member) for member in page.members]
        self.rows += len(ids)
        self.listed |= {id_: number for id_ in ids if id_}
        # A last page that only the total calls short disproves the total, if the next pass agrees.
        ends = page.is_last and 0 < len(ids) < page.size
        if not all(ids) or (response.meta.get("accepted_invalid") and not ends):
            self.fault = f"page {number} of the ids is incomplete"

    def _smaller(self, failure: Failure) -> Iterator[Request]:
        """Read a page that cannot be parsed in parts; count a row that cannot."""
        request = request_of(failure)
        number, size = request.meta["page"], request.meta["size"]
        if not is_unreadable(failure) or self._spider.pager.number is None:
            self.fault = f"a page of the ids could not be read: {failure.getErrorMessage()}"
            return
        if size == 1:
            self.rows += 1
            self.unread += 1
        for part, rows in halves(number, size) if size > 1 else ():
            yield unsaved_page(self._url(part, rows), self._list_part, self._smaller, part, rows)
        if request.callback == self._list:
            for following, url in self._chain.lost(number):
                yield self._page(following, url)


def unsaved_page(
    url: str,
    callback: Callable[..., Any],
    errback: Callable[[Failure], Any],
    number: int,
    size: int,
    **carried: object,
) -> Request:
    """Return a request for a page, never served from the ledger."""
    return Request(
        url,
        callback,
        errback=errback,
        meta={"page": number, "size": size, "skip_ledger": True},
        cb_kwargs=carried,
        dont_filter=True,
    )
