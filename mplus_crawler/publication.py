"""Publication: the one place where files get their names, and the certificate is written."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self, TypeGuard

import orjson
from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.extensions.feedexport import FeedSlot

from mplus_crawler.attribution import attribute
from mplus_crawler.census import Census, Verdict
from mplus_crawler.errors import ExitCode
from mplus_crawler.feeds.destination import Folder, destination
from mplus_crawler.feeds.exporters import Unpacking
from mplus_crawler.feeds.staging import StagedFile
from mplus_crawler.feeds.withdrawal import WITHOUT
from mplus_crawler.ledger import Ledger
from mplus_crawler.lifecycle import LifecycleWatch
from mplus_crawler.politeness.throttle import Throttle
from mplus_crawler.records import stamp
from mplus_crawler.retention.booking import Booking, book_certificate
from mplus_crawler.spiders.base import MuseumSpider
from mplus_crawler.state import state_folder
from mplus_crawler.verification import sealed

logger = logging.getLogger(__name__)

# After these verdicts there is nothing left to go on with.
_OVER = (Verdict.COMPLETE, Verdict.COMPLETE_WITH_DRIFT, Verdict.CONTRACT_BROKEN)
_OVERDUE = (
    "its first records reached the date by which the museum wants them refreshed, before the "
    "last had come; nothing is published, and the same command begins anew"
)


# What was given for one crawl, not for the one that goes on with it.
_ONCE = ("-a fresh=", "-a _", "-s LOG_FILE=")


@dataclass(slots=True)
class Feed:
    """A feed that Scrapy has closed."""

    uri: str
    format: str
    items: int
    template: str
    file: StagedFile | None


class Publication:
    """Stages a harvest's files and publishes them once the verdict is known.

    A complete harvest replaces the snapshot; any other leaves it alone and puts its records
    beside it as ``<name>.incomplete.<ext>``. Rejects and certificate are always the last run's.
    """

    def __init__(self, crawler: Crawler) -> None:
        self.certificate: dict[str, Any] | None = None
        self.booking = Booking(crawler)
        self._crawler = crawler
        self._destination = destination(crawler.settings)
        self._staged: list[StagedFile] = []
        self._feeds: list[Feed] = []
        self._rejected: StagedFile | None = None
        self._lossy: set[str] = set()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """The publication of *crawler*'s harvest."""
        publication = cls(crawler)
        crawler.signals.connect(publication._open, signals.spider_opened)
        crawler.signals.connect(publication._feed_closed, signals.feed_slot_closed)
        crawler.signals.connect(publication.publish, signals.engine_stopped)
        return publication

    @classmethod
    def of(cls, crawler: Crawler) -> Self:
        """The publication that runs in *crawler*."""
        publication = crawler.get_extension(cls)
        assert publication is not None, "EXTENSIONS lacks the publication"
        return publication

    @cached_property
    def _census(self) -> Census:
        return Census.of(self._crawler)

    def _open(self) -> None:
        """A harvest that goes on is the same run."""
        now, ledger = datetime.now(UTC), Ledger.of(self._crawler)
        self._started = ledger.recall("started_at", stamp(now))
        self._run = ledger.recall("run", f"{now:%Y%m%dT%H%M%SZ}-{os.getpid()}")

    def stage(self, path: Path, *, append: bool = False) -> StagedFile:
        """A file that will be *path*; with *append*, after what is there already."""
        former = 0
        if append and path.exists():
            # What is ours may stand there already, if we were killed after giving it its name.
            length = str(path.stat().st_size)
            former = int(Ledger.of(self._crawler).recall(f"length of {path}", length))
        return self._staged_file(partial(StagedFile, path, former=former), str(path))

    def stage_object(self, uri: str) -> StagedFile:
        """A file that will be the S3 object *uri*; until then it is with the harvest's state."""
        from mplus_crawler.feeds.s3 import Bucket

        prefix, _, name = uri.rpartition("/")
        bucket = Bucket(prefix, state_folder(self._crawler.settings))
        return self._staged_file(partial(bucket.stage, name), uri)

    def _staged_file(self, make: Callable[..., StagedFile], name: str) -> StagedFile:
        def failed(error: OSError) -> None:
            self._census.stop(
                Verdict.UNDELIVERED, f"{name} cannot be written: {error.strerror or error}"
            )

        file = make(failed=failed, harvest=Ledger.of(self._crawler).harvest.key)
        self._staged.append(file)
        try:
            self.booking.staged(file)
        except OSError as error:
            failed(error)
        return file

    def rejected(self) -> StagedFile:
        """The file of rejected records."""
        if self._rejected is None:
            name = f"{MuseumSpider.of(self._crawler).name}.rejected.jsonl"
            self._rejected = self._staged_file(partial(self._destination.stage, name), name)
        return self._rejected

    def publish(self) -> None:
        """Name the files by the verdict, write the certificate, set the exit code."""
        self._check_feeds()
        self._withdraw_vanished()
        if overdue := self.booking.overdue:
            self._census.end(Verdict.STOPPED, _OVERDUE)
        whole = self._census.complete and not overdue
        verdict, reason = self._census.verdict()
        try:
            if overdue:
                self.abandon()
                self._feeds.clear()
            else:
                self._name_files(whole)
        except OSError as error:
            verdict, reason = self._undelivered(error)
        certificate = self._certificate(verdict, reason, whole)
        try:
            self._certify(certificate, whole)
        except OSError as error:
            verdict, reason = self._undelivered(error)
            self._keep(certificate | _verdict(verdict, reason))
        Ledger.of(self._crawler).close(over=overdue or verdict in _OVER)
        self.certificate = certificate | _verdict(verdict, reason)

    def abandon(self) -> None:
        """There is nothing to publish: the harvest ended while it was being opened."""
        for file in self._staged:
            file.discard()
        self._staged.clear()

    def _undelivered(self, error: OSError) -> tuple[Verdict, str]:
        kept = [str(file.part) for file in self._staged if file.whole and file.part.exists()]
        reason = f"a file could not be stored: {error}"
        if kept:
            reason += f"; the records are in {', '.join(kept)}"
        self._census.end(Verdict.UNDELIVERED, reason)
        return self._census.verdict()

    def _check_feeds(self) -> None:
        """Every feed must have every record; what Scrapy or a pipe dropped is not delivered."""
        delivered: Counter[str] = Counter()
        for feed in self._feeds:
            delivered[feed.template] += feed.items
        for template in self._crawler.settings.getdict("FEEDS"):
            if delivered[str(template)] != self._census.delivered:
                self._lossy.add(str(template))
                self._census.end(
                    Verdict.UNDELIVERED,
                    f"the feed {template} has {delivered[str(template)]} of "
                    f"{self._census.delivered} records",
                )
        failed = self._crawler.stats.get_stats()
        if any(name.startswith("feedexport/failed_count") for name in failed):
            self._census.end(Verdict.UNDELIVERED, "a feed could not be stored; the log says why")

    def _withdraw_vanished(self) -> None:
        """A record that is gone at the museum is not in the feeds, but in the rejected file."""
        gone = self._census.vanished
        for feed in self._feeds if gone else []:
            try:
                if feed.file is None or not feed.file.whole:
                    raise KeyError(feed.format)
                feed.file.rewrite(partial(WITHOUT[feed.format], gone))
                feed.items = self._census.unique
            except (LookupError, ValueError):
                self._census.note(f"records that have vanished are still in {feed.uri}")

    def _name_files(self, complete: bool) -> None:
        if self._rejected is not None:
            self._rejected.finish()
        lossy = [feed.file for feed in self._feeds if feed.template in self._lossy]
        errors = []
        for file in self._staged:
            try:
                self._name_file(file, complete and file not in lossy)
            except OSError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _name_file(self, file: StagedFile, complete: bool) -> None:
        beside = file.target.with_name(f"{file.target.stem}.incomplete{file.target.suffix}")
        if not file.whole:
            return
        target = file.target if complete or file is self._rejected else beside
        with self.booking.naming(file, target):
            file.publish(target)
        if complete:
            file.remove(beside)

    def _certify(self, certificate: dict[str, Any], complete: bool) -> None:
        """Write the certificate; one of a snapshot that stays is kept beside it."""
        name = MuseumSpider.of(self._crawler).name
        settings = self._crawler.settings
        target, kept = f"{name}.certificate.json", f"{name}.complete.certificate.json"
        if complete:
            attribute(self._destination, certificate)
            self._destination.remove(kept)
        elif _is_complete(former := self._destination.read(target)):
            book_certificate(settings, self._destination.uri(kept), certificate)
            self._destination.write(kept, former)
        book_certificate(settings, self._destination.uri(target), certificate)
        self._destination.write(target, sealed(certificate))

    def _keep(self, certificate: dict[str, Any]) -> None:
        """A certificate that cannot be delivered is with the harvest's state."""
        name = f"{certificate['spider']}.certificate.json"
        with suppress(OSError):
            Folder(state_folder(self._crawler.settings)).write(name, sealed(certificate))

    def _certificate(self, verdict: Verdict, reason: str, complete: bool) -> dict[str, Any]:
        spider = MuseumSpider.of(self._crawler)
        throttle = Throttle.of(self._crawler)
        statuses = throttle.statuses
        return {
            "spider": spider.name,
            "source": spider.policy.name,
            "private": spider.private,
            "base_url": spider.base_url,
            "run": self._run,
            **_verdict(verdict, reason),
            "started_at": self._started,
            "finished_at": stamp(datetime.now(UTC)),
            "arguments": spider.arguments,
            **self._census.counts(),
            **spider.certified(),
            "lifecycle": LifecycleWatch.of(self._crawler).certified(),
            "requests": {
                "sent": statuses.total(),
                "by_status": dict(sorted(statuses.items())),
                "too_many": statuses["429"],
                "peak": throttle.peaks,
            },
            "feeds": [
                _entry(feed, complete and feed.template not in self._lossy) for feed in self._feeds
            ],
            "policy": spider.policy.document,
            "resume": None if verdict in _OVER else self._same_command(),
        }

    def _same_command(self) -> str:
        """What was typed, but for ``fresh`` and what a scheduler adds for one job.

        Scrapy takes the command out of ``sys.argv``.
        """
        typed = sys.argv[1:]
        for place in reversed(range(len(typed))):
            if " ".join(typed[place : place + 2]).startswith(_ONCE):
                del typed[place : place + 2]
        command = self._crawler.settings.get("RESUME_WITH", "crawl")
        return shlex.join(["scrapy", command, *typed])

    def _feed_closed(self, slot: FeedSlot) -> None:
        file = slot.file if isinstance(slot.file, StagedFile) else None
        records = slot.exporter.records if isinstance(slot.exporter, Unpacking) else 0
        if file is None:
            self._book_stream()
        self._feeds.append(Feed(slot.uri, slot.format, records, slot.uri_template, file))

    def _book_stream(self) -> None:
        try:
            self.booking.streamed(self._run)
        except OSError as error:
            self._census.end(Verdict.UNDELIVERED, f"the register cannot be written: {error}")


def _entry(feed: Feed, complete: bool) -> dict[str, Any]:
    if feed.file is None or not feed.file.whole:
        return {"uri": feed.uri, "format": feed.format, "items": feed.items}
    target = feed.file.target
    if not complete:
        target = target.with_name(f"{target.stem}.incomplete{target.suffix}")
    return {
        "uri": feed.file.uri(target),
        "format": feed.format,
        "items": feed.items,
        "bytes": feed.file.bytes,
        "sha256": feed.file.sha256,
    }


def _verdict(verdict: Verdict, reason: str) -> dict[str, Any]:
    return {"verdict": verdict, "reason": reason, "exit_code": verdict.exit_code}


def _is_complete(certificate: bytes | None) -> TypeGuard[bytes]:
    try:
        return bool(orjson.loads(certificate or b"")["exit_code"] == ExitCode.COMPLETE)
    except (ValueError, KeyError, TypeError):
        return False
