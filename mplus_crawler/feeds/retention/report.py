"""The list of holdings, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from mplus_crawler.feeds.retention.holdings import Holding
from mplus_crawler.records.batch import stamp

_HEAD = ("due", "", "age", "spider", "what", "place")
_DAY = timedelta(days=1)
_UNKNOWN = 1000  # days; older is of no known age


def table(holdings: Sequence[Holding], at: datetime) -> Iterator[str]:
    """A line for each, as it is *at* that moment, under a head."""
    if not holdings:
        yield "nothing is kept that has a date"
        return
    rows = [_HEAD, *(_row(holding, at) for holding in holdings)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield printable("  ".join(cells).rstrip())


def printable(text: str) -> str:
    """*text* in one line that nothing in a file's name can break."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _row(holding: Holding, at: datetime) -> tuple[str, ...]:
    days = (at - holding.since) / _DAY
    known = days < _UNKNOWN
    return (
        stamp(holding.due) if known else "now",
        "past" if holding.due <= at else "",
        f"{days:.1f} days" if known else "unknown",
        holding.spider,
        holding.kind,
        holding.place.uri,
    )
