"""One list of all ids, also beyond the window in which pages return anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from mplus_crawler.errors import counted
from mplus_crawler.protocols.graphql.queries import IdQuery, batches

# Queries of ids above the highest known one, and between known ones, at most.
_MOST_ABOVE = 24
_MOST_BETWEEN = 4_000
# Rows, or ids above the highest known one, by which a page may have moved between two lists.
_MOVED = 100


class IdList:
    """One list of all ids, in pages of *size*, or of the first *rows* ids.

    Ascending and descending pages reach *window* records each; the ids between them are queried
    by ranges. The list is :attr:`whole` when the number of distinct ids is the total that every
    page reports, never because a page was empty.
    """

    def __init__(
        self, size: int, window: int, rows: int | None = None, avoid: Sequence[int] = ()
    ) -> None:
        self.ids: set[int] = set()
        self.duplicates = Counter[int]()
        self.total: int | None = None
        self.moved = False
        self.unusable: set[str] = set()
        self.failed = ""
        self.reached = 0  # rows that pages in either order have reached
        self._size = size
        self._reach = window // size * size
        self._reported: int | None = None
        self._former: int | None = None
        self._rows_wanted = rows
        self._avoid = avoid
        self._queried: set[str] = set()
        self._open: set[str] = set()
        self._rows: dict[int, int] = {}
        self._broken_rows: set[int] = set()
        self._broken_ids: set[int] = set()
        self._gaps_queried = False
        self._top = self._above = 0

    def start(self, former: IdList | None = None) -> list[IdQuery]:
        """The first queries; if a *former* list gives the total, those of all pages.

        Records that broke a page of the former list are left out by querying ranges of ids.
        """
        if former is None or former.total is None:
            return self._open_new([IdQuery(0, self._size)])
        self._former = former.total
        known = sorted(former.ids | former._broken_ids)
        self._broken_ids = set(former._broken_ids)
        parts: list[IdQuery] = []
        for part in [IdQuery(0, self._size), *self._rest(former.total)]:
            span = self._span(part, former.total, known)
            if any(id_ in span for id_ in self._broken_ids):
                others = (id_ for id_ in span if id_ not in self._broken_ids)
                parts += [IdQuery(0, self._size, ids=ids) for ids in batches(others, self._size)]
                self._queried.add(part.key)
            else:
                parts.append(part)
        return self._open_new(parts)

    def is_open(self, part: IdQuery) -> bool:
        """Whether the list waits for the response to *part*."""
        return part.key in self._open

    @property
    def done(self) -> bool:
        """Whether no query is open."""
        return not self._open

    @property
    def whole(self) -> bool:
        """Whether it is proven to contain all ids."""
        return self.done and not self.moved and not self.failed and self.counted == self.total

    @property
    def counted(self) -> int:
        """The number of records, by the ids received."""
        return len(self.ids | self._broken_ids) + len(self.unusable) + self.duplicates.total()

    def take(
        self, part: IdQuery, ids: Sequence[int], total: int | None, unusable: Sequence[str] = ()
    ) -> list[IdQuery]:
        """Enter the *ids* and the *total* of the response to *part*; return the next queries.

        *unusable* ids, which no query can request, are the highest.

        Raise ValueError where the response is wrong: rows are missing or out of order.
        """
        if total is not None:
            self._reported = total
        if list(ids) != sorted(ids, reverse=part.descending):
            raise ValueError("ids are out of order")
        if part.ids:
            _check_list(part, ids, total, len(unusable))
            self._enter(part, ids)
            return self._between()
        total = self._page_total(part, len(ids) + len(unusable), total)
        self._enter(part, ids)
        self.unusable.update(unusable)
        first = self.total is None
        self.moved |= not first and total != self.total
        self.total = total
        if ids or unusable:
            self.reached = max(self.reached, (part.page + 1) * part.size)
        for place, id_ in enumerate(ids, len(unusable) if part.descending else 0):
            self._rows[self._row(part, place)] = id_
        return (self._open_new(self._rest(total)) if first else []) or self._between()

    def _page_total(self, part: IdQuery, came: int, total: int | None) -> int:
        """The total that a page with all of its rows reports; raise ValueError for others."""
        if total is None and not came and self._ends_before(part):
            total = self.total
        if total is None:
            raise ValueError("the response has no total" if came else "the response is empty")
        due = max(0, min(part.size, total - part.page * part.size))
        self.moved |= came > due  # the total is too low
        if came != due:
            raise ValueError(f"the response has {came} of {counted(due, 'id')}")
        return total

    def _enter(self, part: IdQuery, ids: Sequence[int]) -> None:
        self._open.discard(part.key)
        self.ids.update(ids)
        self.duplicates |= Counter(ids) - Counter(set(ids))

    def broken(self, part: IdQuery) -> list[IdQuery]:
        """Smaller queries instead of *part*, which a record has broken; in the end, note its id."""
        self._open.discard(part.key)
        if not part.single:
            return self.smaller(part)
        if part.ids:
            self._broken_ids.update(part.ids)
        else:
            self._broken_rows.add(self._row(part, 0))
        return self._between()

    def smaller(self, part: IdQuery) -> list[IdQuery]:
        """*part* in smaller queries, which have other keys in the server's cache."""
        self._open.discard(part.key)
        parts = [one for one in part.parts(self._avoid) if one.ids or not self._ends_before(one)]
        return self._open_new(parts) or self._between()

    def give_up(self, part: IdQuery, reason: str) -> None:
        """Note that *part* has failed for good."""
        self._open.discard(part.key)
        self.failed = reason

    @property
    def unreadable(self) -> set[int]:
        """Ids of records that break every response they are in."""
        return self._broken_ids

    @property
    def unidentified(self) -> int:
        """The number of rows that cannot be read and whose id was not found."""
        return max(0, len(self._broken_rows) - len(self._broken_ids))

    def _rest(self, total: int) -> Iterator[IdQuery]:
        """The pages after the first."""
        rows = total if self._rows_wanted is None else min(total, self._rows_wanted)
        up = min(rows, self._reach)
        down = min(rows - up, self._reach)
        for page in range(1, -(-up // self._size)):
            yield IdQuery(page, self._size)
        for page in range(-(-down // self._size)):
            yield IdQuery(page, self._size, descending=True)

    def _between(self) -> list[IdQuery]:
        """When all pages are in: queries of the ids between them, and of rows that broke a page."""
        if self._open or self._rows_wanted is not None:
            return []
        if not self._gaps_queried:
            self._gaps_queried = True
            if lists := self._gaps():
                return lists
        if self.total is None:  # ranges have replaced all pages; each has a separate total
            self.total = self.counted
            self.moved |= self.total != self._former
        return [] if self.failed else self._above_highest()

    def _gaps(self) -> list[IdQuery]:
        """Queries of the ids that pages have left out."""
        gaps = [self._gap(row) for row in self._broken_rows]
        total = (self._former if self.total is None else self.total) or 0
        if total > 2 * self._reach:
            ends = self._reach, total - self._reach
            low = max((i for r, i in self._rows.items() if r < ends[0]), default=-1)
            high = min((i for r, i in self._rows.items() if r >= ends[1]), default=self._highest)
            gaps.append(range(low + 1, high))
        if sum(map(len, gaps)) > _MOST_BETWEEN * self._size:
            self.failed = "too many ids may lie between the known ones"
            return []
        lists = [
            IdQuery(0, self._size, ids=ids)
            for gap in gaps
            for ids in batches((id_ for id_ in gap if id_ not in self._broken_ids), self._size)
        ]
        if self._broken_rows and len(lists) <= len(self._broken_rows):
            # Each holds a record that breaks it: query its parts instead.
            lists = [part for one in lists for part in ([one] if one.single else one.parts())]
        return self._open_new(lists)

    @property
    def _highest(self) -> int:
        return max(self.ids, default=0)

    def _gap(self, row: int) -> range:
        """The ids that the record in *row* can have: those between its neighbours."""
        low = max((i for r, i in self._rows.items() if r < row), default=-1)
        high = min((i for r, i in self._rows.items() if r > row), default=0)
        if not high:
            high = self._top = low + self._size
        return range(low + 1, high)

    def _above_highest(self) -> list[IdQuery]:
        """Queries of higher ids, to find a last record that cannot be read."""
        if not self._top or not self.unidentified or self._above == _MOST_ABOVE:
            return []
        self._above += 1
        low, self._top = self._top, self._top + self._size
        return self._open_new([IdQuery(0, self._size, ids=tuple(range(low, self._top)))])

    def _ends_before(self, part: IdQuery) -> bool:
        """Whether *part* begins where there are no more records."""
        total = self._reported if self.total is None else self.total
        return total is not None and part.page * part.size >= max(1, total)

    def _row(self, part: IdQuery, place: int) -> int:
        """The position among all ids, in ascending order, of the id at *place* of *part*."""
        row = part.page * part.size + place
        return (self.total or 0) - 1 - row if part.descending else row

    def _span(self, part: IdQuery, total: int, known: Sequence[int]) -> range:
        """The ids that *part* covers, and some on either side, since rows may have moved."""
        first, last = part.page * part.size, (part.page + 1) * part.size
        if part.descending:
            first, last = total - last, total - first
        first, last = first - _MOVED, last + _MOVED
        low = known[first - 1] + 1 if 0 < first <= len(known) else 0
        if last < len(known):
            return range(low, known[last - 1] + 1)
        # New records have higher ids. Fill the last query: an empty one costs a confirmation.
        high = known[-1] + 1 + _MOVED
        return range(low, high + (low - high) % self._size)

    def _open_new(self, parts: Sequence[IdQuery] | Iterator[IdQuery]) -> list[IdQuery]:
        new = {part.key: part for part in parts if part.key not in self._queried}
        self._queried.update(new)
        self._open.update(new)
        return [*new.values()]


def _check_list(part: IdQuery, ids: Sequence[int], total: int | None, unusable: int) -> None:
    """Raise ValueError where *ids* cannot be the existing ids of *part*, *total* in number."""
    if unusable or not set(ids) <= set(part.ids):
        raise ValueError("the response has ids that were not requested")
    if len(ids) != (total or 0):
        raise ValueError(f"the response has {len(ids)} of {counted(total or 0, 'id')}")
    if not ids and not part.empty:
        raise ValueError("the list is empty; retrying to confirm")
