"""The roll: every id that there is, listed past the window behind which the API falls silent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from mplus_crawler.protocols.graphql.questions import Listing, batches

# Lists of ids that are looked through above the highest known one, and between known ones.
_FARTHEST = 24
_WIDEST = 1_000
# Rows, or ids above the highest known one, by which a part may have moved between two rolls.
_MOVED = 100


class IdList:
    """One pass over all ids, in parts of *size*.

    Pages from the low end reach *window* records, and pages from the high end as many; what is
    between them is asked for by ranges of ids. It is :attr:`whole` when as many distinct ids
    are in hand as every part has said that there are, never because a part was empty.
    """

    def __init__(
        self, size: int, window: int, rows: int | None = None, avoid: Sequence[int] = ()
    ) -> None:
        self.ids: set[int] = set()
        self.twice = Counter[int]()
        self.total: int | None = None
        self.moved = False
        self.failed = ""
        self._size = size
        self._reach = window // size * size
        self._said: int | None = None
        self._former: int | None = None
        self._most = rows
        self._avoid = avoid
        self._asked: set[str] = set()
        self._open: set[str] = set()
        self._rows: dict[int, int] = {}
        self._broken_rows: set[int] = set()
        self._broken_ids: set[int] = set()
        self._swept = False
        self._top = self._farther = 0

    def begin(self, former: IdList | None = None) -> list[Listing]:
        """The parts to ask for at first; all of them where a *former* roll tells how many.

        Records that broke their part in the former roll are gone round.
        """
        if former is None or former.total is None:
            return self._ask([Listing(0, self._size)])
        self._former = former.total
        known = sorted(former.ids | former._broken_ids)
        self._broken_ids = set(former._broken_ids)
        parts: list[Listing] = []
        for part in [Listing(0, self._size), *self._rest(former.total)]:
            span = self._span(part, former.total, known)
            if any(id_ in span for id_ in self._broken_ids):
                wanted = (id_ for id_ in span if id_ not in self._broken_ids)
                parts += [Listing(0, self._size, ids=ids) for ids in batches(wanted, self._size)]
                self._asked.add(part.key)
            else:
                parts.append(part)
        return self._ask(parts)

    @property
    def over(self) -> bool:
        """Whether nothing is left to ask."""
        return not self._open

    @property
    def whole(self) -> bool:
        """Whether it is proven to hold every id."""
        return self.over and not self.moved and not self.failed and self.counted == self.total

    @property
    def counted(self) -> int:
        """How many there are, by what is in hand."""
        return len(self.ids | self._broken_ids) + self.twice.total()

    def take(self, part: Listing, ids: Sequence[int], total: int | None) -> list[Listing]:
        """Enter what *part* has brought; the parts that are to be asked for now.

        Raises ValueError where it cannot be right: rows are missing, or out of order.
        """
        if total is not None:
            self._said = total
        if list(ids) != sorted(ids, reverse=part.descending):
            raise ValueError("ids are out of order")
        if part.ids:
            _check_list(part, ids, total)
            self._enter(part, ids)
            return self._middle()
        total = self._page_total(part, ids, total)
        self._enter(part, ids)
        first = self.total is None
        self.moved |= not first and total != self.total
        self.total = total
        for place, id_ in enumerate(ids):
            self._rows[self._row(part, place)] = id_
        return (self._ask(self._rest(total)) if first else []) or self._middle()

    def _page_total(self, part: Listing, ids: Sequence[int], total: int | None) -> int:
        """How many records there are, by a page that has all of its rows; else ValueError."""
        if total is None and not ids and self._ends_before(part):
            total = self.total
        if total is None:
            raise ValueError("no total came" if ids else "nothing came")
        due = max(0, min(part.size, total - part.page * part.size))
        self.moved |= len(ids) > due  # the total is too low, here or later
        if len(ids) != due:
            raise ValueError(f"{len(ids)} of {due} ids came")
        return total

    def _enter(self, part: Listing, ids: Sequence[int]) -> None:
        self._open.discard(part.key)
        self.ids.update(ids)
        self.twice |= Counter(ids) - Counter(set(ids))

    def broken(self, part: Listing) -> list[Listing]:
        """Smaller parts of one that a record in it has broken; the id itself in the end."""
        self._open.discard(part.key)
        if not part.single:
            return self.smaller(part)
        if part.ids:
            self._broken_ids.update(part.ids)
        else:
            self._broken_rows.add(self._row(part, 0))
        return self._middle()

    def smaller(self, part: Listing) -> list[Listing]:
        """*part* in smaller ones, which the server's cache knows under other keys."""
        self._open.discard(part.key)
        parts = [one for one in part.parts(self._avoid) if one.ids or not self._ends_before(one)]
        return self._ask(parts) or self._middle()

    def give_up(self, part: Listing, reason: str) -> None:
        """*part* cannot be had."""
        self._open.discard(part.key)
        self.failed = reason

    @property
    def unreadable(self) -> set[int]:
        """Ids that there are, and that break every part they are in."""
        return self._broken_ids

    @property
    def nameless(self) -> int:
        """How many rows cannot be read, and were not found by id either."""
        return max(0, len(self._broken_rows) - len(self._broken_ids))

    def _rest(self, total: int) -> Iterator[Listing]:
        """The pages after the first."""
        rows = total if self._most is None else min(total, self._most)
        up = min(rows, self._reach)
        down = min(rows - up, self._reach)
        for page in range(1, -(-up // self._size)):
            yield Listing(page, self._size)
        for page in range(-(-down // self._size)):
            yield Listing(page, self._size, descending=True)

    def _middle(self) -> list[Listing]:
        """When both ends are in: what is between them, and ids of rows that broke their part."""
        if self._open or self._most is not None:
            return []
        if not self._swept:
            self._swept = True
            if lists := self._sweep():
                return lists
        if self.total is None:  # every page was gone round, by ranges that prove themselves
            self.total = self.counted
            self.moved |= self.total != self._former
        return [] if self.failed else self._beyond()

    def _sweep(self) -> list[Listing]:
        """Lists of the ids that pages have left out."""
        gaps = [self._gap(row) for row in self._broken_rows]
        total = (self._former if self.total is None else self.total) or 0
        if total > 2 * self._reach:
            ends = self._reach, total - self._reach
            low = max((i for r, i in self._rows.items() if r < ends[0]), default=-1)
            high = min((i for r, i in self._rows.items() if r >= ends[1]), default=self._highest)
            gaps.append(range(low + 1, high))
        if sum(map(len, gaps)) > _WIDEST * self._size:
            self.failed = "the ids that may lie between known ones are too many to be asked for"
            return []
        lists = [
            Listing(0, self._size, ids=ids)
            for gap in gaps
            for ids in batches((id_ for id_ in gap if id_ not in self._broken_ids), self._size)
        ]
        if self._broken_rows and len(lists) <= len(self._broken_rows):
            # Each holds a record that breaks it: its parts tell which.
            lists = [part for one in lists for part in ([one] if one.single else one.parts())]
        return self._ask(lists)

    @property
    def _highest(self) -> int:
        return max(self.ids, default=0)

    def _gap(self, row: int) -> range:
        """The ids that the record in *row* can have: between those of its neighbours."""
        low = max((i for r, i in self._rows.items() if r < row), default=-1)
        high = min((i for r, i in self._rows.items() if r > row), default=0)
        if not high:
            high = self._top = low + self._size
        return range(low + 1, high)

    def _beyond(self) -> list[Listing]:
        """Higher ids, for a last record that has no neighbour above it; to some length."""
        if not self._top or not self.nameless or self._farther == _FARTHEST:
            return []
        self._farther += 1
        low, self._top = self._top, self._top + self._size
        return self._ask([Listing(0, self._size, ids=tuple(range(low, self._top)))])

    def _ends_before(self, part: Listing) -> bool:
        """Whether *part* begins where there are no more records."""
        total = self._said if self.total is None else self.total
        return total is not None and part.page * part.size >= max(1, total)

    def _row(self, part: Listing, place: int) -> int:
        """Where the id at *place* of *part* stands among all, counted from the lowest."""
        row = part.page * part.size + place
        return (self.total or 0) - 1 - row if part.descending else row

    def _span(self, part: Listing, total: int, known: Sequence[int]) -> range:
        """The ids that *part* covers, and some on either side: rows may have moved since."""
        first, last = part.page * part.size, (part.page + 1) * part.size
        if part.descending:
            first, last = total - last, total - first
        first, last = first - _MOVED, last + _MOVED
        low = known[first - 1] + 1 if 0 < first <= len(known) else 0
        if last < len(known):
            return range(low, known[last - 1] + 1)
        # New ones have higher ids. The last list is filled up: one that is empty is to be seen
        # twice.
        high = known[-1] + 1 + _MOVED
        return range(low, high + (low - high) % self._size)

    def _ask(self, parts: Sequence[Listing] | Iterator[Listing]) -> list[Listing]:
        new = {part.key: part for part in parts if part.key not in self._asked}
        self._asked.update(new)
        self._open.update(new)
        return [*new.values()]


def _check_list(part: Listing, ids: Sequence[int], total: int | None) -> None:
    """Raise ValueError where *ids* cannot be those of *part* that there are, *total* in number."""
    if not set(ids) <= set(part.ids):
        raise ValueError("ids came that were not asked for")
    if len(ids) != (total or 0):
        raise ValueError(f"{len(ids)} of {total} ids came")
    if not ids and not part.empty:
        raise ValueError("nothing came, which is to be seen twice")
