"""The order of a feed's lines: by id, whatever order they came in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import IO

from mplus_crawler.storage.sqlite import scratch

_MOST = 1 << 18  # bytes that are read at once


class Order:
    """Ids and places of lines as they are written, in SQLite's own temporary database."""

    def __init__(self) -> None:
        self._db = scratch("CREATE TABLE lines (id TEXT, start INTEGER, length INTEGER)")
        self._end = 0

    def add(self, lines: Iterable[tuple[str, int]]) -> None:
        """Add *lines*, each by id and length in bytes, which follow those added before."""
        places = []
        for id_, length in lines:
            places.append((id_, self._end, length))
            self._end += length
        self._db.executemany("INSERT INTO lines VALUES (?, ?, ?)", places)

    def lines(self, without: Collection[str], file: IO[bytes], _former: int) -> Iterator[bytes]:
        """Yield the lines of *file*, sorted by id in UTF-8, except those of the ids *without*.

        Of several lines with one id, the last counts.
        """
        for start, length in self._stretches(without):
            file.seek(start)
            yield file.read(length)

    def _stretches(self, without: Collection[str]) -> Iterator[tuple[int, int]]:
        """Yield start and length of lines; adjacent lines are joined."""
        first, end = 0, 0
        # SQLite takes the other columns from the row with the maximum.
        last = "SELECT id, max(start), length FROM lines GROUP BY id ORDER BY id"
        for id_, start, length in self._db.execute(last):
            if id_ in without:
                continue
            if start != end or end - first > _MOST:
                yield first, end - first
                first = start
            end = start + length
        yield first, end - first
