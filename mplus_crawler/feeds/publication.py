"""Publication: names the files of a harvest together, once its verdict is known."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.extensions.feedexport import FeedSlot

from mplus_crawler.census import Census, Verdict
from mplus_crawler.feeds.appending import Appends
from mplus_crawler.feeds.attribution import attribution_with
from mplus_crawler.feeds.certificate import (
    Runs,
    certificate_of,
    is_over,
    judgement,
)
from mplus_crawler.feeds.changes.extension import Changes
from mplus_crawler.feeds.conversion import convert, feed_of, table_schemas
from mplus_crawler.feeds.feed import (
    Feed,
    arrange,
    compare,
    content_entry,
    file_entry,
    target_of,
)
from mplus_crawler.feeds.names import (
    ATTRIBUTION,
    CERTIFICATE,
    HELD,
    INCOMPLETE,
    REJECTED,
    TABLE_SCHEMA,
    UNPUBLISHED,
    RunFiles,
    in_state,
)
from mplus_crawler.feeds.outputs import publishing, release_outputs, spider_lock
from mplus_crawler.feeds.replacement import Replacement
from mplus_crawler.feeds.retention.booking import Booking
from mplus_crawler.feeds.sentinel import Sentinel
from mplus_crawler.feeds.staged import StagedFiles
from mplus_crawler.feeds.transaction import Step, Transaction
from mplus_crawler.museum.components import Extension, Handlers
from mplus_crawler.records.batch import stamp
from mplus_crawler.responses.harvest import accepting_command
from mplus_crawler.responses.ledger import Ledger
from mplus_crawler.storage.destination import Folder, locate
from mplus_crawler.storage.folders import state_folder
from mplus_crawler.storage.staging import StagedFile
from mplus_crawler.verification import sealed

_OVERDUE = (
    "its first records expired before the last ones were received; nothing was published: run the "
    "same command again to start afresh"
)


class Publication(Extension):
    """Stages a harvest's files and publishes them once the verdict is known.

    The run's certificate is in ``runs/`` before any file gets its name, so that every published
    file has its certificate at any moment. :mod:`.names` says which names files get.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self.certificate: dict[str, Any] | None = None
        self.interrupted = False  # whether the crawl has begun and nothing is published
        self.booking = Booking(crawler)
        self._staged = StagedFiles(crawler, self.booking)
        self._feeds: list[Feed] = []
        self._rejected: StagedFile | None = None
        self._appended: list[StagedFile] = []
        self._replacement = Replacement(crawler)
        self._over = False

    def handlers(self) -> Handlers:
        """Return the handlers of Scrapy's signals."""
        return {
            signals.spider_opened: self._open,
            signals.feed_slot_closed: self._feed_closed,
            signals.engine_started: self._start,
            signals.engine_stopped: self.publish,
        }

    @cached_property
    def _census(self) -> Census:
        return Census.of(self._crawler)

    @cached_property
    def _name(self) -> str:
        return self._museum.name

    def _open(self) -> None:
        """Begin or resume the run; a resumed harvest is the same run."""
        now, ledger = datetime.now(UTC), Ledger.of(self._crawler)
        self._started = ledger.recall("started_at", stamp(now))
        self._run = ledger.recall("run", f"{now:%Y%m%dT%H%M%SZ}-{os.getpid()}")
        settings = self._crawler.settings
        self._runs = Runs(settings, self._name, self._started, self._run)
        self._files = RunFiles.of(settings, self._museum, self._runs.stem)
        self._incomplete = in_state(f"{self._files.stem}{CERTIFICATE}", INCOMPLETE)
        self._state_copy = Folder(state_folder(settings))
        name = f"{self._files.stem}{REJECTED}"
        self._rejected = self._staged.add(partial(self._files.folder.stage, name), name)
        self._appends = Appends(ledger.harvest.ledger.with_suffix(".appended"))

    def _start(self) -> None:
        self.interrupted = True

    def stage(self, path: Path, *, append: bool = False) -> StagedFile:
        """Return a file that will be *path*; with *append*, it begins with the existing content."""
        path = path.with_name(self._files.feed(path.name))
        former = self._appends.former(path) if append else 0
        file = self._staged.add(partial(StagedFile, path, former=former), str(path))
        if append:
            self._appended.append(file)
        return file

    def stage_object(self, uri: str) -> StagedFile:
        """Return a file that will be the S3 object *uri*; until then it is in the state folder."""
        from mplus_crawler.storage.s3 import Bucket

        prefix, _, name = uri.rpartition("/")
        name = self._files.feed(name)
        # A folder for each prefix: feeds of one name may go to several.
        folder = f"s3-{hashlib.sha256(prefix.encode()).hexdigest()[:12]}"
        bucket = Bucket(prefix, state_folder(self._crawler.settings) / folder)
        return self._staged.add(partial(bucket.stage, name), uri)

    def reject(self, line: bytes) -> None:
        """Write a *line* to the file of rejected records."""
        assert self._rejected is not None, "the spider is open"
        self._rejected.write(line)

    def publish(self) -> None:
        """Name the files by the verdict, with their certificate, and close the ledger."""
        ended = stamp(datetime.now(UTC))
        self._times = {"run": self._run, "started_at": self._started, "finished_at": ended}
        compare(self._feeds, self._crawler)
        arrange(self._feeds, self._census)
        convert(self._feeds, self._census)
        if self._rejected is not None:
            self._rejected.finish()
        overdue = self.booking.overdue
        if overdue:
            self._census.end(Verdict.STOPPED, _OVERDUE)
            self.abandon()
            self._feeds.clear()
            self._rejected = None
        if self._files.makes_snapshot and self._census.verdict()[0].complete:
            self._replacement.prepare(self._times, self._feeds, self._rejected)
        certificate = self._certified()
        try:
            self._deliver(certificate)
        except OSError as error:
            self._undelivered(error)
            self._replacement.discard()
            certificate = self._certified()
            self._certify_failure(certificate)
        self.abandon()
        self._over = overdue or is_over(self._census.verdict()[0])
        Ledger.of(self._crawler).close(over=self._over)
        self.certificate = certificate
        self.interrupted = False

    def _certified(self) -> dict[str, Any]:
        verdict, reason = self._census.verdict()
        judged = judgement(self._crawler, verdict, reason)
        if verdict is Verdict.HELD_BACK:
            judged["resume"] = accepting_command(self._crawler.settings, self._name, self._run)
        state, rejected = self._state, self._rejected
        # It adds notes, so it comes before the counts.
        shape = Sentinel.of(self._crawler).certified(self._run, self._comparable)
        return {
            **certificate_of(self._crawler, self._times, judged),
            "snapshot": self._files.makes_snapshot and verdict.complete,
            **self._replacement.entries(),
            **shape,
            "feeds": [feed.entry(state) for feed in self._feeds],
            "rejects": file_entry(rejected, state) or None,
            "table_schemas": [
                content_entry(in_state(uri, state), schema)
                for uri, schema in table_schemas(self._feeds).items()
            ],
        }

    @property
    def _comparable(self) -> Mapping[str, Any]:
        """The certificate of the snapshot whose shape this run's should have; empty: none."""
        former = Changes.of(self._crawler).former_certificate
        return former if former and self._files.makes_snapshot else {}

    @property
    def _state(self) -> str:
        """What is added to the names of this run's files; empty if it is complete."""
        verdict = self._census.verdict()[0]
        if verdict is Verdict.HELD_BACK:
            return HELD
        return "" if verdict.complete else INCOMPLETE

    def _deliver(self, certificate: dict[str, Any]) -> None:
        """Publish everything, or raise OSError; in S3, all uploads precede any renaming."""
        files = list(self._staged)
        # First: a certificate in runs/ names it, too.
        files.sort(key=lambda file: file is not self._rejected)
        for file in files:
            self.booking.staged(file)
            file.prepare()
        if feed := self._replacement.file:
            feed.prepare()
        self._runs.write(certificate)
        with publishing(self._crawler.settings):
            for uri, schema in table_schemas(self._feeds).items():
                # Before the feeds, since a certificate in runs/ names it, too.
                files.insert(0, self._staged.write(*locate(uri, self._state_copy.path), schema))
            if self._files.stem != self._runs.stem:
                name = f"{self._files.stem}{CERTIFICATE}"
                files.append(self._staged.write(self._files.folder, name, sealed(certificate)))
            steps = [Step(file, target_of(file, self._state)) for file in files]
            if feed := self._replacement.file:
                steps.append(Step(feed, feed.target))
            if certificate["snapshot"]:
                text = attribution_with(certificate, self._files.folder)
                file = self._staged.write(self._files.folder, ATTRIBUTION, text.encode())
                steps.append(Step(file, file.target))
            self._commit(steps)

    def _commit(self, steps: list[Step]) -> None:
        former: list[str] = []
        if not self._state:
            for file in self._appended:
                self._appends.record(file)
            former = [
                step.file.uri(target_of(step.file, state))
                for step in reversed(steps)  # the certificate, which names the others, first
                if step.file.target.name != ATTRIBUTION
                for state in UNPUBLISHED
            ]
        settings = self._crawler.settings
        lock = spider_lock(settings, self._name)
        Transaction(state_folder(settings), self._name, lock).commit(steps, former, self._naming)
        if self._state_copy.path != getattr(self._files.folder, "path", None):
            # A certificate that could not be delivered before is out of date.
            self._state_copy.remove(self._incomplete)

    def _naming(self, file: StagedFile, target: Path) -> AbstractContextManager[None]:
        name = file.target.name
        is_ours = name == ATTRIBUTION or name.endswith(TABLE_SCHEMA)
        is_ours |= file is self._replacement.file  # ids and digests: no content of the museum's
        return nullcontext() if is_ours else self.booking.naming(file, target)

    def _undelivered(self, error: OSError) -> None:
        """Keep what was not published, and end the harvest with that *error*."""
        kept = self._staged.keep()
        # The long message of S3 comes last, since a reason is cut.
        where = f"; the records are in {', '.join(kept)}" if kept else ""
        self._census.end(Verdict.UNDELIVERED, f"a file could not be stored{where} ({error})")

    def _certify_failure(self, certificate: dict[str, Any]) -> None:
        """Write the *certificate* of undelivered files, if possible."""
        with suppress(OSError):
            self._runs.write(certificate)
        for folder in (self._files.folder, self._state_copy):
            with suppress(OSError):
                self._runs.book(folder.uri(self._incomplete), certificate)
                folder.write(self._incomplete, sealed(certificate))
                return

    def abandon(self) -> None:
        """Release all files: they are published or kept, or there is nothing to publish."""
        self._staged.discard()
        self._replacement.discard()
        release_outputs(self._crawler.settings, self._name)

    def acknowledge(self) -> None:
        """Note that the command has reported its result: a later one appends again."""
        if self._over:
            with suppress(OSError):
                self._appends.forget()

    def _feed_closed(self, slot: FeedSlot) -> None:
        feed = feed_of(slot)
        if feed.file is None:
            self._book_stream()
        self._feeds.append(feed)

    def _book_stream(self) -> None:
        try:
            self.booking.streamed(self._run)
        except OSError as error:
            self._census.end(Verdict.UNDELIVERED, f"the register cannot be written: {error}")
