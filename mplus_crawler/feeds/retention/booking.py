"""Registers the files of a harvest, each before it gets its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from scrapy.crawler import Crawler
from scrapy.settings import BaseSettings

from mplus_crawler.feeds.retention.contents import examine
from mplus_crawler.feeds.retention.register import (
    STREAM,
    Entry,
    Register,
    absolute,
)
from mplus_crawler.feeds.retention.terms import Term
from mplus_crawler.museum.contract import Museum
from mplus_crawler.records.batch import stamp
from mplus_crawler.responses.ledger import Ledger
from mplus_crawler.storage.folders import state_folder
from mplus_crawler.storage.staging import StagedFile

_CLOCKS_DIFFER = timedelta(days=1)  # the age of a record dated later than this is unknown


class Booking:
    """Registers the files of one harvest; does nothing if the museum sets no term.

    Every method raises OSError if the register cannot be written.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._oldest: str | None = None

    def hold(self, retrieved_at: str) -> None:
        """Note that the harvest has records retrieved at that time."""
        self._oldest = min(retrieved_at, self._oldest or retrieved_at)

    @property
    def overdue(self) -> bool:
        """Whether records of this harvest are overdue before they are published."""
        if self._oldest is None or (term := self._term()) is None:
            return False
        age = datetime.now(UTC) - datetime.fromisoformat(self._oldest)
        return not -_CLOCKS_DIFFER < age < term.keep

    def staged(self, file: StagedFile) -> None:
        """Register the hidden file of *file*, and its hidden object in S3."""
        if (term := self._term()) is None:
            return
        with self._register().opened() as register:
            since = self._since(file, register, term)
            for uri in _meanwhile(file):
                register.add(self._entry(uri, since))

    @contextmanager
    def naming(self, file: StagedFile, target: Path) -> Iterator[None]:
        """Register *file* as *target*, the name that it gets inside the block."""
        if (term := self._term()) is None:
            yield
            return
        with self._register().opened() as register:
            uri = _uri(file, target)
            entry = replace(
                self._entry(uri, self._since(file, register, term)),
                bytes=file.bytes,
                # It may also have content of other museums.
                sha256="" if file.former else file.sha256,
            )
            former = register.entries.get(uri, entry)
            # Until the renaming, the former file is there, with its age.
            older = min(entry, former, key=lambda one: one.since)
            register.add(replace(entry, retrieved_at=older.retrieved_at))
            register.save()
            yield
            register.add(entry)
            for part in _meanwhile(file):
                register.strike(part)

    def kept(self, file: StagedFile) -> None:
        """Register undelivered content where it is kept."""
        if (term := self._term()) is None:
            return
        with self._register().opened() as register:
            entry = self._entry(absolute(file.place), self._since(file, register, term))
            register.add(replace(entry, bytes=file.bytes, sha256=file.sha256))
            for part in _meanwhile(file):
                register.strike(part)

    def streamed(self, run: str) -> None:
        """Register that *run* has written to standard output, which cannot be deleted from here."""
        if self._term() is not None:
            with self._register().opened() as register:
                register.add(self._entry(f"{STREAM} {run}"))

    def _term(self) -> Term | None:
        policy = Museum.of(self._crawler).policy
        days = policy.retention_days
        return Term(policy.name, timedelta(days=days)) if days else None

    def _register(self) -> Register:
        return Register(state_folder(self._crawler.settings))

    def _entry(self, uri: str, since: str | None = None) -> Entry:
        spider = Museum.of(self._crawler).name
        return Entry(uri, spider, since or self._began())

    def _since(self, file: StagedFile, register: Register, term: Term) -> str:
        """Return when the oldest content of *file* was retrieved, former content included."""
        since = self._oldest or self._began()
        if not file.former:
            return since
        if known := register.entries.get(_uri(file, file.target)):
            return min(since, known.retrieved_at)
        with file.target.open("rb") as content:
            oldest = examine(content, term).oldest
        return min(since, stamp(oldest)) if oldest else since

    def _began(self) -> str:
        """Return the start of the harvest: nothing in it is older."""
        return Ledger.of(self._crawler).recall("started_at", stamp(datetime.now(UTC)))


def book_certificate(settings: BaseSettings, uri: str, certificate: Mapping[str, Any]) -> None:
    """Register *certificate*, which will be at *uri* and may name ids. Raises OSError."""
    if certificate.get("policy", {}).get("retention_days"):
        with Register(state_folder(settings)).opened() as register:
            uri = absolute(uri)
            register.add(Entry(uri, certificate["spider"], certificate["started_at"]))


def _uri(file: StagedFile, target: Path) -> str:
    return absolute(file.uri(target))


def _meanwhile(file: StagedFile) -> set[str]:
    """Return where *file* is until it gets its name: for an object, here and in its bucket."""
    return {absolute(str(file.part)), _uri(file, file.part)}
