"""Which museum a file's records are from, and when they were retrieved, by its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import IO, Any

from mplus_crawler.errors import UsageError
from mplus_crawler.feeds.retention.terms import Term
from mplus_crawler.records.reader import DAMAGE, decompressed, format_of, read_lines
from mplus_crawler.records.rights import INVENTED
from mplus_crawler.verification.tables import READERS, table_format


@dataclass(slots=True)
class Contents:
    """Counts of a file's rows: the museum's, with the time of the oldest, and all others.

    A row without the columns that show this is not counted.
    """

    ours: int = 0
    others: int = 0
    oldest: datetime | None = None

    def add(self, since: datetime) -> None:
        """Count a row of the museum's, retrieved at *since*."""
        self.ours += 1
        self.oldest = min(since, self.oldest or since)


def examine(file: IO[bytes], term: Term, *, rejected: bool = False) -> Contents:
    """The contents of *file*, in any of our formats; of a rejected file every row is the museum's.

    Unreadable rows are not counted.
    """
    contents = Contents()
    try:
        for row in _rows(file):
            if since := _retrieved(row, term, rejected=rejected):
                contents.add(since)
            elif "expires_at" in row:
                contents.others += 1
    except (ValueError, UsageError, *DAMAGE):  # damaged, or the package that reads it is missing
        pass
    return contents


def _rows(file: IO[bytes]) -> Iterator[Mapping[str, Any]]:
    if format_ := table_format(file):
        with TemporaryDirectory() as folder:  # SQLite reads paths only
            path = Path(folder, "table")
            with path.open("wb") as copy:
                copyfileobj(file, copy)
            yield from READERS[format_](path)
        return
    source = decompressed(file)
    for line in read_lines(source, format_of(source)):
        if line.row is not None:
            yield line.row


def moment(text: object) -> datetime | None:
    """The moment that *text* (ISO 8601) names; a date is its first second, all are in UTC."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _retrieved(row: Mapping[str, Any], term: Term, *, rejected: bool) -> datetime | None:
    """When *row* was retrieved, if it is from the museum of *term*."""
    if rejected:
        return moment(row.get("retrieved_at"))
    if str(row.get("source", term.source)).removesuffix(INVENTED) != term.source:
        return None
    expiry = moment(row.get("expires_at"))
    return expiry and expiry - term.keep
