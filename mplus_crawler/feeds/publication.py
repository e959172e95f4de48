"""Publication: names the files of a harvest once its verdict is known, the certificate last."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.extensions.feedexport import FeedSlot
from scrapy.extensions.postprocessing import PostProcessingManager

from mplus_crawler.census import Census, Verdict
from mplus_crawler.feeds.appending import Appends
from mplus_crawler.feeds.certificate import (
    Certificates,
    Feed,
    certificate_of,
    is_over,
    judgement,
)
from mplus_crawler.feeds.exporters import Unpacking
from mplus_crawler.feeds.outputs import release_outputs
from mplus_crawler.feeds.retention.booking import Booking
from mplus_crawler.feeds.withdrawal import without
from mplus_crawler.museum.components import Extension
from mplus_crawler.museum.contract import Museum
from mplus_crawler.records.batch import stamp
from mplus_crawler.responses.ledger import Ledger
from mplus_crawler.storage.destination import destination
from mplus_crawler.storage.folders import state_folder
from mplus_crawler.storage.staging import StagedFile, beside

_OVERDUE = (
    "its first records reached the date by which the museum wants them refreshed before the "
    "last ones came; nothing is published, and the same command starts afresh"
)


class Publication(Extension):
    """Stages a harvest's files and publishes them once the verdict is known.

    A complete harvest replaces the snapshot; any other keeps it, and writes its records beside
    it as ``<name>.incomplete.<ext>``. Rejected file and certificate are always the last run's.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self.certificate: dict[str, Any] | None = None
        self.interrupted = False  # whether the crawl has begun and nothing is published
        self.booking = Booking(crawler)
        self._destination = destination(crawler.settings)
        self._staged: list[StagedFile] = []
        self._feeds: list[Feed] = []
        self._rejected: StagedFile | None = None
        self._lossy: set[str] = set()
        self._appended: list[StagedFile] = []
        self._over = False

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """The publication of *crawler*'s harvest."""
        publication = cls(crawler)
        crawler.signals.connect(publication._open, signals.spider_opened)
        crawler.signals.connect(publication._feed_closed, signals.feed_slot_closed)
        crawler.signals.connect(publication._start, signals.engine_started)
        crawler.signals.connect(publication.publish, signals.engine_stopped)
        return publication

    @cached_property
    def _census(self) -> Census:
        return Census.of(self._crawler)

    @cached_property
    def _name(self) -> str:
        return Museum.of(self._crawler).name

    def _open(self) -> None:
        """Take up the run; a resumed harvest is the same run."""
        now, ledger = datetime.now(UTC), Ledger.of(self._crawler)
        self._started = ledger.recall("started_at", stamp(now))
        self._run = ledger.recall("run", f"{now:%Y%m%dT%H%M%SZ}-{os.getpid()}")
        self._certificates = Certificates(self._crawler, self._destination, self._started)
        self._appends = Appends(ledger.harvest.ledger.with_suffix(".appended"))

    def _start(self) -> None:
        self.interrupted = True

    def stage(self, path: Path, *, append: bool = False) -> StagedFile:
        """Return a file that will be *path*; with *append*, it begins with what is there."""
        former = self._appends.former(path) if append else 0
        file = self._staged_file(partial(StagedFile, path, former=former), str(path))
        if append:
            self._appended.append(file)
        return file

    def stage_object(self, uri: str) -> StagedFile:
        """Return a file that will be the S3 object *uri*; until then it is in the state folder."""
        from mplus_crawler.storage.s3 import Bucket

        prefix, _, name = uri.rpartition("/")
        # A folder for each prefix: feeds of one name may go to several.
        folder = f"s3-{hashlib.sha256(prefix.encode()).hexdigest()[:12]}"
        bucket = Bucket(prefix, state_folder(self._crawler.settings) / folder)
        return self._staged_file(partial(bucket.stage, name), uri)

    def _staged_file(self, make: Callable[..., StagedFile], name: str) -> StagedFile:
        def failed(error: OSError) -> None:
            self._census.stop(
                Verdict.UNDELIVERED, f"{name} cannot be written: {error.strerror or error}"
            )

        file = make(failed=failed)
        file.private = Museum.of(self._crawler).private
        self._staged.append(file)
        try:
            self.booking.staged(file)
        except OSError as error:
            failed(error)
        return file

    def rejected(self) -> StagedFile:
        """Return the file of rejected records."""
        if self._rejected is None:
            name = f"{self._name}.rejected.jsonl"
            self._rejected = self._staged_file(partial(self._destination.stage, name), name)
        return self._rejected

    def publish(self) -> None:
        """Name the files by the verdict, write the certificate, close the ledger."""
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
            whole = False
            verdict, reason = self._undelivered(error)
        judged = judgement(self._crawler, verdict, reason)
        certificate = certificate_of(self._crawler, self._run, self._started, self._feeds, judged)
        try:
            self._certificates.write(certificate, snapshot=whole)
        except OSError as error:
            verdict, reason = self._undelivered(error)
            certificate |= judgement(self._crawler, verdict, reason)
            self._certificates.keep(certificate)
        self.abandon()
        self._over = overdue or is_over(verdict)
        Ledger.of(self._crawler).close(over=self._over)
        self.certificate = certificate
        self.interrupted = False

    def abandon(self) -> None:
        """Release all files: they are published or kept, or there is nothing to publish."""
        for file in self._staged:
            file.discard()
        self._staged.clear()
        release_outputs(self._crawler.settings, self._name)

    def acknowledge(self) -> None:
        """The command has reported its end: a later one appends anew."""
        if self._over:
            with suppress(OSError):
                self._appends.forget()

    def _undelivered(self, error: OSError) -> tuple[Verdict, str]:
        left = [file for file in self._staged if file.whole and file.part.exists()]
        _each(left, self._keep)
        kept = [file.place for file in left]
        # The long message of S3 comes last, since a reason is cut.
        where = f"; the records are in {', '.join(kept)}" if kept else ""
        self._census.end(Verdict.UNDELIVERED, f"a file could not be stored{where} ({error})")
        return self._census.verdict()

    def _keep(self, file: StagedFile) -> None:
        file.keep()
        self.booking.kept(file)

    def _check_feeds(self) -> None:
        """Compare each feed with what was delivered: Scrapy or a pipe may have dropped rows."""
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
            self._census.end(Verdict.UNDELIVERED, "a feed could not be stored; see the log")

    def _withdraw_vanished(self) -> None:
        """Take records that the museum no longer has out of the feeds."""
        gone = self._census.vanished
        for feed in self._feeds if gone else []:
            try:
                if feed.file is None or not feed.file.whole:
                    raise KeyError(feed.format)
                feed.file.rewrite(partial(without, gone, feed.format))
                feed.items = self._census.unique
            except (LookupError, ValueError):
                self._census.note(f"records that have vanished are still in {feed.uri}")

    def _name_files(self, complete: bool) -> None:
        """Name all files; in S3 all or none, since uploads come before renaming."""
        if self._rejected is not None:
            self._rejected.finish()
        lossy = [feed.file for feed in self._feeds if feed.template in self._lossy]
        whole = [file for file in self._staged if file.whole]
        errors = _each(whole, self._prepare)
        if errors:
            whole = [file for file in whole if not file.remote]
        elif complete:
            self._certificates.make_way()
        errors += _each(whole, lambda file: self._name_file(file, complete and file not in lossy))
        if errors:
            raise errors[0]

    def _prepare(self, file: StagedFile) -> None:
        self.booking.staged(file)
        file.prepare()

    def _name_file(self, file: StagedFile, complete: bool) -> None:
        incomplete = beside(file.target, "incomplete")
        target = file.target if complete or file is self._rejected else incomplete
        with self.booking.naming(file, target):
            if file in self._appended and target == file.target:
                self._appends.record(file)
            file.publish(target)
        if complete and file is not self._rejected:
            file.remove(incomplete)

    def _feed_closed(self, slot: FeedSlot) -> None:
        # A compressed feed is written through Scrapy's PostProcessingManager.
        file = slot.file.file if isinstance(slot.file, PostProcessingManager) else slot.file
        file = file if isinstance(file, StagedFile) else None
        records = slot.exporter.records if isinstance(slot.exporter, Unpacking) else 0
        if file is None:
            self._book_stream()
        self._feeds.append(Feed(slot.uri, slot.format, records, slot.uri_template, file))

    def _book_stream(self) -> None:
        try:
            self.booking.streamed(self._run)
        except OSError as error:
            self._census.end(Verdict.UNDELIVERED, f"the register cannot be written: {error}")


def _each(files: Sequence[StagedFile], act: Callable[[StagedFile], None]) -> list[OSError]:
    """Call *act* with each of *files*, whether or not it fails before; return the errors."""
    errors = []
    for file in files:
        try:
            act(file)
        except OSError as error:
            errors.append(error)
    return errors
