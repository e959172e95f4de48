"""Revalidation: asking whether an answer has changed, rather than for the answer (RFC 9110, 13).

When a harvest is complete, its answers are kept with their validators, one file a spider and
place under ``HARVEST_STATE_DIR``. The next one sends the validators; what is answered 304 is
the former answer again, retrieved now. Whoever comes after this sees a plain answer.
"""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from typing import Self

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.http import Response

from mplus_crawler.census import Census
from mplus_crawler.museum.components import Component, Extension
from mplus_crawler.museum.contract import Museum
from mplus_crawler.protocols.validators import CONDITIONS, StoredResponse, read_stored_response
from mplus_crawler.responses.ledger import Ledger, fields_of
from mplus_crawler.storage.folders import state_folder
from mplus_crawler.storage.sqlite import connect

_SCHEMA = """
CREATE TABLE IF NOT EXISTS known (
    url TEXT PRIMARY KEY, etag TEXT, last_modified TEXT, body BLOB, sha256 TEXT);
"""
# On an answer that was a 304, so that the ledger remembers it; taken off what museums send.
_MARK = "X-Revalidated"


class Revalidation(Extension):
    """Extension: what former complete harvests of this spider have left; never a cause to fail."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._db: sqlite3.Connection | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """The revalidation of *crawler*."""
        revalidation = cls(crawler)
        crawler.signals.connect(revalidation._open, signals.spider_opened)
        crawler.signals.connect(revalidation._close, signals.spider_closed)
        return revalidation

    def find(self, url: str) -> StoredResponse | None:
        """The former answer of *url*, unless it is damaged."""
        if self._db is None:
            return None
        try:
            query = "SELECT body, etag, last_modified, sha256 FROM known WHERE url = ?"
            row = self._db.execute(query, (url,)).fetchone()
        except sqlite3.Error as error:
            self._do_without(error)
            return None
        if row is None:
            return None
        body, etag, last_modified, checksum = row
        if not isinstance(body, bytes) or hashlib.sha256(body).hexdigest() != checksum:
            Census.of(self._crawler).note("a former answer was damaged: asked for anew")
            return None
        return read_stored_response(
            {"etag": [str(etag)], "last-modified": [str(last_modified)]}, body
        )

    def forget(self, url: str) -> None:
        """Drop the former answer of *url*: the record is not there any more."""
        if self._db is not None:
            try:
                self._db.execute("DELETE FROM known WHERE url = ?", (url,))
            except sqlite3.Error as error:
                self._do_without(error)

    def _open(self) -> None:
        spider = Museum.of(self._crawler)
        if not spider.revalidates or Census.of(self._crawler).ended:
            return
        try:
            self._db = connect(self._path(spider), _SCHEMA)
        except (OSError, sqlite3.Error) as error:
            self._do_without(error)

    def _close(self) -> None:
        if self._db is None:
            return
        try:
            self._take_over(self._db, complete=Census.of(self._crawler).complete)
        except sqlite3.Error as error:
            self._do_without(error)
            return
        self._db.close()

    def _take_over(self, db: sqlite3.Connection, *, complete: bool) -> None:
        """Count what was answered 304; keep the answers of a *complete* harvest.

        The ledger holds both, also of the crawls that this one goes on with.
        """
        db.execute("BEGIN")
        for url, headers, body in Ledger.of(self._crawler).answers():
            if _MARK in headers:
                Census.of(self._crawler).not_modified()
            known = read_stored_response(headers, body)
            if complete and known.validators:
                checksum = hashlib.sha256(body).hexdigest()
                row = (url, known.etag, known.last_modified, body, checksum)
                db.execute("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?)", row)
        db.execute("COMMIT")

    def _path(self, spider: Museum) -> Path:
        place = hashlib.sha256(spider.base_url.encode()).hexdigest()[:12]
        return state_folder(self._crawler.settings) / f"{spider.name}-{place}.known"

    def _do_without(self, error: Exception) -> None:
        Census.of(self._crawler).note(f"former answers cannot be used: {error}")
        if self._db is not None:
            self._db.close()
            self._db = None


class RevalidationMiddleware(Component):
    """Makes requests conditional, and of the 304 that they ask for the former answer again."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._former = Revalidation.of(crawler)

    def process_request(self, request: Request) -> None:
        """Send the validators of the former answer, unless the answer must be new."""
        for name in CONDITIONS.values():
            request.headers.pop(name, None)
        if known := self._known(request):
            request.headers.update(known.conditions)

    def process_response(self, request: Request, response: Response) -> Response:
        """The former answer for a 304; one that nobody asked for, or of another, is passed on."""
        if request.meta.get("replayed"):
            return response
        response.headers.pop(_MARK, None)
        if response.status in (404, 410):
            self._former.forget(request.url)
        if response.status != 304:
            return response
        known, now = self._known(request), _received(response)
        if known is None or not known.agrees(now):
            request.meta["dont_revalidate"] = True
            return response
        headers = {**known.validators, **now.validators, _MARK: "304"}
        return Response(request.url, headers=headers, body=known.body, request=request)

    def _known(self, request: Request) -> StoredResponse | None:
        """What may stand in for the answer to *request*."""
        spider = Museum.of(self._crawler)
        anew = request.meta.get("dont_revalidate") or request.meta.get("skip_ledger")
        if not spider.revalidates or spider.fresh or anew:
            return None
        known = self._former.find(request.url) or spider.stored_response(request)
        return known if known and known.conditions else None


def _received(response: Response) -> StoredResponse:
    return read_stored_response(fields_of(response), b"")
