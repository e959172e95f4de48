"""M+'s published data set: files on GitHub or on disk, without API and key."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import urljoin, urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from mplus_crawler.errors import InvalidResponseError, counted
from mplus_crawler.museum.policies.policy import Policy
from mplus_crawler.protocols.archive import ArchiveError, Member, is_archive, listed_ids, members
from mplus_crawler.protocols.provenance import UNKNOWN, Origin, origin_of
from mplus_crawler.protocols.source import SourceRecord, parse
from mplus_crawler.records.batch import Loss, Records, stamp
from mplus_crawler.spiders.arguments import Parser, text, whole
from mplus_crawler.spiders.base import MuseumSpider
from mplus_crawler.spiders.mplus.tms import COLUMNS, Credit, Names, split_languages
from mplus_crawler.spiders.mplus.tms.published import name_of
from mplus_crawler.wire.addresses import is_loopback, origin
from mplus_crawler.wire.resolver import trust

# Records in an item.
_BATCH = 100
# Missing records named in the reason; the rejected file names all.
_NAMED = 10
# Bytes and seconds of a download; the archive has ten million bytes.
_LARGEST_ARCHIVE = 256 * 1024**2
_LONGEST_DOWNLOAD = 900


class PublishedSpider(MuseumSpider):
    """One folder of the data set, from the argument ``source``: a path or a URL.

    Subclasses name the :attr:`folder`.
    """

    museum = "mplus_open"
    selects_nothing = frozenset({"source"})
    absence_proves_deletion = True
    folder: ClassVar[str]
    source: str
    credit: Credit
    origin: Origin = UNKNOWN
    names: Names

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Return the spider, with its source."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        dataset = spider.policy.dataset
        assert dataset is not None, "the policy names no data set"
        spider.source = spider.arguments.get("source") or urljoin(spider.base_url, dataset.archive)
        trust(spider.source)
        spider.credit = Credit.of(spider.policy)
        spider.names = {}
        return spider

    @classmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """Return ``source``, and ``limit`` for the first records only."""
        return {"source": _place, "limit": whole(1)}

    @classmethod
    def base(cls, settings: BaseSettings, policy: Policy) -> str:
        """Where the data set is published."""
        return policy.base_url

    def allows(self, url: str) -> bool:
        """Whether *url* has the origin of the source, or one to which the publisher redirects."""
        places = [self.source]
        if origin(self.source) == origin(self.base_url) and self.policy.dataset:
            places += self.policy.dataset.redirects
        return origin(url) in map(origin, places)

    async def start(self) -> AsyncIterator[Any]:
        """Read the data set, or request it first."""
        if is_url(self.source):
            yield Request(
                self.source,
                errback=self.request_failed,
                meta={
                    "skip_ledger": True,
                    "download_maxsize": _LARGEST_ARCHIVE,
                    "download_timeout": _LONGEST_DOWNLOAD,
                },
                dont_filter=True,
            )
            return
        for item in self.records(Path(self.source)):
            yield item

    def accept(self, request: Request, response: Response) -> None:
        """Write the archive to a temporary file; raise InvalidResponseError if it is not one."""
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(response.body)
        if not is_archive(Path(file.name)):
            Path(file.name).unlink()
            raise InvalidResponseError("the response is not an archive")
        request.cb_kwargs["archive"] = Path(file.name)

    def parse(self, response: Response, archive: Path) -> Iterator[Records | Loss]:
        """Yield the records of the downloaded archive."""
        try:
            yield from self.records(archive)
        finally:
            archive.unlink()

    def request_failed(self, failure: Failure) -> None:
        """Report that the archive could not be downloaded."""
        reason = failure.getErrorMessage()
        self.census.lost_page(f"the archive {self.source}: {reason}")

    def records(self, place: Path) -> Iterator[Records | Loss]:
        """Yield all records in *place*, in batches, and losses for those that cannot be read."""
        self.census.limit_to(self.limit)
        self.origin = origin_of(place)
        self.prepare(place)
        # Of several files with one name the last counts, as when unpacking.
        every = self.files(place, self.folder, contents=False)
        last = {file.name: n for n, file in enumerate(every)}
        missing = self.missing(place, last)
        self.census.total(len(last) + len(missing or ()))
        self.census.read_at_once()
        self.census.expect_pages(-(-(self.census.expected or 0) // _BATCH))
        files = enumerate(self.files(place, self.folder))
        yield from self.batches(file for n, file in files if last.get(file.name, n) == n)
        if not last:
            self.census.problem(f"{self.source} has no {self.folder}")
        for id_ in missing or ():
            yield Loss(id_, "unreadable", "the data set lists it, but has no file for it")

    def files(self, place: Path, folder: str, *, contents: bool = True) -> Iterator[Member]:
        """Yield the files of *folder* in *place* that can be read."""
        try:
            yield from members(place, folder, contents=contents)
        except ArchiveError as error:
            self.census.problem(f"{self.source} {error}")

    def missing(self, place: Path, names: Iterable[str]) -> list[str] | None:
        """Return the ids that the data set lists without a file among *names*.

        None if there is no list, or if ``limit`` selects a part.
        """
        try:
            listed = listed_ids(place, self.folder)
        except ArchiveError as error:
            self.census.problem(f"{self.source} {error}")
            return None
        if listed is None or self.limit is not None:
            return None
        missing = sorted(listed - {*map(_id, names)}, key=lambda id_: (len(id_), id_))
        if missing:
            some = ", ".join(missing[:_NAMED]) + (", …" if len(missing) > _NAMED else "")
            lost = counted(len(missing), "listed record has", "listed records have")
            self.census.problem(f"{lost} no file in {self.folder}: {some}")
        return missing

    def batches(self, files: Iterator[Member]) -> Iterator[Records | Loss]:
        """Yield the records in *files*, up to ``limit``."""
        first = islice(files, self.limit)
        while batch := list(islice(first, _BATCH)):
            self.census.page(replayed=False)
            records = Records(stamp(datetime.now(UTC)), [])
            for member in batch:
                try:
                    records.members.append((_id(member.name), _record(member)))
                except ValueError as error:
                    yield Loss(_id(member.name), "unreadable", str(error))
            yield records

    def certified(self) -> dict[str, Any]:
        """Return the commit from which the archive was made, as the archive itself names it."""
        return {"origin": self.origin}

    def prepare(self, place: Path) -> None:
        """Read what is needed before the first record."""

    def columns(self, record: Any, known_id: str | None) -> dict[str, Any]:
        """Return the columns of a record; if it repeats a name, its id is that of the file."""
        columns = COLUMNS[self.kind](split_languages(record, self.names), self.credit)
        return {**columns, "id": known_id} if record.repeated else columns


class OpenObjectsSpider(PublishedSpider):
    """Objects of M+'s published data set."""

    name = "mplus_open_objects"
    kind = "mplus_object"
    folder = "objects_JSON"

    def prepare(self, place: Path) -> None:
        """Read the names of constituents, since objects hold their ids only."""
        for member in self.files(place, OpenConstituentsSpider.folder):
            try:
                record = _record(member)
            except ValueError:
                continue  # reported by the spider of constituents
            if isinstance(record.get("id"), int):
                self.names[record["id"]] = name_of(record)


