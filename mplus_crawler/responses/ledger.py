"""The ledger: every accepted answer of an open harvest, on disk before it is read.

The same command again (spider, arguments, place) is answered from it, and goes on where it
ends. One file a harvest under ``HARVEST_STATE_DIR``; it is dropped once the harvest is over.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import IO, Self

import orjson
from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider
from scrapy.http import Response
from scrapy.settings import BaseSettings

from mplus_crawler.census import Census, Verdict
from mplus_crawler.errors import DeliveryError, HarvestError, UsageError
from mplus_crawler.museum.components import Component, Extension
from mplus_crawler.museum.contract import Museum
from mplus_crawler.storage.folders import state_folder
from mplus_crawler.storage.sqlite import connect, remove

logger = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS harvest (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answer (
    request TEXT PRIMARY KEY, url TEXT, retrieved_at TEXT, headers BLOB, body BLOB, sha256 TEXT);
"""


@dataclass(frozen=True, slots=True)
class Harvest:
    """What makes two commands the same harvest, and where its state is."""

    spider: str
    base_url: str
    arguments: Mapping[str, str]
    folder: Path

    @property
    def key(self) -> str:
        """A short name that is the same for the same harvest."""
        identity = orjson.dumps(
            [self.spider, self.base_url, dict(self.arguments)], option=orjson.OPT_SORT_KEYS
        )
        return f"{self.spider}-{hashlib.sha256(identity).hexdigest()[:12]}"

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.folder / f"{self.key}.ledger"

    @classmethod
    def of(cls, spider: Museum, settings: BaseSettings) -> Harvest:
        """The harvest that *spider* is about to do."""
        return cls(spider.name, spider.base_url, spider.arguments, state_folder(settings))


def fields_of(response: Response) -> dict[str, list[str]]:
    """The headers of *response*, each with its values."""
    return {
        name.decode("latin-1"): [value.decode("latin-1") for value in values]
        for name, values in response.headers.items()
    }


_claims: dict[Path, IO[str]] = {}


