"""Reads a feed again: its bytes, its records, their ids."""

from __future__ import annotations

import csv
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Any

from mplus_crawler.errors import counted
from mplus_crawler.verification.certificate import Certificate
from mplus_crawler.verification.digests import JsonLine
from mplus_crawler.verification.records import schema_faults, volatile_columns
from mplus_crawler.verification.strict_json import MAX_LINE, lines
from mplus_crawler.verification.tables import READERS

MAX_DIFFERENCES = 20
# More than these are not even counted: reading stops.
MAX_COUNTED = 1_000
_JSON_LINES = ("jsonlines", "jsonl", "jl")
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


class Reading:
    """Compares a feed with its certificate: first the checksum, then the records."""

    def __init__(self, certificate: Certificate, file: Path, feed: dict[str, Any]) -> None:
        self._certificate = certificate
        self._file = file
        self._feed = feed
        self._records: int | None = None
        self._recomputed = True
        self._intact = True
        chosen = feed.get("columns")
        self._chosen = frozenset(map(str, chosen)) if isinstance(chosen, list) else None
        self._has_ids = self._chosen is None or "id" in self._chosen
        self._before = feed.get("before", 0)  # bytes of other harvests, which it was appended to
        self._skipped = 0  # lines of these
        self._ids = _Ids()

    def differences(self) -> Iterator[str]:
        """Yield every difference from the certificate."""
        try:
            with self._file.open("rb") as file:
                for difference in self._checksum(file):
                    self._intact = False
                    yield difference
                file.seek(0)
                yield from self._read(file)
        except FileNotFoundError:
            yield "no such file"
        except OSError as error:
            yield f"cannot be read: {error.strerror or error}"

    def summary(self) -> str:
        """Return a line about a feed without differences."""
        verdict, items = self._certificate["verdict"], self._feed["items"]
        if self._records is None:
            return f"{self._feed['bytes']:,} bytes, as certified ({verdict}; records not read)"
        part = "" if items == self._certificate["unique"] else ", part of the harvest"
        note = "" if self._recomputed else "; digests not recomputed"
        note = note if self._has_ids else "; has no ids to compare"
        return f"{counted(items, 'record')}{part}, as certified ({verdict}{note})"

    def _checksum(self, file: BufferedReader) -> Iterator[str]:
        if "bytes" not in self._feed or "sha256" not in self._feed:
            yield "the certificate has no checksum of it"
            return
        size, certified = os.fstat(file.fileno()).st_size, self._feed["bytes"]
        if size != certified:
            yield f"{size:,} bytes, {certified:,} certified"
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != self._feed["sha256"]:
            yield f"sha256 is {digest}, {self._feed['sha256']} certified"

    def _read(self, file: BufferedReader) -> Iterator[str]:
        read = self._reader(file)
        if read is None:
            return
        self._records = 0
        differences = read(file)
        yield from islice(differences, MAX_DIFFERENCES)
        more = sum(1 for _ in islice(differences, MAX_COUNTED))
        if more == MAX_COUNTED:
            yield f"and at least {more:,} more such differences: the rest is not read"
            return
        if more:
            yield f"and {more:,} more such differences"
        yield from self._sums()

    def _reader(self, file: BufferedReader) -> Callable[[BufferedReader], Iterator[str]] | None:
        compressed = file.read(6).startswith(_COMPRESSED)
        file.seek(0)
        if compressed:
            return None
        if self._feed["format"] in _JSON_LINES:
            return self._json_lines
        if self._feed["format"] in READERS:
            return self._table if self._intact else None  # no library reads what was changed
        return self._csv if self._feed["format"] == "csv" else None

    def _json_lines(self, file: BufferedReader) -> Iterator[str]:
        self._skip(file)
        for number, line in enumerate(lines(file), 1):
            self._records = number
            for fault in self._record(line, self._skipped + number):
                yield f"line {self._skipped + number}: {fault}"

    def _skip(self, file: BufferedReader) -> None:
        """Skip what was there before the harvest."""
        left = self._before - file.tell()
        while left > 0 and (line := file.readline(min(MAX_LINE, left))):
            self._skipped += line.endswith(b"\n")
            left -= len(line)

    def _record(self, line: bytes, number: int) -> Iterator[str]:
        if not line.endswith(b"\n"):
            yield "is truncated: no newline at its end"
        try:
            read = JsonLine(line)
        except (ValueError, RecursionError) as error:
            yield f"is not JSON: {error}"
            return
        row = read.value
        if not isinstance(row, dict):
            yield "is not a JSON object"
            return
        if self._has_ids:
            yield from self._ids.add(row.get("id"), number, row.get("digest"))
        faults = list(schema_faults(row, self._chosen))
        yield from faults or self._digest(read)

    def _digest(self, line: JsonLine) -> Iterator[str]:
        volatile = volatile_columns(line.value)
        if volatile is None:
            self._recomputed = False
            return
        try:
            if line.value["digest"] != line.digest(volatile):
                yield "its digest is not that of its content"
        except RecursionError:
            yield "its digest cannot be recomputed: too many nested levels"

    def _table(self, _: BufferedReader) -> Iterator[str]:
        format_ = self._feed["format"]
        self._recomputed = False  # other libraries write numbers in another way
        try:
            for number, row in enumerate(READERS[format_](self._file), 1):
                self._records = number
                self._has_ids = "id" in row
                faults = (
                    [*self._ids.add(row["id"], number, row.get("digest"))] if self._has_ids else []
                )
                if format_ == "parquet":  # others keep lists elsewhere, or as text
                    faults += schema_faults(row, self._chosen)
                for fault in faults:
                    yield f"row {number}: {fault}"
        except (OSError, ValueError) as error:
            yield f"cannot be read as {format_}: {error}"

    def _csv(self, file: BufferedReader) -> Iterator[str]:
        csv.field_size_limit(MAX_LINE)
        rows = csv.reader((line.decode("utf-8-sig") for line in self._csv_lines(file)), strict=True)
        try:
            for fault in self._rows(rows):
                yield f"line {self._skipped + rows.line_num}: {fault}"
        except (ValueError, csv.Error) as error:
            yield f"line {self._skipped + rows.line_num + 1}: is not CSV in UTF-8: {error}"

    def _csv_lines(self, file: BufferedReader) -> Iterator[bytes]:
        """Yield the lines with the headings, then those of the harvest."""
        if self._before:
            yield file.readline(MAX_LINE)
            self._skip(file)
        yield from lines(file)

    def _rows(self, rows: Any) -> Iterator[str]:
        columns = next(rows, ["id"])
        if not columns:
            yield "has no headings"
            return
        self._has_ids = "id" in columns
        for number, row in enumerate(rows, 1):
            self._records = number
            if len(row) != len(columns):
                yield f"{counted(len(row), 'cell')} under {counted(len(columns), 'heading')}"
            elif self._has_ids:
                cells = dict(zip(columns, row, strict=True))
                yield from self._ids.add(
                    cells["id"], self._skipped + rows.line_num, cells.get("digest")
                )

    def _sums(self) -> Iterator[str]:
        items, certified = self._feed["items"], self._certificate["unique"]
        if self._records != items:
            yield f"{counted(self._records or 0, 'record')}, {items:,} certified"
        if not self._has_ids:
            return
        unique, digest = self._ids.count(), self._ids.digest()
        same_ids = digest == self._certificate["id_digest"]
        if self._partial and not same_ids:
            return
        if unique != certified:
            yield f"{counted(unique, 'unique id')}, {certified:,} certified"
        if not same_ids:
            yield f"its ids differ from the certified ones: id_digest is {digest}"
            return
        content = self._ids.content_digest()
        if content not in (None, self._certificate["content_digest"]):
            yield f"its digests differ from the certified ones: content_digest is {content}"

    @property
    def _partial(self) -> bool:
        """Whether it may lack records: it is one file of a batch, or the harvest is incomplete."""
        formats = [feed["format"] for feed in self._certificate.feeds]
        batch = formats.count(self._feed["format"]) > 1
        return self._feed["items"] < self._certificate["unique"] and (
            batch or not self._certificate.complete
        )


