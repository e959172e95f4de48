"""Changes in a sentence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from mplus_crawler.feeds.changes.change import Change, ChangeType

_LANGUAGE = re.compile(r"_(nl|fr|en|zh)$")
# They follow from other columns, or say nothing to a reader.
_UNTOLD = frozenset(("record", "modified", "uri", "url", "label", "attribution", "sort_number"))
_MOST_COLUMNS = 4
_MOST_MERGED = 2


def sentence(changes: Iterable[Change], since: str) -> str:
    """Return what *changes*, at most one an id, come to: "since 14 November: 12 new, 1 gone"."""
    parts = [part for part in _parts([*changes]) if part]
    return f"{since}: {', '.join(parts) or 'nothing has changed'}"


def since(moment: str, now: datetime) -> str:
    """Return "since 14 November" for *moment* (ISO 8601); with the year unless it is *now*'s."""
    day = datetime.fromisoformat(moment)
    year = "" if day.year == now.year else f" {day.year}"
    return f"since {day.day} {day:%B}{year}"


def _parts(changes: Sequence[Change]) -> Iterable[str]:
    by_type: dict[str, list[Change]] = {type_: [] for type_ in ChangeType}
    for change in changes:
        by_type[change.type].append(change)
    updates = [change for change in by_type[ChangeType.UPDATE] if not change.regenerated]
    again = len(by_type[ChangeType.UPDATE]) - len(updates)
    yield _count(len(by_type[ChangeType.CREATE]), "new")
    yield _count(len(by_type[ChangeType.RESTORE]), "back")
    yield _count(len(updates), "changed") + _columns(updates)
    yield _count(again, "written anew without a change")
    yield _merged(by_type[ChangeType.MOVE])
    yield _count(len(by_type[ChangeType.DELETE]), "gone")
    yield _count(len(by_type[ChangeType.MISSING]), "missing")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number else ""


def _columns(updates: Sequence[Change]) -> str:
    """Return " (2 titles, 1 image)": in how many records each kind of column differs."""
    counts: Counter[str] = Counter()
    for change in updates:
        names = dict.fromkeys(_LANGUAGE.sub("", name) for name in change.columns or ())
        counts.update(name for name in names if name not in _UNTOLD)
    told = [_of(name, number) for name, number in counts.most_common(_MOST_COLUMNS)]
    if len(counts) > _MOST_COLUMNS:
        told.append("…")
    return f" ({', '.join(told)})" if told else ""


def _of(name: str, number: int) -> str:
    """Return *number* and the column's *name* in words: "1 image", "2 titles"."""
    words = name.replace("_", " ")
    one = re.sub("ies$", "y", words) if words.endswith("ies") else re.sub("(?<!s)s$", "", words)
    if number == 1:
        return f"1 {one}"
    return f"{number:,} {one[:-1]}ies" if one.endswith("y") else f"{number:,} {one}s"


def _merged(moves: Sequence[Change]) -> str:
    """Return "1 merged into …", and for several "5 merged or renumbered"."""
    if not moves:
        return ""
    if len(moves) > _MOST_MERGED:
        return f"{len(moves):,} merged or moved to another id"
    words = [("moved to" if "same" in move.evidence else "merged into") for move in moves]
    return ", ".join(f"1 {word} {move.to}" for word, move in zip(words, moves, strict=True))
