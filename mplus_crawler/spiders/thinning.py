"""Records that have lost values of a thinned column are requested once more, one by one."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import orjson
from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response
from twisted.python.failure import Failure

from mplus_crawler.census import Census
from mplus_crawler.feeds.changes.extension import Changes
from mplus_crawler.feeds.thinning import thinned
from mplus_crawler.records.batch import Records
from mplus_crawler.responses.ledger import Ledger
from mplus_crawler.spiders.paged import PagedSpider
from mplus_crawler.spiders.single import record_request

logger = logging.getLogger(__name__)

# If more records have lost values, the museum has probably changed its records.
_MOST = 1000


class Thinning:
    """The requests for thinned records of one harvest, once its list is complete."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._done = False

    def step(self, spider: PagedSpider) -> list[Request]:
        """Return the requests, once, when *spider* is idle and its list is settled."""
        if self._done or not Census.of(self._crawler).settled or spider.record_url("") is None:
            return []
        self._done = True
        ids = list(self._thinned())
        if not ids or len(ids) > _MOST:
            return []
        logger.warning("%d records have lost values: requesting them once more", len(ids))
        requests = [self._request(spider, id_) for id_ in ids]
        if spider.accepted_run:  # it publishes what is saved
            return [each for each in requests if Ledger.of(self._crawler).find(each)]
        return requests

    def _thinned(self) -> Iterator[str]:
        """Yield the ids of records that have lost a value of a thinned column."""
        census, changes = Census.of(self._crawler), Changes.of(self._crawler)
        columns = thinned(changes.former_filled, census.filled()).keys()
        for former in changes.former_rows() if columns else ():
            if blank := columns & census.blank_columns(former.id):
                row = orjson.loads(former.line)
                if any(row.get(name) for name in blank):
                    yield former.id

    def _request(self, spider: PagedSpider, id_: str) -> Request:
        url = spider.record_url(id_)
        assert url is not None
        return record_request(url, self._arrived, self._failed, id_=id_)

    def _arrived(self, response: Response, id_: str, record: object = None) -> Iterator[Records]:
        """Yield the record; without one, the row that came first stays."""
        spider = self._crawler.spider
        assert isinstance(spider, PagedSpider)
        if response.status == 200 and spider.id_of(record) == id_:
            yield Records(response.meta["retrieved_at"], [(id_, record)], repeats=True)

    def _failed(self, failure: Failure) -> None:
        logger.warning("a record is kept as received: %s", failure.getErrorMessage())
