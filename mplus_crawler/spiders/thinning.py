"""Records that have lost values of a thinned column are requested once more."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

import msgspec
from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

from mplus_crawler.errors import counted
from mplus_crawler.feeds.changes.extension import Changes
from mplus_crawler.feeds.thinning import thinned
from mplus_crawler.records.batch import Records
from mplus_crawler.responses.ledger import Ledger
from mplus_crawler.spiders.base import MuseumSpider
from mplus_crawler.spiders.paged import PagedSpider

logger = logging.getLogger(__name__)

# If more records have lost values, the museum has probably changed its records.
_MOST = 1000
# Values that do not fill a column.
_NOTHING = frozenset((b"null", b'""', b"[]", b"{}"))

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Thinning:
    """The requests for thinned records of one harvest, once its list is complete."""

    def __init__(self, spider: MuseumSpider) -> None:
        self._spider = spider
        self._done = False

    def next_requests(self) -> list[Request]:
        """Return the requests, once, when the spider is idle and its list is settled."""
        spider = self._spider
        if self._done or not spider.census.settled:
            return []
        self._done = True
        ids = list(self._thinned())
        if not ids or len(ids) > _MOST:
            return []
        requests = list(self._requests(ids))
        if spider.accepted_run:  # it publishes what is saved
            requests = [each for each in requests if Ledger.of(spider.crawler).find(each)]
        for request in requests:
            request.meta["optional"] = True
        if requests:
            lost = counted(len(ids), "record has", "records have")
            logger.warning("%s lost values: requested again", lost)
        return requests

    def _thinned(self) -> Iterator[str]:
        """Yield the ids of records that have lost a value of a thinned column."""
        census, changes = self._spider.census, Changes.of(self._spider.crawler)
        columns = thinned(changes.former_filled, census.filled()).keys()
        for former in changes.former_rows() if columns else ():
            if blank := columns & census.blank_columns(former.id):
                row = _members(former.line)
                if any(bytes(row[name]) not in _NOTHING for name in blank & row.keys()):
                    yield former.id

    def _requests(self, ids: list[str]) -> Iterable[Request]:
        spider = self._spider
        if not isinstance(spider, PagedSpider):
            return spider.requests_again(ids, self._failed)
        if not spider.has_record_pages:
            return []
        return [spider.record_request(id_, self._arrived, self._failed) for id_ in ids]

    def _arrived(self, response: Response, id_: str, record: object = None) -> Iterator[Records]:
        """Yield the record; without one, the first row stays."""
        if response.status == 200 and self._spider.id_of(record) == id_:
            yield Records(response.meta["retrieved_at"], [(id_, record)], repeats=True)

    def _failed(self, failure: Failure) -> None:
        logger.warning("a record is kept as received: %s", failure.getErrorMessage())
