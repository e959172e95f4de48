"""Absent records: a 404 counts only while the museum's database works.

While the database fails, the server responds with 404 for agents, exhibitions and concepts.
After five 404s in a row, or 404s for more than a tenth of a list, these records are therefore
requested a second time only when a health check has found a record that exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response
from twisted.python.failure import Failure

from mplus_crawler.census import Census, Verdict
from mplus_crawler.errors import counted
from mplus_crawler.records.batch import Loss
from mplus_crawler.spiders.dmg.base import uri_of
from mplus_crawler.spiders.single import of_existing, record_request

_MOST_IN_A_ROW = 5
_MOST_OF_LIST = 0.1


class Absences:
    """The 404s of one list of *records* single records.

    The health check requests a record that this harvest has read, or else the first ones of the
    collection at *list_url*; *record_url* makes a record's URL of its URI. It is repeated with
    growing pauses; if it fails to the end, the harvest stops, and the 404s are requested again
    when it is resumed.
    """

    def __init__(
        self, crawler: Crawler, records: int, list_url: str, record_url: Callable[[str], str]
    ) -> None:
        self._crawler = crawler
        self._most = records * _MOST_OF_LIST
        self._list_url = list_url
        self._record_url = record_url
        self._existing: list[str] = []  # URLs of records that exist
        self._held: list[Request] = []
        self._in_a_row = 0
        self._unconfirmed = 0
        self._checking = False

    def found(self, url: str) -> None:
        """Note that the museum knows the record at *url*: found, gone or merged."""
        self._existing = [url]
        self._in_a_row = 0

    def doubted(self, again: Request) -> Iterator[Request]:
        """Yield *again*, the second request for a record not found, or a health check first."""
        self._held.append(again)
        self._in_a_row += 1
        self._unconfirmed += 1
        if self._checking:
            return
        if self._in_a_row >= _MOST_IN_A_ROW or self._unconfirmed > self._most:
            self._checking = True
            yield self._check(0) if self._existing else self._list()
        else:
            yield from self._release()

    def confirmed(self, loss: Loss, again: Request) -> Iterator[Loss]:
        """Yield *loss*, confirmed by a second 404; during a health check, keep *again* instead."""
        if self._checking:
            self._held.append(again)
        else:
            yield loss

    def _check(self, attempt: int) -> Request:
        url = self._existing[attempt % len(self._existing)]
        settings = self._crawler.settings
        pause = settings.getfloat("RETRY_BACKOFF_BASE") * 2**attempt if attempt else 0.0
        request = record_request(
            url, self._checked, self._failed, again=True, priority=1, attempt=attempt
        )
        request.meta["retry_delay"] = min(pause, settings.getfloat("RETRY_BACKOFF_MAX"))
        return of_existing(request)

    def _checked(
        self, response: Response, attempt: int, record: object = None
    ) -> Iterator[Request]:
        """Any status but 404 shows that the database was read."""
        if response.status != 404:
            yield from self._confirm()
        elif attempt < self._crawler.settings.getint("RETRY_TIMES"):
            yield self._check(attempt + 1)
        else:
            self._stop(f"{response.url} exists, but also returns 404")

    def _list(self) -> Request:
        """Request the first rows of the collection: the records that are known to exist."""
        return Request(
            self._list_url,
            self._listed,
            errback=self._failed,
            meta={"single_record": True, "skip_ledger": True, "dont_revalidate": True},
            priority=1,
            dont_filter=True,
        )

    def _listed(self, response: Response, record: dict[str, Any]) -> Iterator[Request]:
        members = record.get("hydra:member")
        uris = [uri_of(member) for member in members] if isinstance(members, list) else []
        self._existing = [self._record_url(uri) for uri in uris if uri]
        if self._existing:
            yield self._check(0)
        elif record.get("hydra:totalItems") == 0:
            yield from self._confirm()
        else:
            self._stop(f"{response.url} lists no record")

    def _failed(self, failure: Failure) -> None:
        if self._crawler.crawling and not Census.of(self._crawler).ended:
            self._stop(failure.getErrorMessage())

    def _confirm(self) -> Iterator[Request]:
        self._in_a_row = self._unconfirmed = 0
        self._checking = False
        yield from self._release()

    def _release(self) -> Iterator[Request]:
        released, self._held = self._held, []
        yield from released

    def _stop(self, reason: str) -> None:
        Census.of(self._crawler).stop(
            Verdict.STOPPED,
            f"{counted(len(self._held), 'record was', 'records were')} not found, perhaps because "
            f"the museum's database is down: {reason}",
        )