class _Ids:
    """Ids and their line numbers, in a temporary SQLite database."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute(
            "CREATE TABLE ids (id BLOB PRIMARY KEY, line INTEGER, digest TEXT) WITHOUT ROWID"
        )
        self._db.execute("BEGIN")

    def add(self, record_id: Any, line: int, digest: Any) -> Iterator[str]:
        if not isinstance(record_id, str) or not record_id:
            yield "has no id"
            return
        key = record_id.encode("utf-8", "surrogatepass")
        digest = digest if isinstance(digest, str) and digest.isascii() else None
        try:
            self._db.execute("INSERT INTO ids VALUES (?, ?, ?)", (key, line, digest))
        except sqlite3.IntegrityError:
            (former,) = self._db.execute("SELECT line FROM ids WHERE id = ?", (key,)).fetchone()
            yield f"has the same id as line {former}: {record_id}"

    def count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM ids").fetchone()[0])

    def content_digest(self) -> str | None:
        """Return the SHA-256 over the lines ``id<TAB>digest``; None where digests are missing."""
        content = hashlib.sha256()
        for record_id, digest in self._db.execute("SELECT id, digest FROM ids ORDER BY id"):
            if digest is None:
                return None
            content.update(b"%s\t%s\n" % (record_id, digest.encode()))
        return content.hexdigest()

    def digest(self) -> str:
        digest = hashlib.sha256()
        separator = b""
        for (record_id,) in self._db.execute("SELECT id FROM ids ORDER BY id"):
            digest.update(separator + record_id)
            separator = b"\n"
        return digest.hexdigest()
