"""Expiring content: where each file is, and when it is due."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from scrapy.settings import BaseSettings

from mplus_crawler.feeds.names import CERTIFICATE, REJECTED, RUNS
from mplus_crawler.feeds.retention.contents import examine, moment
from mplus_crawler.feeds.retention.names import Name, read_name
from mplus_crawler.feeds.retention.register import STREAM, Entry, Register, absolute
from mplus_crawler.feeds.retention.terms import Term
from mplus_crawler.storage.destination import Destination, destination, locate
from mplus_crawler.storage.folders import in_s3, state_folder

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_CLOCKS_DIFFER = timedelta(days=1)
# Other files may have these names; their rows show which museum they are from.
_BY_ROWS = ("snapshot", "feed")


@dataclass(frozen=True, slots=True)
class Holding:
    """Content of *spider* at *uri*: its *kind* of file, and the oldest of it, retrieved *since*.

    *entry* is its entry in the register, *lock* the lock file of a harvest that uses it, *fault*
    why it cannot be reached.
    """

    uri: str
    spider: str
    kind: str
    since: datetime
    term: Term
    entry: Entry | None = None
    lock: str = ""
    fault: str = ""

    @property
    def due(self) -> datetime:
        """When it must be refreshed or deleted."""
        return self.since + self.term.keep if self.since > _LONG_AGO else self.since

    @property
    def by_name(self) -> bool:
        """Whether its name alone shows that it belongs to a harvest."""
        return self.kind not in _BY_ROWS


class Search:
    """Finds holdings in the *register*, in ``HARVEST_DIR`` and in the state folder.

    A file that has left its place is removed from the register. Content from the future, later than
    both *at* and now, counts as overdue. :attr:`blind` says why ``HARVEST_DIR`` could not be
    listed, if it could not.
    """

    def __init__(
        self, settings: BaseSettings, terms: dict[str, Term], register: Register, at: datetime
    ) -> None:
        self._settings = settings
        self._terms = terms
        self._register = register
        self._state = state_folder(settings)
        self._latest = max(at, datetime.now(UTC)) + _CLOCKS_DIFFER
        self._unreachable: dict[str, str] = {}
        self.blind = ""

    def holdings(self) -> list[Holding]:
        """Return all holdings, the first due first."""
        listed = [*self._in_folders(), *self._in_bucket()]
        for uri in listed:
            if uri.endswith(CERTIFICATE):
                self._register_feeds(uri)
        self._register.complete()
        entries = [
            entry for entry in self._register.entries.values() if entry.spider in self._terms
        ]
        found = {entry.uri: self._registered(entry) for entry in entries}
        for uri in listed:
            if uri not in found:
                found[uri] = self._unregistered(uri)
        holdings = [self._dated(holding) for holding in found.values() if holding is not None]
        return sorted(holdings, key=lambda holding: (holding.due, holding.uri))

    def _dated(self, holding: Holding) -> Holding:
        return replace(holding, since=_LONG_AGO) if holding.since > self._latest else holding

    def _registered(self, entry: Entry) -> Holding | None:
        base = entry.uri.rpartition("/")[2]
        name = read_name(base, self._terms) or Name(entry.spider, "feed")
        if base.endswith(CERTIFICATE):
            name = Name(entry.spider, "certificate")
        term = self._terms[entry.spider]
        holding = Holding(entry.uri, entry.spider, name.kind, entry.since, term, entry, name.lock)
        if entry.uri.startswith(STREAM):
            return replace(holding, kind="stream")
        try:
            place, base = self._locate(entry.uri)
            if (there := place.look(base)) is None:
                self._register.strike(entry.uri)
                return None
            if there.bytes == entry.bytes:
                return holding
            return replace(holding, since=_since(place, base, name, term) or entry.since)
        except OSError as error:
            return replace(holding, fault=self._failed(entry.uri, error))

    def _unregistered(self, uri: str) -> Holding | None:
        """Return the holding of a file by its name and, where that is ambiguous, its rows."""
        base = uri.rpartition("/")[2]
        name = read_name(base, self._terms)
        if base.endswith(CERTIFICATE):
            spider = self._certificate(uri).get("spider")
            name = Name(spider, "certificate") if spider in self._terms else None
        if name is None:
            return None
        if not name.spider:
            names = (replace(name, spider=spider, kind="feed") for spider in self._terms)
            return next(filter(None, (self._named(uri, each) for each in names)), None)
        return self._named(uri, name)

    def _named(self, uri: str, name: Name) -> Holding | None:
        term = self._terms[name.spider]
        with suppress(OSError):  # removed meanwhile, or not readable for this user
            place, base = self._locate(uri)
            if there := place.look(base):
                since = _since(place, base, name, term)
                if since or name.kind not in _BY_ROWS:
                    since = since or there.modified
                    return Holding(uri, name.spider, name.kind, since, term, lock=name.lock)
        return None

    def _register_feeds(self, uri: str) -> None:
        """Register the feeds of a certificate that are missing from the register.

        These are the feeds beside the certificate, since a copied certificate has the paths of the
        original. Feeds elsewhere are registered only if the register has them, perhaps by a name
        that is now a link, or if the register was lost.
        """
        certificate = self._certificate(uri)
        if certificate.get("spider") not in self._terms:
            return
        with suppress(KeyError, TypeError, ValueError):
            spider, since = certificate["spider"], certificate["started_at"]
            if moment(since) is None:
                return
            files = [*certificate["feeds"], *filter(None, [certificate.get("rejects")])]
            for file in files:
                place, size = absolute(file["uri"]), int(file["bytes"])
                beside = f"{uri.rpartition('/')[0]}/{place.rpartition('/')[2]}"
                known = self._register.is_lost or file["uri"] in self._register.entries
                for each in {beside, place} if known else {beside}:
                    self._add(Entry(each, spider, since, size, file["sha256"]))
                    if each.endswith(REJECTED):  # a certificate stands beside it
                        self._add(Entry(each.removesuffix(REJECTED) + CERTIFICATE, spider, since))

    def _add(self, entry: Entry) -> None:
        """Enter *entry* unless the register has one of that place."""
        if entry.uri not in self._register.entries:
            self._register.add(entry)

    def _certificate(self, uri: str) -> dict[str, Any]:
        with suppress(ValueError, OSError):
            place, base = self._locate(uri)
            found = orjson.loads(place.read(base) or b"")
            return found if isinstance(found, dict) else {}
        return {}

    def _in_folders(self) -> Iterator[str]:
        folders = [self._state]
        if not in_s3(self._settings["HARVEST_DIR"]):
            folders.append(Path(self._settings["HARVEST_DIR"]))
        for top in folders:
            for folder, _, files in os.walk(top.resolve()):
                yield from (f"{folder}/{file}" for file in sorted(files))

    def _in_bucket(self) -> list[str]:
        if not in_s3(self._settings["HARVEST_DIR"]):
            return []
        try:
            bucket = destination(self._settings)
            folders = (bucket, bucket.below(RUNS))
            return [folder.uri(name) for folder in folders for name in folder.names()]
        except OSError as error:
            self.blind = f"cannot be listed: {self._failed(self._settings['HARVEST_DIR'], error)}"
            return []

    def _locate(self, uri: str) -> tuple[Destination, str]:
        """Return the place and the name of *uri*; an unreachable bucket is tried once."""
        if fault := self._unreachable.get(_bucket(uri)):
            raise OSError(fault)
        return locate(uri, self._state)

    def _failed(self, uri: str, error: OSError) -> str:
        fault = " ".join(str(error.strerror or error).split())
        if bucket := _bucket(uri):
            self._unreachable[bucket] = fault
        return fault


def _bucket(uri: str) -> str:
    return "/".join(uri.split("/")[:3]) if in_s3(uri) else ""


def _since(place: Destination, base: str, name: Name, term: Term) -> datetime | None:
    """Return when the oldest content was retrieved, by the file's rows; may raise OSError."""
    if name.kind == "ledger":
        return _ledger_since(Path(place.uri(base)))
    if name.kind == "certificate":
        with suppress(ValueError, AttributeError):
            return moment(orjson.loads(place.read(base) or b"").get("started_at"))
        return None
    with place.open(base) as file:
        return examine(file, term, rejected=".rejected." in base).oldest


def _ledger_since(path: Path) -> datetime:
    """When the harvest of a ledger, or of SQLite's files beside one, began.

    Without a start it is due at once, since no harvest can use it.
    """
    main = str(path).removesuffix("-wal").removesuffix("-shm")
    how = "mode=ro" if Path(f"{main}-wal").exists() else "mode=ro&immutable=1"
    with suppress(sqlite3.Error, ValueError, TypeError, OSError, OverflowError):
        with closing(sqlite3.connect(f"{Path(main).absolute().as_uri()}?{how}", uri=True)) as db:
            row = db.execute("SELECT value FROM harvest WHERE name = 'began'").fetchone()
        return datetime.fromtimestamp(float(row[0]), UTC)
    return _LONG_AGO
