"""What there is of content with a term, and when each piece of it is due."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from scrapy.settings import BaseSettings

from mplus_crawler.feeds.retention.contents import examine, moment
from mplus_crawler.feeds.retention.names import Name, read_name
from mplus_crawler.feeds.retention.places import File, Place, S3Object, Seen
from mplus_crawler.feeds.retention.register import STREAM, Entry, Register, absolute
from mplus_crawler.feeds.retention.terms import Term
from mplus_crawler.storage.folders import in_s3, state_folder

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_FEEDS = (".jsonl", ".jsonlines", ".jl", ".json", ".csv", ".xml", ".part")
# Where a file of another name is looked at for a column that all of ours have.
_PEEK, _COLUMN = 1 << 20, b"expires_at"
_CERTIFICATE = ".certificate.json"
# Anybody may call a file so; what is in it says whose it is.
_TOLD_BY_ROWS = ("snapshot", "incomplete", "feed")


@dataclass(frozen=True, slots=True)
class Holding:
    """Content of *spider* in a place: what *kind* of file, retrieved *since* when, *due* when.

    *entry* is what the register says of it, *harvest* what may be at work with it, *fault* why
    it cannot be reached.
    """

    place: Place
    spider: str
    kind: str
    since: datetime
    term: Term
    entry: Entry | None = None
    harvest: str = ""
    fault: str = ""

    @property
    def due(self) -> datetime:
        """When it must be refreshed or gone."""
        return self.since + self.term.keep if self.since > _LONG_AGO else self.since

    @property
    def is_stream(self) -> bool:
        """Whether it went to standard output."""
        return self.place.uri.startswith(STREAM)

    @property
    def by_name(self) -> bool:
        """Whether its name alone says that it is ours: nobody else's file is called so."""
        return self.kind not in _TOLD_BY_ROWS


