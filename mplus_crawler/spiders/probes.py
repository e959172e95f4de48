"""Probes: records of the former snapshot that are no longer listed are requested one by one.

A list without a record proves nothing: the record may be deleted, merged, or only not listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from urllib.parse import urljoin

from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

from mplus_crawler.feeds.changes.evidence import Evidence, Reason
from mplus_crawler.feeds.changes.extension import Changes
from mplus_crawler.records.batch import Records, stamp
from mplus_crawler.responses.ledger import Ledger
from mplus_crawler.spiders.base import request_of
from mplus_crawler.spiders.paged import PagedSpider
from mplus_crawler.spiders.single import (
    MERGED,
    described,
    is_doubtful,
    location,
    of_existing,
)

# So many existing records are tried.
_EXISTING = 3


class Probes:
    """The probes of one harvest, once its list is complete.

    A 404 counts only if a listed record is found afterwards: while a museum's database is down, no
    record is found. A few listed records are tried, since one of them may break the server.
    """

    def __init__(self, spider: PagedSpider) -> None:
        self._spider = spider
        self._changes = Changes.of(spider.crawler)
        self._begun = False
        self._doubted = False
        self._existing: Iterator[str] = iter(())

    def next_requests(self) -> list[Request]:
        """Return what to request next, whenever the spider is idle; nothing at the end."""
        if not self._spider.census.settled or not self._spider.has_record_pages:
            return []
        if not self._begun:
            self._begun = True
            return self._first()
        if self._changes.not_found and not (self._doubted or self._spider.accepted_run):
            self._doubted = True
            self._existing = islice(self._spider.census.listed_ids(), _EXISTING)
            return self._health_check()
        return []

    def _first(self) -> list[Request]:
        """Return all probes; where a run is accepted, those whose records are saved."""
        try:
            requests = [self._probe(id_) for id_ in self._changes.to_request()]
        except OSError:
            return []  # the publication will fail on it, and report it
        if self._spider.accepted_run:
            ledger = Ledger.of(self._spider.crawler)
            self._changes.recall(ledger.findings())
            requests = [each for each in requests if ledger.find(each)]
        return requests

    def _probe(self, id_: str, *, again: bool = False) -> Request:
        return self._spider.record_request(id_, self._arrived, self._failed, again=again)

    def _arrived(
        self, response: Response, id_: str, record: object = None
    ) -> Iterator[Request | Records]:
        """Deliver a record that is not listed, or record the evidence about it."""
        if response.status == 200:
            other = self._spider.id_of(record)
            if other and other != id_:
                self._settle(
                    id_, Reason.UNANSWERED, 200, detail=f"the response is another record, {other}"
                )
                return
            self._spider.census.unlisted(id_)
            yield Records(response.meta["retrieved_at"], [(id_, record)])
        elif is_doubtful(response):
            yield self._probe(id_, again=True)
        elif response.status == 404:
            self._settle(id_, Reason.NOT_FOUND, 404)
        elif response.status == 410:
            self._settle(id_, Reason.GONE, 410)
        else:
            self._redirected(response, id_)

    def _redirected(self, response: Response, id_: str) -> None:
        to = self._spider.id_at(urljoin(response.url, location(response)))
        if response.status in MERGED and to and to != id_:
            self._settle(id_, Reason.MERGED, response.status, to=to)
        else:
            detail = described(response)
            self._settle(id_, Reason.UNANSWERED, response.status, detail=detail)

    def _failed(self, failure: Failure) -> None:
        id_ = request_of(failure).cb_kwargs["id_"]
        self._settle(id_, Reason.UNANSWERED, detail=failure.getErrorMessage())

    def _settle(
        self,
        id_: str,
        reason: Reason,
        status: int | None = None,
        *,
        to: str | None = None,
        detail: str | None = None,
    ) -> None:
        at = stamp(datetime.now(UTC))
        self._changes.settle(id_, Evidence(reason, at, status, to, detail))

    def _health_check(self) -> list[Request]:
        """Return the request for another record that exists; without one, 404s do not count."""
        existing = next(self._existing, None)
        if existing is None:
            self._changes.doubt_404s()
            return []
        request = self._spider.record_request(existing, self._checked, self._unhealthy, again=True)
        return [of_existing(request)]

    def _checked(self, response: Response, id_: str, record: object = None) -> list[Request]:
        """Any status but 404 shows that the database was read."""
        return self._health_check() if response.status == 404 else []

    def _unhealthy(self, failure: Failure) -> list[Request]:
        return self._health_check()
