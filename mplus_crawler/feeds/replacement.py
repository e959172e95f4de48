"""Replacing the former snapshot: the change feed, and the brake on large losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from scrapy.crawler import Crawler

from mplus_crawler.census import Census, Verdict
from mplus_crawler.errors import counted
from mplus_crawler.feeds.changes.change import ChangeFeedError
from mplus_crawler.feeds.changes.extension import Changes, Written
from mplus_crawler.feeds.feed import Feed
from mplus_crawler.feeds.thinning import report
from mplus_crawler.museum.contract import Museum
from mplus_crawler.responses.ledger import Ledger
from mplus_crawler.storage.staging import BUFFER, StagedFile


class Replacement:
    """The replacement of the former snapshot by that of a run, if it makes one.

    :attr:`file` is the change feed, staged and whole; ``None`` where no snapshot is replaced.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._written: Written | None = None
        self.file: StagedFile | None = None

    @property
    def _census(self) -> Census:
        return Census.of(self._crawler)

    def prepare(
        self, run: Mapping[str, str], feeds: Sequence[Feed], rejected: StagedFile | None
    ) -> None:
        """Write the change feed of a complete snapshot, or hold the run back if too much is gone.

        *run* has the run's id, ``started_at`` and ``finished_at``.
        """
        try:
            self._write(run, feeds, rejected)
        except (OSError, ChangeFeedError) as error:
            self._census.end(Verdict.UNDELIVERED, f"the change feed cannot be written: {error}")
        else:
            self._brake(run["run"])
        if not self._census.verdict()[0].complete:
            self.discard()

    def _write(
        self, run: Mapping[str, str], feeds: Sequence[Feed], rejected: StagedFile | None
    ) -> None:
        changes, errors = Changes.of(self._crawler), list[OSError]()
        if loss := report(changes.former_filled, self._census.filled()):
            self._census.note(loss)
        file = self.file = changes.place.stage(f"{run['run']}.jsonl", errors.append)
        file.private = True  # the process decides who may read it
        snapshot = next((feed.file for feed in feeds if feed.file and feed.file.whole), None)
        if snapshot is None:
            raise OSError("there is no snapshot")
        to = {**run, "content_digest": self._census.content_digest()}
        with ExitStack() as stack:
            rows = stack.enter_context(snapshot.part.open("rb", BUFFER))
            whole = rejected.part if rejected is not None and rejected.whole else None
            rejects = stack.enter_context(whole.open("rb")) if whole else None
            self._written = changes.write(file, rows, rejects, to)
        if errors:
            raise errors[0]

    def _brake(self, run: str) -> None:
        """Hold the run back if it lacks too many records of the snapshot."""
        assert self._written is not None
        museum, census = Museum.of(self._crawler), self._census
        share = self._crawler.settings["MAX_DELETE_SHARE"]
        former = Changes.of(self._crawler).former_records
        most, smaller = former * float(share), census.unique < former * (1 - float(share))
        if not former or museum.accepted_run == run or not (smaller or self._written.gone > most):
            return
        if smaller:
            what = (
                f"{counted(census.unique, 'record')} instead of the {former} in the snapshot: "
                "a larger loss than "
            )
        else:
            what = (
                f"{self._written.gone} of the {former} records of the snapshot are gone: more than "
            )
        census.end(
            Verdict.HELD_BACK,
            f"{what}MAX_DELETE_SHARE ({share}) allows; if the records were deleted, publish this "
            f"run with -a accept={run}",
        )
        Ledger.of(self._crawler).hold_back(run, Changes.of(self._crawler).findings)

    def entries(self) -> dict[str, Any]:
        """Return the certificate's ``former`` and ``changes``; null where nothing is replaced."""
        if self._written is None:
            return {"former": None, "changes": None}
        return {"former": self._written.former, "changes": self._written.entry}

    def discard(self) -> None:
        """Release the feed: it is published, or never will be."""
        Changes.of(self._crawler).close()
        if self.file is not None:
            self.file.discard()
        self.file = self._written = None
