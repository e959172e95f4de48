"""The ledger: every accepted response of an unfinished harvest, saved before it is parsed.

The same command again (spider, base URL, arguments) is served from it and resumes where it
ended. There is one file per harvest under ``HARVEST_STATE_DIR``, deleted when the harvest is over.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider
from scrapy.http import Response

from mplus_crawler.census import Census, Verdict
from mplus_crawler.errors import HarvestError, UsageError, counted
from mplus_crawler.museum.components import Component, Extension, Handlers
from mplus_crawler.responses.harvest import Harvest, lock_harvest
from mplus_crawler.responses.store import DamagedError, ResponseStore, SavedResponse
from mplus_crawler.storage.sqlite import remove

logger = logging.getLogger(__name__)

# The run that is complete, but held back.
_HELD = "held"
# What is known about the records that it lacks.
_FINDINGS = "findings"


class Ledger(Extension):
    """Extension: the saved responses of this harvest; :class:`LedgerMiddleware` serves them."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._store: ResponseStore | None = None

    def handlers(self) -> Handlers:
        """Return the handlers of Scrapy's signals."""
        return {signals.spider_opened: self.open}

    @cached_property
    def harvest(self) -> Harvest:
        """What this crawl harvests."""
        return Harvest.of(self._museum, self._crawler.settings)

    def open(self) -> None:
        """Resume an unfinished harvest, or begin a new one."""
        try:
            lock_harvest(self.harvest)
            self._resume()
        except HarvestError as error:
            Census.of(self._crawler).end(Verdict.UNDELIVERED, str(error))
            raise CloseSpider("no_ledger") from None
        except (OSError, sqlite3.Error) as error:
            self._fail(error)
            raise CloseSpider("no_ledger") from None

    def find(self, request: Request) -> SavedResponse | None:
        """The saved response to *request*, unless it is damaged or too old."""
        assert self._store is not None
        try:
            saved = self._store.get(self._key(request))
            return None if saved is None or self._is_stale(saved) else saved
        except DamagedError:
            Census.of(self._crawler).note("a saved response was damaged: requested again")
        except (OSError, sqlite3.Error) as error:
            self._fail(error)
        return None

    def save(self, request: Request, response: Response) -> None:
        """Write *response* to disk before anything reads it."""
        assert self._store is not None
        saved = SavedResponse.of(response, request.url, request.meta["retrieved_at"])
        try:
            self._store.put(self._key(request), saved)
        except (OSError, sqlite3.Error) as error:
            self._fail(error)

    def responses(self) -> Iterator[SavedResponse]:
        """Every saved response."""
        assert self._store is not None
        yield from self._store.all()

    def recall(self, name: str, value: str) -> str:
        """The value that *name* had when the harvest began; *value* if it has just begun."""
        if self._store is None:
            return value
        try:
            return self._store.recall(name, value)
        except (OSError, sqlite3.Error) as error:
            self._fail(error)
            return value

    def hold_back(self, run: str, findings: str) -> None:
        """Record that *run* is complete but not published; only accepting it will resume it.

        *findings* about the records that it lacks are kept for that moment.
        """
        if self._store is not None:
            try:
                self._store.remember(_HELD, run)
                self._store.remember(_FINDINGS, findings)
            except (OSError, sqlite3.Error) as error:
                self._fail(error)

    def findings(self) -> str:
        """Return what :meth:`hold_back` has kept; ``{}`` if it has not."""
        return self.recall(_FINDINGS, "{}")

    def close(self, *, over: bool) -> None:
        """Close the ledger; delete it if the harvest is *over*."""
        if self._store is not None:
            self._store.close()
            self._store = None
        if over:
            remove(self.harvest.ledger)

    def _resume(self) -> None:
        path = self.harvest.ledger
        if self._museum.fresh:
            remove(path)
        store = self._store = ResponseStore(path)
        if self._museum.accepted_run:
            return
        if store.recall(_HELD, ""):
            store.clear()
        began = self._began(store)  # first: a new harvest begins now
        age = time.time() - began
        if not 0 <= age <= self._max_age():
            what = "older than RESUME_MAX_AGE" if age > 0 else "dated in the future"
            logger.warning("the unfinished harvest is %s: starting afresh", what)
            store.clear()
            self._began(store)
        elif saved := len(store):
            responses = counted(saved, "response is", "responses are")
            logger.info("resuming an unfinished harvest: %s saved", responses)

    def _began(self, store: ResponseStore) -> float:
        """When the harvest began, in seconds since 1970."""
        return float(store.recall("began", repr(time.time())))

    def _max_age(self) -> float:
        """Seconds for which responses may be saved: the user's, within the museum's terms."""
        longest = self._crawler.settings.getfloat("RESUME_MAX_AGE")
        days = self._museum.policy.retention_days
        return min(longest, days * 86_400) if days else longest

    def _is_stale(self, saved: SavedResponse) -> bool:
        """Whether *saved* is from the future, or its record would soon have to be deleted."""
        age = datetime.now(UTC) - datetime.fromisoformat(saved.retrieved_at)
        days = self._museum.policy.retention_days
        allowed = timedelta(days=max(days - 1, days / 2)) if days else timedelta.max
        return not timedelta() <= age < allowed

    def _key(self, request: Request) -> str:
        """What *request* is for, the same for every variant in which it is retried."""
        key = request.meta.get("ledger_key")
        return key or self._crawler.request_fingerprinter.fingerprint(request).hex()

    def _fail(self, error: Exception) -> None:
        Census.of(self._crawler).stop(
            Verdict.UNDELIVERED, f"the ledger {self.harvest.ledger} cannot be used: {error}"
        )


def check_held(harvest: Harvest, run: str) -> None:
    """Raise :class:`UsageError` unless *run* of *harvest* is held back, its responses saved."""
    held = ""
    if harvest.ledger.exists():
        store = ResponseStore(harvest.ledger)
        held = store.recall(_HELD, "")
        store.close()
    if held != run:
        there = f"the run held back is {held}" if held else "no run of this harvest is held back"
        raise UsageError(f"accept={run}: {there}")


class LedgerMiddleware(Component):
    """Serves the responses that are saved, and saves those that were accepted."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._ledger = Ledger.of(crawler)

    def process_request(self, request: Request) -> Response | None:
        """The saved response to *request*; it costs neither network nor budget."""
        if request.meta.get("skip_ledger") or request.meta.get("retry_times"):
            return None
        if (saved := self._ledger.find(request)) is None:
            return None
        request.meta.update(retrieved_at=saved.retrieved_at, replayed=True)
        return saved.response_to(request)

    def process_response(self, request: Request, response: Response) -> Response:
        """Save what the retry middleware has accepted."""
        skip = request.meta.get("replayed") or request.meta.get("skip_ledger")
        if not skip and response.status == 200:
            self._ledger.save(request, response)
        return response
