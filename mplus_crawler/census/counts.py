"""Counts of one harvest: what was expected, and what was received."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import orjson

from mplus_crawler.census.ids import Ids
from mplus_crawler.errors import one_line
from mplus_crawler.records.batch import Row
from mplus_crawler.records.rights import LicenceCount, licences_of

logger = logging.getLogger(__name__)

# Records that were requested by id and do not exist: a fact, not a fault.
_ABSENT = ("gone", "not_found")


@dataclass
class Pages:
    """Counts of pages: expected (``None`` while unknown), fetched, replayed, failed."""

    expected: int | None = None
    fetched: int = 0
    replayed: int = 0
    failed: int = 0


@dataclass
class Counts:
    """Counts of records and pages. Other code reads the fields and calls methods to change them."""

    expected_first: int | None = None
    expected_last: int | None = None
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
    requested_singly: list[str] = field(default_factory=list)
    _ids: Ids = field(default_factory=Ids)
    _columns: tuple[str, ...] = ()
    _filled: Counter[str] = field(default_factory=Counter)
    _totals: set[int] = field(default_factory=set)
    _passes: int = 0
    _drifted: bool = False
    _at_once: bool = False
    _listed: int | None = None

    @property
    def delivered(self) -> int:
        """The number of records sent to the feeds, including those that have vanished since."""
        return self._ids.admitted

    @property
    def unique(self) -> int:
        """Distinct ids delivered."""
        return self._ids.delivered

    @property
    def accounted(self) -> int:
        """Distinct records of the list that are delivered or named in the rejected file."""
        found = self.unique + self.rejected + self.unreadable + self.absent
        return found - len(self.requested_singly)

    @property
    def expected(self) -> int | None:
        """The museum's total, or ``limit`` where that is lower."""
        if self.expected_last is None or self.limit is None:
            return self.expected_last
        return min(self.limit, self.expected_last)

    def limit_to(self, records: int | None) -> None:
        """Expect no more than *records*, as the argument ``limit`` does; ``None``: all."""
        self.limit = records

    def expect_pages(self, pages: int | None) -> None:
        """Expect *pages* in all; ``None`` while that is not known."""
        self.pages.expected = pages

    def total(self, records: int) -> None:
        """Record the museum's total."""
        if self.expected_first is None:
            self.expected_first = records
        self.expected_last = records
        self._totals.add(records)

    def deliver(self, row: Row) -> bool:
        """Count *row* if its id is new; return whether it is."""
        self._columns = self._columns or tuple(row)
        licences, filled = orjson.dumps(licences_of(row)), _filled(row)
        if not self._ids.deliver(row["id"], row["digest"], filled, licences):
            return False
        self._filled.update(compress(self._columns, filled))
        return True

    def redeliver(self, row: Row) -> bool:
        """Count *row* instead of the one with its id, if it is fuller; return whether it is."""
        filled, former = _filled(row), self._ids.filled_of(row["id"])
        if former is None or sum(filled) <= sum(former):
            return False
        licences = orjson.dumps(licences_of(row))
        self._ids.redeliver(row["id"], row["digest"], filled, licences)
        self._filled.update(compress(self._columns, filled))
        self._filled.subtract(compress(self._columns, former))
        return True

    def blank_columns(self, record_id: str) -> set[str]:
        """Return the columns in which the delivered row *record_id* has no value."""
        filled = self._ids.filled_of(record_id)
        if filled is None:
            return set()
        return {name for name, value in zip(self._columns, filled, strict=True) if not value}

    def duplicate(self, record_id: str, digest: str) -> bool:
        """Count another row with *record_id*; return whether its *digest* is new."""
        self.duplicates += 1
        differs = self._ids.add_digest(record_id, digest)
        self.rejected_by["duplicate"] += differs
        return differs

    def reject(self, record_id: str | None, reason: str, digest: str) -> bool:
        """Count a row that fails for *reason*, unless its id is known; return whether it is new."""
        if record_id is not None and not self._ids.add(record_id, digest):
            return False
        self.rejected += 1
        self.rejected_by[reason] += 1
        return True

    def lose(self, record_id: str | None, reason: str, message: str) -> None:
        """Count a record that is missing, for a *reason* of :class:`.Loss`."""
        if record_id is not None and reason == "vanished":
            self.vanished[record_id] = one_line(message)
            self._filled.subtract(compress(self._columns, self._ids.filled_of(record_id) or b""))
            self._ids.withdraw(record_id)
        elif record_id is None or self._ids.add(record_id):
            self.rejected_by[reason] += 1
            if reason in _ABSENT:
                self.absent += 1
            elif reason == "unreadable":
                self.unreadable += 1
            else:
                self.rejected += 1

    def unlisted(self, record_id: str) -> None:
        """Count a record that the museum does not list, but delivers when it is requested."""
        self.requested_singly.append(record_id)
        self.note("the museum does not list a record, but still delivers it: it is kept")

    def page(self, *, replayed: bool) -> None:
        """Count a page of full records, from the museum or from the ledger."""
        if replayed:
            self.pages.replayed += 1
        else:
            self.pages.fetched += 1

    def failed_page(self) -> None:
        """Count a page that could not be fetched; report what is missing with :meth:`problem`."""
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

    def listed_ids(self) -> Iterator[str]:
        """Every delivered id, except those of :meth:`unlisted`."""
        return (id_ for id_ in self._ids.all_delivered() if id_ not in self.requested_singly)

    @property
    def settled(self) -> bool:
        """Whether every record of the museum's list is accounted for."""
        return not self.problems and (self._passes > 0 or not self.in_doubt)

    @property
    def in_doubt(self) -> bool:
        """Whether counts and totals do not show that every record has been received."""
        if self.limit is not None:
            return False
        return bool(self.doubts) or len(self._totals) > 1 or self.accounted != self.expected

    @property
    def moved(self) -> bool:
        """Whether totals, short pages or missing rows show that the collection has changed."""
        rows = self.accounted + self.duplicates
        return bool(self.doubts) or len(self._totals) > 1 or rows != self.expected

    def doubt(self, reason: str) -> None:
        """Record a page that stays short: the total may be wrong, or rows may be missing."""
        self.doubts[one_line(reason)] += 1

    def reconciled(self, passes: int, *, drift: bool = True) -> None:
        """Record that *passes* over all ids have shown every record to be accounted for.

        Without *drift*, they have also shown that no row has moved.
        """
        self._passes = passes
        self._drifted = drift

    def listed(self, records: int) -> None:
        """Record that the museum's single response lists *records* distinct records."""
        self._listed = records

    def read_at_once(self) -> None:
        """Record that nothing can move in the source: every row counts, even with a known id."""
        self._at_once = True

    def note(self, remark: str) -> None:
        """Count a *remark* on something odd that loses nothing; it is reported at the end."""
        remark = one_line(remark)
        if not self.notes[remark]:
            logger.warning("%s", remark)
        self.notes[remark] += 1

    def id_digest(self) -> str:
        """SHA-256 over the sorted unique delivered ids, joined by newlines."""
        return self._ids.digest()

    def digests(self) -> Iterator[tuple[str, str]]:
        """Yield the id and the digest of each delivered row, sorted by id."""
        return self._ids.digests()

    def content_digest(self) -> str:
        """SHA-256 over the sorted lines ``id<TAB>digest`` of the delivered rows."""
        return self._ids.content_digest()

    def filled(self) -> dict[str, int]:
        """Return for each column how many delivered rows have a value in it."""
        return {name: self._filled[name] for name in self._columns}

    def licences(self) -> dict[str, dict[str, int]]:
        """Return how many records, images and texts there are under each licence."""
        count = LicenceCount()
        for licences, rows in self._ids.licences():
            count.add(orjson.loads(licences), rows)
        return count.counts()

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
            "unlisted": self.requested_singly,
            "pages": {
                "expected": pages.expected,
                "fetched": pages.fetched,
                "replayed": pages.replayed,
                "failed": pages.failed,
            },
            "problems": dict(self.problems),
            "notes": dict(self.notes),
            "id_digest": self.id_digest(),
            "content_digest": self.content_digest(),
            "filled": self.filled(),
            "licences": self.licences(),
        }


def _filled(row: Row) -> bytes:
    """Return a byte for each column of *row*: 1 if it has a value, else 0."""
    # A number 0 and False say something; None and what is empty do not.
    return bytes([1 if value or value == 0 else 0 for value in row.values()])
