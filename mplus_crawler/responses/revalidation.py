"""Revalidation: conditional requests for responses of the last complete harvest (RFC 9110, 13).

When a harvest is complete, its responses are saved with their validators, one file per spider
and base URL under ``HARVEST_STATE_DIR``. The next harvest sends the validators; a 304 stands for
the saved response, retrieved now. Everything above this middleware sees a plain response.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.http import Response

from mplus_crawler.census import Census
from mplus_crawler.museum.components import Component, Extension, Handlers
from mplus_crawler.museum.contract import Museum
from mplus_crawler.protocols.validators import CONDITIONS, StoredResponse, read_stored_response
from mplus_crawler.responses.ledger import Ledger
from mplus_crawler.responses.store import (
    DamagedError,
    ResponseStore,
    SavedResponse,
    headers_of,
)
from mplus_crawler.storage.folders import state_folder

# On a response that was a 304, so that the ledger remembers it; removed from what museums send.
_MARK = "X-Revalidated"


class Revalidation(Extension):
    """Extension: the responses of this spider's last complete harvest. It never fails a harvest."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._store: ResponseStore | None = None

    def handlers(self) -> Handlers:
        """Return the handlers of Scrapy's signals."""
        return {signals.spider_opened: self._open, signals.spider_closed: self._close}

    def find(self, url: str) -> StoredResponse | None:
        """The former response of *url*, unless it is damaged."""
        if self._store is None:
            return None
        try:
            saved = self._store.get(url)
        except DamagedError:
            Census.of(self._crawler).note("a former response was damaged: requested again")
            return None
        except (OSError, sqlite3.Error) as error:
            self._do_without(error)
            return None
        return read_stored_response(saved.headers, saved.body) if saved else None

    def forget(self, url: str) -> None:
        """Delete the former response of *url*: the record no longer exists."""
        if self._store is not None:
            try:
                self._store.delete(url)
            except (OSError, sqlite3.Error) as error:
                self._do_without(error)

    def _open(self) -> None:
        spider = self._museum
        if not spider.revalidates or Census.of(self._crawler).ended:
            return
        try:
            self._store = ResponseStore(self._path(spider))
        except (OSError, sqlite3.Error) as error:
            self._do_without(error)

    def _close(self) -> None:
        if self._store is None:
            return
        try:
            self._store.put_all(self._worth_saving(Census.of(self._crawler).complete))
        except (OSError, sqlite3.Error) as error:
            self._do_without(error)
            return
        self._store.close()

    def _worth_saving(self, complete: bool) -> Iterator[tuple[str, SavedResponse]]:
        """The responses of a *complete* harvest that have validators; all 304s are counted.

        The ledger has both, including those of the crawls that this one resumes.
        """
        for saved in Ledger.of(self._crawler).responses():
            if saved.headers.pop(_MARK, None):
                Census.of(self._crawler).not_modified()
            if complete and read_stored_response(saved.headers, saved.body).validators:
                yield saved.url, saved

    def _path(self, spider: Museum) -> Path:
        place = hashlib.sha256(spider.base_url.encode()).hexdigest()[:12]
        return state_folder(self._crawler.settings) / f"{spider.name}-{place}.known"

    def _do_without(self, error: Exception) -> None:
        Census.of(self._crawler).note(f"former responses cannot be used: {error}")
        if self._store is not None:
            self._store.close()
            self._store = None


class RevalidationMiddleware(Component):
    """Makes requests conditional, and turns their 304s into the former responses."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        if not self._museum.revalidates:
            raise NotConfigured
        self._former = Revalidation.of(crawler)

    def process_request(self, request: Request) -> None:
        """Send the validators of the former response, unless the response must be new."""
        for name in CONDITIONS.values():
            request.headers.pop(name, None)
        if former := self._validated(request):
            request.headers.update(former.conditions)

    def process_response(self, request: Request, response: Response) -> Response:
        """Return the former response for a 304; pass on a 304 that is unrequested or mismatched."""
        if request.meta.get("replayed"):
            return response
        response.headers.pop(_MARK, None)
        if response.status in (404, 410):
            self._former.forget(request.url)
        if response.status != 304:
            return response
        former, now = self._validated(request), read_stored_response(headers_of(response), b"")
        if former is None or not former.agrees(now):
            request.meta["dont_revalidate"] = True
            return response
        headers = {**former.validators, **now.validators, _MARK: "304"}
        return Response(request.url, headers=headers, body=former.body, request=request)

    def _validated(self, request: Request) -> StoredResponse | None:
        """The former response to *request*, if a 304 may stand for it."""
        spider = self._museum
        anew = request.meta.get("dont_revalidate") or request.meta.get("skip_ledger")
        if spider.fresh or anew:
            return None
        former = self._former.find(request.url) or spider.stored_response(request)
        return former if former and former.conditions else None
