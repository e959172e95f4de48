"""Lists of records to ask for: an argument, a file with one a line, or a feed of ours."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import chain
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

import orjson

from mplus_crawler.errors import UsageError
from mplus_crawler.protocols.validators import StoredResponse
from mplus_crawler.records.reader import csv_rows
from mplus_crawler.storage.sqlite import scratch

_SCHEMA = """
CREATE TABLE asked (place INTEGER PRIMARY KEY, uri TEXT UNIQUE);
CREATE TABLE former (uri TEXT PRIMARY KEY, body BLOB, modified TEXT);
"""


@dataclass(frozen=True, slots=True)
class RecordReference:
    """A PID or URI as it was given, *where*, and the *row* of the feed that it is from."""

    value: str
    where: str
    row: Mapping[str, Any] = field(default_factory=dict)


def entries(arguments: Mapping[str, str]) -> Iterator[RecordReference]:
    """What ``pids`` or ``pids_file`` names, in order; :class:`UsageError` if it can't be read."""
    if "pids_file" in arguments:
        yield from _in_file(arguments["pids_file"])
    else:
        for value in filter(None, map(_trimmed, arguments["pids"].split(","))):
            yield RecordReference(value, "pids")


def record_uri(entry: RecordReference, home: str, canonical: Callable[[str], str]) -> str:
    """The canonical URI of a record below *home*; :class:`UsageError` for any other URI."""
    if not entry.value.lower().startswith(("http://", "https://")):
        return home + quote(entry.value, safe="")
    uri = canonical(entry.value)
    if not is_record(uri, home):
        raise UsageError(f"{entry.where}: {entry.value} is not below {home}; give PIDs or URIs")
    return uri


def is_record(uri: str, home: str) -> bool:
    """Whether *uri*, which is canonical, is that of a record below *home*."""
    return uri.startswith(home) and "/" not in uri[len(home) :]


class Asked:
    """The distinct records to ask for, in the order of the list, on SQLite's temporary disk.

    Beside them, what a former feed holds of some.
    """

    def __init__(self) -> None:
        self._db = scratch(_SCHEMA)

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM asked").fetchone()[0])

    def __iter__(self) -> Iterator[str]:
        return (row[0] for row in self._db.execute("SELECT uri FROM asked ORDER BY place"))

    def add(self, uri: str) -> None:
        """Ask for *uri*, once."""
        self._db.execute("INSERT OR IGNORE INTO asked (uri) VALUES (?)", (uri,))

    def remember(self, uri: str, body: bytes, modified: str) -> None:
        """A former feed has *body* for *uri*, last *modified* (an HTTP date)."""
        self._db.execute("INSERT OR REPLACE INTO former VALUES (?, ?, ?)", (uri, body, modified))

    def former(self, uri: str) -> StoredResponse | None:
        """What a former feed has of *uri*."""
        query = "SELECT body, modified FROM former WHERE uri = ?"
        row = self._db.execute(query, (uri,)).fetchone()
        return StoredResponse(row[0], last_modified=row[1]) if row else None


def http_date(modified: object) -> str:
    """*modified*, as records write it (without zone: UTC), as an HTTP date; empty for none."""
    try:
        moment = datetime.fromisoformat(modified if isinstance(modified, str) else "")
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return format_datetime(zoned.astimezone(UTC), usegmt=True)
    except (ValueError, OverflowError):
        return ""


def _in_file(name: str) -> Iterator[RecordReference]:
    if not Path(name).is_file():
        raise UsageError(f"pids_file={name}: there is no such file")
    found = False
    try:
        with Path(name).open(encoding="utf-8-sig", newline="") as file:
            for entry in _read(file, name):
                found = True
                yield entry
    except OSError as error:
        raise UsageError(f"pids_file={name} cannot be read: {error.strerror or error}") from None
    except (ValueError, csv.Error) as error:
        raise UsageError(f"pids_file={name} cannot be read: {error}") from None
    if not found:
        raise UsageError(f"pids_file={name} names no record: write one PID a line")


def _read(file: TextIO, name: str) -> Iterator[RecordReference]:
    """The entries of *file*, which says by its first line what it is."""
    numbered = ((number, line) for number, line in enumerate(file) if _trimmed(line))
    before, first = next(numbered, (0, ""))
    lines = chain([first], file)
    if _trimmed(first).startswith("{"):
        yield from _json_lines(lines, name, before)
    elif name.lower().endswith(".csv") or "id" in next(csv_rows([first])):
        yield from _csv(lines, name, before)
    elif _trimmed(first).startswith(("[{", "<?xml")) or _trimmed(first) == "[":
        raise ValueError("of feeds, JSON lines and CSV are read")
    else:
        for number, line in enumerate(lines, before + 1):
            if value := _trimmed(line):
                yield RecordReference(value, f"{name}, line {number}")


def _json_lines(lines: Iterator[str], name: str, before: int) -> Iterator[RecordReference]:
    for number, line in enumerate(lines, before + 1):
        if not _trimmed(line):
            continue
        try:
            row = orjson.loads(_trimmed(line))
        except orjson.JSONDecodeError as error:
            raise ValueError(f"line {number} is no JSON ({error})") from None
        value = row.get("id") if isinstance(row, dict) else None
        if not isinstance(value, str) or not _trimmed(value):
            raise ValueError(f"line {number} has no id")
        yield RecordReference(_trimmed(value), f"{name}, line {number}", row)


def _csv(lines: Iterator[str], name: str, before: int) -> Iterator[RecordReference]:
    rows = csv_rows(lines, strict=True)
    heads = next(rows)
    if "id" not in heads:
        raise ValueError("it has no column id")
    column = heads.index("id")
    for row in rows:
        number = before + rows.line_num
        if not any(map(_trimmed, row)):
            continue
        if len(row) <= column or not _trimmed(row[column]):
            raise ValueError(f"line {number} has no id")
        yield RecordReference(_trimmed(row[column]), f"{name}, line {number}")


def _trimmed(text: str) -> str:
    """*text* without the blanks around it, and without a byte order mark."""
    return text.strip("\ufeff \t\r\n")
