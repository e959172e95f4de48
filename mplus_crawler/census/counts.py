"""The census: what was expected, what came, and what that comes to.

It counts and judges; it neither fetches nor writes.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.utils.defer import deferred_from_coro

from mplus_crawler.census.ids import Ids
from mplus_crawler.census.verdict import Verdict
from mplus_crawler.errors import one_line
from mplus_crawler.museum.components import Extension
from mplus_crawler.records.batch import Row
from mplus_crawler.records.rights import LicenceCount

logger = logging.getLogger(__name__)

# Ends after which nobody can say that every record came.
_CUT_SHORT = (Verdict.STOPPED, Verdict.REFUSED, Verdict.FAILED)
# Records that were requested by id and do not exist: a fact, not a fault.
_ABSENT = ("gone", "not_found")


@dataclass
class Pages:
    """Pages asked for: expected (``None`` until the museum says), fetched, replayed, failed."""

    expected: int | None = None
    fetched: int = 0
    replayed: int = 0
    failed: int = 0


@dataclass
class Census(Extension):
    """Counts of one harvest. Extension; :meth:`of` finds the one of a crawler."""

    _crawler: Crawler
    expected_first: int | None = None
    expected_last: int | None = None
    total_confirmed: bool = True
    limit: int | None = None
    duplicates: int = 0
    rejected: int = 0
    unreadable: int = 0
    absent: int = 0
    rejected_by: Counter[str] = field(default_factory=Counter)
    revalidated: int = 0
    pages: Pages = field(default_factory=Pages)
    problems: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    doubts: Counter[str] = field(default_factory=Counter)
    vanished: dict[str, str] = field(default_factory=dict)
    _licences: LicenceCount = field(default_factory=LicenceCount)
    _ids: Ids = field(default_factory=Ids)
    _totals: set[int] = field(default_factory=set)
    _passes: int = 0
    _drifted: bool = False
    _at_once: bool = False
    _listed: int | None = None
    _end: tuple[Verdict, str] | None = None
    _close_reason: str | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """The census of *crawler*."""
        census = cls(crawler)
        crawler.signals.connect(census._closed, signals.spider_closed)
        crawler.signals.connect(census._error, signals.spider_error)
        return census

    @property
    def delivered(self) -> int:
        """Records that went to the feeds, those that have vanished since among them."""
        return self._ids.admitted

    @property
    def unique(self) -> int:
        """Distinct ids delivered."""
        return self._ids.delivered

    @property
    def accounted(self) -> int:
        """Distinct records that are delivered or named in the rejected file."""
        return self.unique + self.rejected + self.unreadable + self.absent

    @property
    def expected(self) -> int | None:
        """How many records the museum says there are, or that ``limit`` asks for."""
        if self.expected_last is None or self.limit is None:
            return self.expected_last
        return min(self.limit, self.expected_last)

    @property
    def ended(self) -> bool:
        """Whether something has already put an end to the harvest."""
        return self._end is not None

    def limit_to(self, records: int | None) -> None:
        """Expect no more than *records*, as the argument ``limit`` does; ``None``: all."""
        self.limit = records

    def expect_pages(self, pages: int | None) -> None:
        """Expect *pages* in all; ``None`` while that is not known."""
        self.pages.expected = pages

    def total(self, records: int, *, confirmed: bool = True) -> None:
        """Record the museum's total: *records* in all.

        It is not *confirmed* where it was counted because the source does not state any.
        """
        self.total_confirmed = confirmed
        if self.expected_first is None:
            self.expected_first = records
        self.expected_last = records
        self._totals.add(records)

    def deliver(self, row: Row, content: int) -> None:
        """Count *row*, whose id is new and whose record has the hash *content*."""
        self._ids.add(row["id"], delivered=True, content=content)
        self._licences.add(row)

    def duplicate(self, record_id: str, content: int) -> bool:
        """Count another row with *record_id*; whether its record, by its hash, is another one."""
        self.duplicates += 1
        differs = self._ids.add_content(record_id, content)
        self.rejected_by["duplicate"] += differs
        return differs

    def reject(self, record_id: str | None, reason: str, content: int) -> None:
        """Count a record that fails for *reason*, and whose id is new if it has one."""
        if record_id is not None:
            self._ids.add(record_id, delivered=False, content=content)
        self.rejected += 1
        self.rejected_by[reason] += 1

    def lose(self, record_id: str | None, reason: str, message: str) -> None:
        """Count a record that is missing, for a *reason* of :class:`.Loss`."""
        if record_id is not None and reason == "vanished":
            self.vanished[record_id] = one_line(message)
            self._ids.withdraw(record_id)
        elif record_id is None or self._ids.add(record_id, delivered=False):
            self.rejected_by[reason] += 1
            if reason in _ABSENT:
                self.absent += 1
            elif reason == "unreadable":
                self.unreadable += 1
            else:
                self.rejected += 1

    def page(self, *, replayed: bool) -> None:
        """A page of full records has come, from the museum or from the ledger."""
        if replayed:
            self.pages.replayed += 1
        else:
            self.pages.fetched += 1

    def failed_page(self) -> None:
        """Count a page that could not be fetched; :meth:`problem` says what is missing for it."""
        self.pages.failed += 1

    def not_modified(self) -> None:
        """Count a record that the museum has confirmed as unchanged (304)."""
        self.revalidated += 1

    def knows(self, record_id: str) -> bool:
        """Whether *record_id* is accounted for."""
        return self._ids.has(record_id)

    def ids(self) -> Iterator[str]:
        """Every id that is accounted for."""
        return self._ids.all()

    @property
    def in_doubt(self) -> bool:
        """Whether counts and totals leave it open if every record is in hand."""
        if self.limit is not None:
            return False
        return bool(self.doubts) or len(self._totals) > 1 or self.accounted != self.expected

    @property
    def moved(self) -> bool:
        """Whether totals, short pages or missing rows show that the collection has changed."""
        rows = self.accounted + self.duplicates
        return bool(self.doubts) or len(self._totals) > 1 or rows != self.expected

    def doubt(self, reason: str) -> None:
        """A page that was short for good: perhaps the total is wrong, perhaps rows are missing."""
        self.doubts[one_line(reason)] += 1

    def reconciled(self, passes: int, *, drift: bool = True) -> None:
        """So many *passes* over all ids have shown that every record is accounted for.

        Without *drift* they have also shown that no row has moved.
        """
        self._passes = passes
        self._drifted = drift

    def listed(self, records: int) -> None:
        """Record that the museum's one response lists *records* distinct ones."""
        self._listed = records

    def read_at_once(self) -> None:
        """Record that nothing can move in the source: every row counts, even with a known id."""
        self._at_once = True

    def problem(self, reason: str) -> None:
        """Something is missing: the harvest is incomplete, for this *reason*."""
        reason = one_line(reason)
        if not self.problems[reason]:
            logger.error("incomplete: %s", reason)
        self.problems[reason] += 1

    def lost_page(self, reason: str) -> None:
        """Rows that could not be had: a :meth:`problem`, unless the harvest is ending anyway."""
        if not self.ended and self._crawler.crawling:
            self.problem(reason)

    def note(self, remark: str) -> None:
        """Something odd that takes nothing away; counted and reported at the end."""
        remark = one_line(remark)
        if not self.notes[remark]:
            logger.warning("%s", remark)
        self.notes[remark] += 1

    def end(self, verdict: Verdict, reason: str) -> None:
        """The harvest ends with *verdict*, whatever was counted; the first to say so is kept."""
        if self._end is None:
            self._end = (verdict, one_line(reason))
            logger.error("%s: %s", *self._end)

    def stop(self, verdict: Verdict, reason: str) -> None:
        """:meth:`end` the harvest and close the spider."""
        self.end(verdict, reason)
        # While components are being opened there is nothing to close; the throttle sends nothing.
        if self._crawler.engine.running:
            deferred_from_coro(self._crawler.engine.close_spider_async(reason=str(verdict)))

    @property
    def complete(self) -> bool:
        """Whether every record is in hand, delivered or not."""
        return self._counted()[0].complete and not (self._end and self._end[0] in _CUT_SHORT)

    def verdict(self) -> tuple[Verdict, str]:
        """The verdict and the reason for it, in one line."""
        return self._end or self._counted()

    def _counted(self) -> tuple[Verdict, str]:
        if self._close_reason == "shutdown":
            return Verdict.STOPPED, "stopped by a signal"
        if self._close_reason != "finished":
            return Verdict.STOPPED, f"the crawl was closed: {self._close_reason or 'killed'}"
        if missing := self._missing():
            return Verdict.INCOMPLETE, one_line(missing)
        allowed = self._crawler.settings.getfloat("MAX_REJECT_SHARE")
        if self.rejected + self.unreadable > allowed * self.accounted:
            return Verdict.CONTRACT_BROKEN, (
                f"{self.rejected} rejected and {self.unreadable} unreadable of {self.accounted} "
                f"records are more than MAX_REJECT_SHARE ({allowed:g}) allows"
            )
        rows = self.accounted + self.duplicates
        if self._drifted:
            return Verdict.COMPLETE_WITH_DRIFT, (
                f"rows moved meanwhile; {self._passes} lists of all ids have shown that "
                f"all {self.accounted} records are accounted for"
            )
        if self._listed not in (None, self.expected) and rows != self.expected:
            return Verdict.COMPLETE_WITH_DRIFT, (
                f"the museum counts {self.expected} records, and its one answer lists "
                f"{self._listed} different ones: all of these are accounted for"
            )
        more = f"; {self.duplicates} more rows have the id of another" if self.duplicates else ""
        return Verdict.COMPLETE, f"all {self.accounted} records are accounted for{more}"

    def id_digest(self) -> str:
        """SHA-256 over the sorted unique delivered ids, joined by newlines."""
        return self._ids.digest()

    def counts(self) -> dict[str, Any]:
        """The certificate's counts."""
        pages = self.pages
        return {
            "expected": {"first": self.expected_first, "last": self.expected_last},
            "unique": self.unique,
            "duplicates": self.duplicates,
            "rejected": self.rejected,
            "unreadable": self.unreadable,
            "absent": self.absent,
            "rejected_by": dict(sorted(self.rejected_by.items())),
            "revalidated": self.revalidated,
            "vanished": self.vanished,
            "pages": {
                "expected": pages.expected,
                "fetched": pages.fetched,
                "replayed": pages.replayed,
                "failed": pages.failed,
            },
            "problems": dict(self.problems),
            "notes": dict(self.notes),
            "id_digest": self.id_digest(),
            "licences": self._licences.counts(),
        }

    def _missing(self) -> str:
        """Why records are missing, or an empty string."""
        if self.problems:
            return "; ".join([*self.problems, *self.doubts])
        if self.expected is None:
            return "the museum never said how many records there are"
        if self._passes:
            return ""
        if self.doubts:
            return "; ".join(self.doubts)
        if len(self._totals) > 1 and self.limit is None:
            return f"the total changed while paging: {', '.join(map(str, sorted(self._totals)))}"
        counts_rows = self._at_once or self.limit is not None
        rows = self.accounted + (self.duplicates if counts_rows else 0)
        # An equal row may be one that has moved; one with other content is a row of its own.
        distinct = self.accounted + self.rejected_by["duplicate"]
        expected = self.expected if self._listed is None else self._listed
        if expected not in (rows, distinct):
            return (
                f"{expected} records were expected and {self.accounted} distinct ones came"
                f" ({self.duplicates} came twice)"
            )
        return ""

    def _closed(self, reason: str) -> None:
        self._close_reason = reason

    def _error(self, failure: Any) -> None:
        self.problem(f"an error in our own code: {failure.getErrorMessage()}")