def claim(harvest: Harvest, job: str | None = None) -> None:
    """Make *harvest* this process's own until it ends; *job* is a scheduler's id of it.

    Raises :class:`UsageError` that names the process which has it already.
    """
    path = harvest.ledger.with_suffix(".lock")
    if path in _claims:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("a+", errors="surrogateescape")
    except OSError as error:
        raise DeliveryError(
            f"the state folder {path.parent} cannot be written ({error.strerror}); "
            "mend it, or name another with HARVEST_DIR or HARVEST_STATE_DIR"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        first = lock.read().strip() or "another process"
        lock.close()
        raise UsageError(f"this harvest is already under way: {first}; wait, or stop it") from None
    lock.truncate(0)
    name = f"job {job}, process {os.getpid()}" if job else f"process {os.getpid()}"
    lock.write(f"{name}, since {datetime.now().astimezone():%Y-%m-%d %H:%M:%S}")
    lock.flush()
    _claims[path] = lock


class Ledger(Extension):
    """Extension: holds the answers of this harvest; :class:`LedgerMiddleware` asks it."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._db: sqlite3.Connection | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """The ledger of *crawler*'s harvest."""
        ledger = cls(crawler)
        crawler.signals.connect(ledger.open, signals.spider_opened)
        return ledger

    @cached_property
    def harvest(self) -> Harvest:
        """What this crawl harvests."""
        return Harvest.of(Museum.of(self._crawler), self._crawler.settings)

    def open(self) -> None:
        """Take up an unfinished harvest, or begin a new one."""
        try:
            claim(self.harvest)
            self._take_up()
        except HarvestError as fault:
            Census.of(self._crawler).end(Verdict.UNDELIVERED, str(fault))
            raise CloseSpider("no_ledger") from None
        except (OSError, sqlite3.Error) as error:
            self._fail(error)
            raise CloseSpider("no_ledger") from None

    def find(self, request: Request) -> tuple[str, dict[bytes, list[bytes]], bytes] | None:
        """When *request* was answered, with which headers and body; ``None`` if it wasn't yet."""
        assert self._db is not None
        try:
            row = self._db.execute(
                "SELECT retrieved_at, headers, body, sha256 FROM answer WHERE request = ?",
                (self._key(request),),
            ).fetchone()
        except sqlite3.Error as error:
            self._fail(error)
            return None
        if row is None:
            return None
        retrieved_at, headers, body, checksum = row
        if self._stale(retrieved_at):
            return None
        if not isinstance(body, bytes) or hashlib.sha256(body).hexdigest() != checksum:
            Census.of(self._crawler).note("an answer in the ledger was damaged: asked again")
            return None
        fields = {
            name.encode("latin-1"): [value.encode("latin-1") for value in values]
            for name, values in orjson.loads(headers).items()
        }
        return retrieved_at, fields, body

    def keep(self, request: Request, response: Response) -> None:
        """Commit *response* before anybody reads it."""
        headers = fields_of(response)
        headers.pop("Set-Cookie", None)  # a session is not for a file
        body = response.body
        assert self._db is not None
        try:
            self._db.execute(
                "INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?, ?)",
                (
                    self._key(request),
                    request.url,
                    request.meta["retrieved_at"],
                    orjson.dumps(headers),
                    body,
                    hashlib.sha256(body).hexdigest(),
                ),
            )
        except sqlite3.Error as error:
            self._fail(error)

    def answers(self) -> Iterator[tuple[str, dict[str, list[str]], bytes]]:
        """Every answer that is held: its URL, headers and body."""
        assert self._db is not None
        for url, headers, body in self._db.execute("SELECT url, headers, body FROM answer"):
            yield url, orjson.loads(headers), body

    def recall(self, name: str, value: str) -> str:
        """The value that *name* had when the harvest began; *value* if it has just begun."""
        if self._db is None:
            return value
        try:
            self._db.execute("INSERT OR IGNORE INTO harvest VALUES (?, ?)", (name, value))
            row = self._db.execute("SELECT value FROM harvest WHERE name = ?", (name,)).fetchone()
            return str(row[0])
        except sqlite3.Error as error:
            self._fail(error)
            return value

    def close(self, *, over: bool) -> None:
        """Let go of the ledger; drop it if the harvest is *over*."""
        if self._db is not None:
            self._db.close()
            self._db = None
        if over:
            remove(self.harvest.ledger)

    def _take_up(self) -> None:
        path = self.harvest.ledger
        if Museum.of(self._crawler).fresh:
            remove(path)
        self._db = connect(path, _SCHEMA)
        began = float(self.recall("began", repr(time.time())))
        if time.time() - began > self._longest():
            logger.warning("the unfinished harvest is older than RESUME_MAX_AGE: starting afresh")
            self.close(over=True)
            self._db = connect(path, _SCHEMA)
            self.recall("began", repr(time.time()))
        elif held := self._held():
            logger.info("going on with an unfinished harvest: %d answers are in hand", held)

    def _longest(self) -> float:
        """Seconds for which answers may be held: the user's, but not beyond the museum's terms."""
        longest = self._crawler.settings.getfloat("RESUME_MAX_AGE")
        days = Museum.of(self._crawler).policy.retention_days
        return min(longest, days * 86_400) if days else longest

    def _stale(self, retrieved_at: str) -> bool:
        """Whether that is so long ago that the record would hardly be published before its date."""
        days = Museum.of(self._crawler).policy.retention_days
        age = datetime.now(UTC) - datetime.fromisoformat(retrieved_at)
        return bool(days) and age >= timedelta(days=max(days - 1, days / 2))

    def _held(self) -> int:
        assert self._db is not None
        return int(self._db.execute("SELECT count(*) FROM answer").fetchone()[0])

    def _key(self, request: Request) -> str:
        """What *request* asks for, however it has been varied to be asked again."""
        asked = request.meta.get("ledger_key")
        return asked or self._crawler.request_fingerprinter.fingerprint(request).hex()

    def _fail(self, error: Exception) -> None:
        Census.of(self._crawler).stop(
            Verdict.UNDELIVERED, f"the ledger {self.harvest.ledger} cannot be used: {error}"
        )


class LedgerMiddleware(Component):
    """Answers from the ledger what it holds, and commits what was accepted."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._ledger = Ledger.of(crawler)

    def process_request(self, request: Request) -> Response | None:
        """The answer that is held for *request*; it costs neither network nor budget."""
        if request.meta.get("skip_ledger") or request.meta.get("retry_times"):
            return None
        if (held := self._ledger.find(request)) is None:
            return None
        request.meta["retrieved_at"], headers, body = held
        request.meta["replayed"] = True
        return Response(request.url, headers=headers, body=body, request=request)

    def process_response(self, request: Request, response: Response) -> Response:
        """Keep what the retry middleware has accepted."""
        kept = request.meta.get("replayed") or request.meta.get("skip_ledger")
        if not kept and response.status == 200:
            self._ledger.keep(request, response)
        return response