class OpenConstituentsSpider(PublishedSpider):
    """Constituents of M+'s published data set."""

    name = "mplus_open_constituents"
    kind = "mplus_constituent"
    folder = "constituents_JSON"


def is_url(source: str) -> bool:
    """Whether *source* is a URL rather than a path."""
    return urlsplit(source).scheme in ("http", "https")


def _place(value: str) -> str:
    """An existing folder or archive, or a URL."""
    if is_url(value):
        split = urlsplit(value)
        if split.scheme == "http" and not is_loopback(split.hostname or ""):
            raise ValueError("write https:// (http is for loopback only)")
        return value
    if not Path(text(value)).exists():
        raise ValueError("there is no such file or folder")
    if not is_archive(Path(value)):
        raise ValueError("it is not a folder, tar or zip")
    return value


def _record(member: Member) -> SourceRecord:
    """Return the record in *member*; raise ValueError with the file's name if it has none."""
    name = _printable(member.name)
    if member.content is None:
        raise ValueError(f"{name} {member.trouble}")
    try:
        record = parse(member.content)
    except ValueError as error:
        raise ValueError(f"{name} is not JSON: {error}") from None
    if not isinstance(record, SourceRecord):
        raise ValueError(f"{name} has no record")
    return record


def _id(name: str) -> str:
    """Return the id in the file *name*."""
    stem = _printable(Path(name).stem)
    return stem.lstrip("0") or stem


def _printable(name: str) -> str:
    """Return *name* in valid UTF-8; names in folders and archives may have other bytes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
