"""The published data set: files on GitHub or on disk, no API call and no key."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import urljoin, urlsplit

import orjson
from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from mplus_crawler.census import Census
from mplus_crawler.errors import InvalidResponseError
from mplus_crawler.policies.policy import Policy
from mplus_crawler.protocols.archive import ArchiveError, Member, is_archive, members
from mplus_crawler.protocols.provenance import UNKNOWN, Origin, origin_of
from mplus_crawler.records.batch import Loss, Records, stamp
from mplus_crawler.spiders.arguments import Parser, text, whole
from mplus_crawler.spiders.base import MuseumSpider
from mplus_crawler.spiders.mplus.tms import COLUMNS, Credit, Names, split_languages
from mplus_crawler.spiders.mplus.tms.published import name_of
from mplus_crawler.wire.addresses import is_loopback, origin
from mplus_crawler.wire.resolver import trust

# So many records make an item.
_BATCH = 100
# Bytes and seconds of a download; the archive has some ten million bytes.
_LARGEST_ARCHIVE = 256 * 1024**2
_LONGEST_DOWNLOAD = 900


class PublishedSpider(MuseumSpider):
    """One folder of the data set, from wherever ``source`` says: a path or an address."""

    museum = "mplus_open"
    folder: ClassVar[str]
    source: str
    credit: Credit
    origin: Origin = UNKNOWN
    names: Names

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """The spider, with the place that it reads."""
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
        """``source``, and ``limit`` for the first records only."""
        return {"source": _place, "limit": whole(1)}

    @classmethod
    def base(cls, settings: BaseSettings, policy: Policy) -> str:
        """Where the data set is published."""
        return policy.base_url

    def allows(self, url: str) -> bool:
        """The source's own origin, and where the publisher's is known to send on to."""
        places = [self.source]
        if origin(self.source) == origin(self.base_url) and self.policy.dataset:
            places += self.policy.dataset.redirects
        return origin(url) in map(origin, places)

    async def start(self) -> AsyncIterator[Any]:
        """Read the data set, or ask for it first."""
        if is_url(self.source):
            yield Request(
                self.source,
                errback=self.lost,
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
        """Put the archive into a file of its own; raise InvalidResponseError where it is none."""
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(response.body)
        if not is_archive(Path(file.name)):
            Path(file.name).unlink()
            raise InvalidResponseError("the answer is no archive")
        request.cb_kwargs["archive"] = Path(file.name)

    def parse(self, response: Response, archive: Path) -> Iterator[Records | Loss]:
        """The records of the archive that has come."""
        try:
            yield from self.records(archive)
        finally:
            archive.unlink()

    def lost(self, failure: Failure) -> None:
        """The archive cannot be had."""
        reason = failure.getErrorMessage()
        Census.of(self.crawler).lost_page(f"the archive {self.source}: {reason}")

    def records(self, place: Path) -> Iterator[Records | Loss]:
        """All records in *place*, a batch at a time, and what is wrong with the others."""
        census = Census.of(self.crawler)
        limit = self.arguments.get("limit")
        census.limit_to(int(limit) if limit else None)
        self.origin = origin_of(place)
        self.prepare(place)
        # A name that is there again stands for the file that was put in last, as in unpacking.
        last = {file.name: n for n, file in enumerate(self.files(place, self.folder))}
        census.total(len(last))
        census.expect_pages(-(-(census.expected or 0) // _BATCH))
        files = enumerate(self.files(place, self.folder))
        yield from self.batches(file for n, file in files if last.get(file.name, n) == n)
        if not last:
            census.problem(f"{self.source} holds no {self.folder}")

    def files(self, place: Path, folder: str) -> Iterator[Member]:
        """The files of *folder* in *place*, as far as it can be read."""
        try:
            yield from members(place, folder)
        except ArchiveError as damage:
            Census.of(self.crawler).problem(f"{self.source} {damage}")

    def batches(self, files: Iterator[Member]) -> Iterator[Records | Loss]:
        """The records in *files*, as far as ``limit`` goes."""
        census = Census.of(self.crawler)
        wanted = islice(files, census.limit)
        while batch := list(islice(wanted, _BATCH)):
            census.page(replayed=False)
            records = Records(stamp(datetime.now(UTC)), [])
            for member in batch:
                try:
                    records.members.append((None, _record(member)))
                except ValueError as error:
                    id_ = _printable(Path(member.name).stem)
                    yield Loss(id_.lstrip("0") or id_, "unreadable", str(error))
            yield records

    def certified(self) -> dict[str, Any]:
        """Return the commit that the archive was made of, as the archive itself names it."""
        return {"origin": self.origin}

    def prepare(self, place: Path) -> None:
        """What has to be known before the first record is read."""

    def columns(self, record: Any, known_id: str | None) -> dict[str, Any]:
        """The columns of a record of the data set."""
        return COLUMNS[self.kind](split_languages(record, self.names), self.credit)


class OpenObjectsSpider(PublishedSpider):
    """Objects of M+'s published data set."""

    name = "mplus_open_objects"
    kind = "mplus_object"
    folder = "objects_JSON"

    def certified(self) -> dict[str, Any]:
        """Return the commit that the archive was made of, as the archive itself names it."""
        return {"origin": self.origin}

    def prepare(self, place: Path) -> None:
        """Objects name their constituents by number: learn the names."""
        for member in self.files(place, OpenConstituentsSpider.folder):
            try:
                record = _record(member)
            except ValueError:
                continue  # the spider of constituents names it
            if isinstance(record.get("id"), int):
                self.names[record["id"]] = name_of(record)


class OpenConstituentsSpider(PublishedSpider):
    """Constituents of M+'s published data set."""

    name = "mplus_open_constituents"
    kind = "mplus_constituent"
    folder = "constituents_JSON"


def is_url(source: str) -> bool:
    """Whether *source* is an address rather than a path."""
    return urlsplit(source).scheme in ("http", "https")


def _place(value: str) -> str:
    """A folder or an archive that is there, or an address."""
    if is_url(value):
        split = urlsplit(value)
        if split.scheme == "http" and not is_loopback(split.hostname or ""):
            raise ValueError("write https:// (http is for loopback only)")
        return value
    if not Path(text(value)).exists():
        raise ValueError("there is no such file or folder")
    if not is_archive(Path(value)):
        raise ValueError("it is no folder, tar or zip")
    return value


def _record(member: Member) -> dict[str, Any]:
    """The record in *member*; ValueError that names the file where there is none."""
    name = _printable(member.name)
    if member.content is None:
        raise ValueError(f"{name} {member.trouble}")
    try:
        record = orjson.loads(member.content)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{name} is no JSON: {error}") from None
    if not isinstance(record, dict):
        raise ValueError(f"{name} holds no record")
    return record


def _printable(name: str) -> str:
    """*name*, which may be no UTF-8 where it comes from, as it can be written."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
