"""The one reader of our own feeds: JSON lines, CSV and JSON, compressed or not, row by row.

``scrapy verify`` has a separate reader, on purpose.
"""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import lzma
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

from mplus_crawler.errors import UsageError
from mplus_crawler.protocols.source import parse
from mplus_crawler.records.batch import SEVERAL
from mplus_crawler.storage.staging import BUFFER

if TYPE_CHECKING:
    from _csv import Reader as CsvReader

# By format, as Scrapy names them.
JSON_LINES = frozenset(("jsonlines", "jsonl", "jl"))

# Characters of a CSV cell; a whole record is in one. Python's default is 131,072.
_LONGEST_CELL = 1 << 30
# Columns that hold several values or JSON; the others are read as they stand.
_LISTS = ("images", "designers", "makers")
_JSON = ("image_rights",)
# By the first bytes of a file, the module that reads and writes such files.
_COMPRESSIONS: dict[bytes, Any] = {b"\x1f\x8b": gzip, b"BZh": bz2, b"\xfd7zXZ\0": lzma}
# What these modules raise for a file that is cut off or changed, besides OSError.
DAMAGE = (EOFError, zlib.error, lzma.LZMAError)


class Line(NamedTuple):
    """A piece of a feed: its bytes, and the row in them; ``None`` for a head, a bracket, a blank.

    *fault* describes an error; a row with a fault is the readable part.
    """

    raw: bytes
    row: dict[str, Any] | None
    fault: str = ""


def check_feed(path: Path) -> None:
    """Raise :class:`UsageError` if *path* is not a feed in JSON lines or CSV."""
    try:
        first = next(read_feed(path), {})
    except OSError as error:
        raise UsageError(f"the feed {path} cannot be read: {error.strerror or error}") from None
    if isinstance(first, str):
        raise UsageError(f"{path} is not a feed in JSON lines or CSV: {first}")


def read_feed(path: Path) -> Iterator[dict[str, Any] | str]:
    """Yield the records of the feed *path*; for an invalid line, its fault.

    One record at a time is in memory. Raises OSError where the file cannot be opened.
    """
    is_csv = ".csv" in (suffix.lower() for suffix in path.suffixes[-2:])
    with path.open("rb", BUFFER) as file:
        try:
            for line in read_lines(decompressed(file), "csv" if is_csv else "jsonl"):
                if line.fault:
                    yield line.fault
                elif line.row is not None:
                    yield _typed(line.row) if is_csv else line.row
        except (OSError, *DAMAGE) as error:
            yield f"it cannot be read to its end ({error})"


def read_lines(file: IO[bytes], format_: str, head: list[str] | None = None) -> Iterator[Line]:
    """The lines of *file*, which is in *format_*; joined, their bytes are the file.

    *head* has the columns of a CSV file without a header line.
    """
    return _csv_lines(file, head) if format_ == "csv" else _json_lines(file)


def format_of(file: IO[bytes]) -> str:
    """The format of *file*, by its first bytes; leaves *file* at its beginning."""
    file.seek(0)
    first = file.read(1 << 12).removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    file.seek(0)
    return {b"{": "jsonl", b"[": "json"}.get(first, "csv")


def compression(file: IO[bytes]) -> Any:
    """The module that *file* is compressed with (``gzip``, ``bz2``, ``lzma``), or ``None``."""
    file.seek(0)
    first = file.read(6)
    file.seek(0)
    found = (module for magic, module in _COMPRESSIONS.items() if first.startswith(magic))
    return next(found, None)


def decompressed(file: IO[bytes]) -> IO[bytes]:
    """*file* from its beginning, decompressed where it is compressed."""
    module = compression(file)
    return cast("IO[bytes]", module.open(file, "rb")) if module else file


def csv_head(file: IO[bytes]) -> list[str]:
    """The columns of the CSV *file*; empty where it has none."""
    return next(csv_rows(_decoded(file, [], [])), [])


def csv_rows(lines: Iterable[str], **options: Any) -> CsvReader:
    """The rows of CSV, whose cells may be as long as a record. Raises :class:`csv.Error`."""
    csv.field_size_limit(_LONGEST_CELL)
    return csv.reader(lines, **options)


def _json_lines(file: IO[bytes]) -> Iterator[Line]:
    """JSON lines; of a JSON list as it is written here, which has a row a line, its rows."""
    for number, raw in enumerate(file, 1):
        if raw.isspace():
            yield Line(raw, None)
            continue
        text = raw.removeprefix(codecs.BOM_UTF8).strip().removesuffix(b",")
        if text in (b"", b"[", b"]", b"[]"):
            yield Line(raw, None)
            continue
        try:
            row = parse(text) if text.startswith(b"{") else None
        except ValueError:
            row = None
        is_row = isinstance(row, dict)
        yield Line(
            raw, row if is_row else None, "" if is_row else f"line {number} is not a JSON object"
        )


def _csv_lines(file: IO[bytes], head: list[str] | None) -> Iterator[Line]:
    taken: list[bytes] = []
    faults: list[str] = []
    rows = csv_rows(_decoded(file, taken, faults))
    number, empty = 0, dict.fromkeys(head or (), "")
    while True:
        try:
            cells = next(rows, None)
        except csv.Error as error:
            cells = []
            faults.append(str(error))
        if cells is None:
            return
        number += len(taken)
        raw, fault = b"".join(taken), ""
        taken.clear()
        if faults:
            fault = f"line {number} is not CSV in UTF-8: {'; '.join(faults)}"
            faults.clear()
        if head and cells:
            yield Line(raw, empty | dict(zip(head, cells, strict=False)), fault)
        else:
            if cells:
                head, empty = cells, dict.fromkeys(cells, "")
            yield Line(raw, None, fault)


def _decoded(file: IO[bytes], taken: list[bytes], faults: list[str]) -> Iterator[str]:
    """Yield the lines of *file* as text; collect them in *taken*, and errors in *faults*."""
    for number, raw in enumerate(file):
        taken.append(raw)
        text = raw if number else raw.removeprefix(codecs.BOM_UTF8)
        try:
            yield text.decode()
        except UnicodeDecodeError as error:
            faults.append(str(error))
            yield text.decode(errors="replace")


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    typed = {name: cell or None for name, cell in row.items()}
    for name in _LISTS:
        if name in row:
            typed[name] = row[name].split(SEVERAL) if row[name] else []
    for name in _JSON:
        if name in row:
            typed[name] = _parsed(row[name])
    return typed


def _parsed(cell: str) -> Any:
    try:
        return parse(cell.encode() or b"[]")
    except ValueError:
        return None
