"""Whose records a file holds, and of when: what its rows themselves say."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any
from xml.etree import ElementTree

import orjson

from mplus_crawler.feeds.retention.terms import Term

_BOM = b"\xef\xbb\xbf"
# A column of a record is long, but not endless.
_LONGEST_CELL = 1 << 27


@dataclass(slots=True)
class Contents:
    """The rows of a file: how many the term is for, how many not, and the oldest of the former.

    A row whose columns don't tell is in neither.
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

    What cannot be read counts for nothing.
    """
    contents = Contents()
    with suppress(ValueError, csv.Error, ElementTree.ParseError):
        for row in _rows(file):
            if since := retrieved(row, term, rejected=rejected):
                contents.add(since)
            elif "expires_at" in row:
                contents.others += 1
    return contents


def retrieved(row: Mapping[str, Any], term: Term, *, rejected: bool = False) -> datetime | None:
    """When *row* was retrieved, if *term* is for it."""
    if rejected:
        return moment(row.get("retrieved_at"))
    expiry = (
        moment(row.get("expires_at")) if row.get("source", term.source) == term.source else None
    )
    return expiry and expiry - term.keep


def moment(text: object) -> datetime | None:
    """The moment that *text* (ISO 8601) names; a date is its first second, all are in UTC."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def is_json_lines(file: IO[bytes]) -> bool:
    """Whether *file* begins as JSON lines do."""
    file.seek(0)
    return file.read(1 << 12).removeprefix(_BOM).lstrip()[:1] == b"{"


def _rows(file: IO[bytes]) -> Iterator[Mapping[str, Any]]:
    lines = is_json_lines(file)
    file.seek(0)
    first = file.read(1 << 12).removeprefix(_BOM).lstrip()[:1]
    file.seek(0)
    if lines:
        return _json_rows(file)
    if first == b"[":
        return _list(file)
    return _xml(file) if first == b"<" else _csv(file)


def _json_rows(file: IO[bytes]) -> Iterator[Mapping[str, Any]]:
    for line in file:
        # A file that was cut off has lines all the same.
        with suppress(ValueError):
            row = orjson.loads(line.strip().removeprefix(b"[").removesuffix(b","))
            if isinstance(row, dict):
                yield row


def _list(file: IO[bytes]) -> Iterator[Mapping[str, Any]]:
    try:
        rows = orjson.loads(file.read())
    except ValueError:
        file.seek(0)
        yield from _json_rows(file)
        return
    yield from (row for row in rows if isinstance(row, dict))


def _csv(file: IO[bytes]) -> Iterator[Mapping[str, Any]]:
    csv.field_size_limit(_LONGEST_CELL)
    text = io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="")
    yield from csv.DictReader(text)
    text.detach()


def _xml(file: IO[bytes]) -> Iterator[Mapping[str, Any]]:
    for _, element in ElementTree.iterparse(file):
        if element.tag == "item":
            yield {child.tag: child.text for child in element}
            element.clear()
