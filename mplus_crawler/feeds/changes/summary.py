"""Changes in a sentence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from mplus_crawler.errors import counted
from mplus_crawler.feeds.changes.change import Change, ChangeType

_LANGUAGE = re.compile(r"_(nl|fr|en|zh)$")
# They follow from other columns, or say nothing to a reader.
_UNNAMED = frozenset(("record", "modified", "uri", "url", "label", "attribution", "image_rights"))
_MOST_COLUMNS = 4
_MOST_MOVES = 2


@dataclass(slots=True)
class Summary:
    """Counts of changes, at most one for each id; memory does not grow with them."""

    counts: Counter[str] = field(default_factory=Counter)
    regenerated: int = 0
    _columns: Counter[str] = field(default_factory=Counter)
    _moves: list[Change] = field(default_factory=list)

    @classmethod
    def of(cls, changes: Iterable[Change]) -> Self:
        """Return the summary of *changes*."""
        summary = cls()
        for change in changes:
            summary.add(change)
        return summary

    def add(self, change: Change) -> None:
        """Count *change*."""
        self.counts[change.type] += 1
        self.regenerated += change.regenerated
        if change.type is ChangeType.MOVE and len(self._moves) < _MOST_MOVES:
            self._moves.append(change)
        if change.type is ChangeType.UPDATE and not change.regenerated:
            names = (_LANGUAGE.sub("", name) for name in change.columns)
            named = dict.fromkeys(_singular(name) for name in names if name not in _UNNAMED)
            self._columns.update(named.keys())

    def sentence(self, beginning: str) -> str:
        """Return *beginning* and what has changed: "since 14 November: 12 new, 1 gone"."""
        return f"{beginning}: {', '.join(filter(None, self._parts())) or 'no change'}"

    def _parts(self) -> Iterator[str]:
        counts = self.counts
        yield _count(counts[ChangeType.CREATE], "new")
        yield _count(counts[ChangeType.RESTORE], "back")
        changed = _count(counts[ChangeType.UPDATE] - self.regenerated, "changed")
        yield changed + (f" ({columns})" if (columns := self._changed_columns()) else "")
        yield _count(self.regenerated, "with a new date only")
        yield self._moved()
        yield _count(counts[ChangeType.DELETE], "gone")
        yield _count(counts[ChangeType.MISSING], "missing")

    def _changed_columns(self) -> str:
        """Return "2 titles, 1 image": in how many records each kind of column differs."""
        named = [counted(number, name) for name, number in self._columns.most_common(_MOST_COLUMNS)]
        return ", ".join([*named, "…"] if len(self._columns) > _MOST_COLUMNS else named)

    def _moved(self) -> str:
        number = self.counts[ChangeType.MOVE]
        if number > _MOST_MOVES:
            return f"{number:,} merged or moved to another id"
        words = [("moved to" if "same" in one.evidence else "merged into") for one in self._moves]
        return ", ".join(f"1 {word} {one.to}" for word, one in zip(words, self._moves, strict=True))


def since(moment: str, now: datetime) -> str:
    """Return "since 14 November" for *moment* (ISO 8601); with the year unless it is *now*'s."""
    day = datetime.fromisoformat(moment)
    year = "" if day.year == now.year else f" {day.year}"
    return f"since {day.day} {day:%B}{year}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number else ""


def _singular(name: str) -> str:
    """Return what a column has, in words: "image" for ``images``."""
    words = name.removesuffix("_cm").replace("_", " ")
    return re.sub("ies$", "y", words) if words.endswith("ies") else re.sub("(?<!s)s$", "", words)