class Search:
    """Looks for holdings in the register, in ``HARVEST_DIR`` and in the state folder.

    What is not where the *register* says is struck from it. :attr:`blind` says why
    ``HARVEST_DIR`` could not be looked into, if it could not.
    """

    def __init__(self, settings: BaseSettings, terms: dict[str, Term], register: Register) -> None:
        self._settings = settings
        self._terms = terms
        self._register = register
        self._state = state_folder(settings)
        self._faults: dict[str, str] = {}
        self._bucket = cache(self._open_bucket)
        self._certified: list[Entry] = []
        self.blind = ""

    def holdings(self) -> Iterator[Holding]:
        """All there are, each once."""
        seen: set[str] = set()
        for found in self._all():
            if found.place.uri not in seen:
                seen.add(found.place.uri)
                yield found

    def _all(self) -> Iterator[Holding]:
        for entry in list(self._register.entries.values()):
            if entry.spider in self._terms:
                yield from self._registered(entry)
        yield from self._in_folders()
        yield from self._in_bucket()
        for entry in self._certified:
            yield from self._registered(entry)

    def _registered(self, entry: Entry) -> Iterator[Holding]:
        term, place = self._terms[entry.spider], self._place(entry.uri, entry.mount)
        name = read_name(entry.uri.rpartition("/")[2], self._terms)
        kind, harvest = (name.kind, name.harvest) if name else ("feed", "")
        if entry.uri.endswith(_CERTIFICATE):
            kind = "certificate"
        if entry.uri.startswith(STREAM):
            yield Holding(place, entry.spider, "stream", entry.since, term, entry)
            return
        try:
            if (there := self._look(place)) is None:
                self._register.strike(entry.uri)
                return
            since = self._since(place, there, entry, kind)
        except OSError as error:
            fault = _told(error)
            yield Holding(place, entry.spider, kind, entry.since, term, entry, harvest, fault)
            return
        yield Holding(place, entry.spider, kind, since, term, entry, harvest)

    def _since(self, place: Place, there: Seen, entry: Entry, kind: str) -> datetime:
        """The register's word, where the file is as it was written; else the file's own."""
        if kind == "certificate":
            return min(entry.since, _began(self._read_certificate(place)) or entry.since)
        if there.bytes == entry.bytes and entry.modified in (0, there.modified):
            return entry.since
        with place.open() as file:
            term = self._terms[entry.spider]
            since = examine(file, term, rejected=kind == "rejected").oldest or entry.since
        written = datetime.fromtimestamp(there.modified / 1e9, UTC)
        return min(since, written) if 0 < there.modified < entry.modified else since

    def _in_folders(self) -> Iterator[Holding]:
        folders = [self._state]
        if not in_s3(self._settings["HARVEST_DIR"]):
            folders.append(Path(self._settings["HARVEST_DIR"]))
        for top in folders:
            for folder, _, files in os.walk(top.resolve()):
                for file in sorted(files):
                    yield from self._file(Path(folder) / file)

    def _file(self, path: Path) -> Iterator[Holding]:
        name = read_name(path.name, self._terms)
        place = File(str(path))
        with suppress(OSError):  # gone meanwhile, or not for us to read
            if (there := place.look()) is None:
                return
            if name is not None:
                yield from self._named(place, there, name)
            elif path.name.endswith(_CERTIFICATE):
                yield from self._job(place)
            elif path.suffix in _FEEDS:
                yield from self._unnamed(place)

    def _named(self, place: Place, there: Seen, name: Name) -> Iterator[Holding]:
        term = self._terms[name.spider]
        since = datetime.fromtimestamp(there.modified / 1e9, UTC) if there.modified else _LONG_AGO
        if name.kind == "ledger":
            since = _ledger_since(Path(place.uri))
        elif name.kind == "certificate":
            since = _began(self._read_certificate(place)) or since
        else:
            with place.open() as file:
                rejected = name.kind == "rejected" or ".rejected." in place.uri
                contents = examine(file, term, rejected=rejected)
            if contents.oldest is None and name.kind in _TOLD_BY_ROWS:
                return
            since = contents.oldest or since
        yield Holding(place, name.spider, name.kind, since, term, harvest=name.harvest)

    def _job(self, place: Place) -> Iterator[Holding]:
        """A certificate that bears the name of a scheduler's job."""
        certificate = self._read_certificate(place)
        spider, since = certificate.get("spider"), _began(certificate)
        if spider in self._terms and since:
            yield Holding(place, spider, "certificate", since, self._terms[spider])

    def _unnamed(self, place: File) -> Iterator[Holding]:
        """A file of any name, if it has rows of a museum's."""
        with place.open() as file:
            if _COLUMN not in file.read(_PEEK):
                return
        for term, spider in {term: spider for spider, term in self._terms.items()}.items():
            with place.open() as file:
                contents = examine(file, term)
            if contents.oldest:
                yield Holding(place, spider, "feed", contents.oldest, term)
                return

    def _in_bucket(self) -> Iterator[Holding]:
        place = self._settings["HARVEST_DIR"].rstrip("/")
        if not in_s3(place):
            return
        try:
            bucket = self._bucket(place)
            found = bucket.names()
        except OSError as error:
            self.blind = f"cannot be looked into: {_told(error)}"
            return
        for name in found:
            if known := read_name(name, self._terms):
                there = self._place(bucket.uri(name))
                if there.uri not in self._register.entries:
                    yield from self._named(there, there.look() or Seen(0), known)

    def _read_certificate(self, place: Place) -> dict[str, Any]:
        """The certificate; feeds that it names, and the register does not, are looked for, too."""
        try:
            with place.open() as file:
                certificate = orjson.loads(file.read())
            spider, feeds = certificate["spider"], certificate["feeds"]
            if _began(certificate) is None:
                return {}
            for feed in feeds if spider in self._terms else []:
                uri = absolute(feed["uri"])
                if uri not in self._register.entries and "sha256" in feed:
                    began, digest = certificate["started_at"], str(feed["sha256"])
                    entry = Entry(uri, spider, began, int(feed["bytes"]), digest)
                    self._certified.append(entry)
        except (ValueError, KeyError, TypeError, AttributeError, OSError):
            return {}
        return dict(certificate)

    def _look(self, place: Place) -> Seen | None:
        """What is there; a bucket that does not answer is asked once."""
        bucket = "/".join(place.uri.split("/")[:3]) if in_s3(place.uri) else ""
        if bucket in self._faults:
            raise OSError(self._faults[bucket])
        try:
            return place.look()
        except OSError as error:
            if bucket:
                self._faults[bucket] = _told(error)
            raise

    def _place(self, uri: str, mount: str = "") -> Place:
        return S3Object(uri, self._bucket) if in_s3(uri) else File(uri, mount)

    def _open_bucket(self, prefix: str) -> Any:
        from mplus_crawler.storage.s3 import Bucket  # boto3 is slow to import, and an extra

        return Bucket(prefix, self._state)


def _ledger_since(path: Path) -> datetime:
    """When the harvest of a ledger, or of what SQLite has beside one, began.

    One that does not tell is as old as can be: it is of no use to a harvest either.
    """
    main = str(path).removesuffix("-wal").removesuffix("-shm")
    how = "mode=ro" if Path(f"{main}-wal").exists() else "mode=ro&immutable=1"
    with suppress(sqlite3.Error, ValueError, TypeError, OSError, OverflowError):
        with closing(sqlite3.connect(f"{Path(main).absolute().as_uri()}?{how}", uri=True)) as db:
            row = db.execute("SELECT value FROM harvest WHERE name = 'began'").fetchone()
        return datetime.fromtimestamp(float(row[0]), UTC)
    return _LONG_AGO


def _began(certificate: dict[str, Any]) -> datetime | None:
    return moment(certificate.get("started_at"))


def _told(error: BaseException) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split())
