"""Reads the rows of Parquet files, spreadsheets and SQLite databases again."""

from __future__ import annotations

import re
import sqlite3
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from mplus_crawler.errors import UsageError
from mplus_crawler.verification.strict_json import parse

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    Elements = Iterator[tuple[str, Element]]

Row = dict[str, Any]

# Bytes of a row in a spreadsheet or of a value in a database; a whole record may be in one.
MAX_ROW = 16 * 1024**2
# What reading a damaged zip raises, beside OSError and ValueError.
ZIP_DAMAGE = (EOFError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error)
_SPREADSHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_DIGITS = "0123456789"
_ESCAPED = re.compile(r"_x([0-9A-F]{4})_")


def parquet_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a Parquet file, with ``record`` parsed. Raises OSError and ValueError.

    Raises :class:`UsageError` without the package that reads it.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UsageError(
            "parquet needs the package pyarrow, the extra parquet: pip install pyarrow"
        ) from None
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(1_000):
                for row in batch.to_pylist():
                    yield (
                        row | {"record": parse(row["record"].encode())} if "record" in row else row
                    )
    except pa.ArrowException as error:
        raise ValueError(error) from None


def sqlite_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of the table ``records``, after a check of the whole database.

    Raises ValueError.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as database:
            database.row_factory = sqlite3.Row
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_ROW)
            # A view may have rows without end.
            table = "SELECT 1 FROM sqlite_schema WHERE name = 'records' AND type = 'table'"
            if not database.execute(table).fetchone():
                raise ValueError("it has no table records")
            (found,) = database.execute("PRAGMA integrity_check(1)").fetchone()
            if found != "ok":
                raise ValueError(found)
            if database.execute("PRAGMA foreign_key_check").fetchone():
                raise ValueError("a list belongs to a record that is missing")
            yield from map(dict, database.execute("SELECT * FROM records"))
    except sqlite3.Error as error:
        raise ValueError(error) from None


def spreadsheet_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of the sheets that begin like the first one; raises OSError, ValueError."""
    from xml.etree import ElementTree  # slow to import

    try:
        with zipfile.ZipFile(path) as archive:
            heads: list[str] = []
            for number in range(1, len(archive.namelist())):
                rows = _sheet(archive, f"xl/worksheets/sheet{number}.xml")
                first = [str(cell) for cell in next(rows).values()]
                heads = heads or first
                if first != heads:  # the sheet that explains the columns
                    return
                columns = [_letters(place) for place in range(len(heads))]
                for cells in rows:
                    yield {
                        head: cells.get(column) for head, column in zip(heads, columns, strict=True)
                    }
    except (*ZIP_DAMAGE, ElementTree.ParseError, KeyError, StopIteration) as error:
        raise ValueError(error) from None


def _sheet(archive: zipfile.ZipFile, name: str) -> Iterator[dict[str, str]]:
    """Yield the cells of each row by the letters of their column."""
    from xml.etree import ElementTree

    parser: ElementTree.XMLPullParser[Element] = ElementTree.XMLPullParser(("start", "end"))
    since_row = 0
    with archive.open(name) as file:
        rows: Element | None = None
        while data := file.read(1 << 16):
            parser.feed(data)
            if (since_row := since_row + len(data)) > MAX_ROW:
                raise ValueError(f"a row has more than {MAX_ROW:,} bytes")
            for event, element in cast("Elements", parser.read_events()):
                if element.tag == f"{_SPREADSHEET}sheetData":
                    rows = element
                elif event == "end" and element.tag == f"{_SPREADSHEET}row":
                    yield {cell.get("r", "").rstrip(_DIGITS): _text(cell) for cell in element}
                    since_row = 0
                    if rows is not None:
                        rows.clear()  # one row at a time is in memory
    parser.close()


def _text(cell: Element) -> str:
    text = "".join(cell.itertext())
    return _ESCAPED.sub(lambda code: chr(int(code[1], 16)), text)


def _letters(place: int) -> str:
    """Return the letters of the column at *place*: A for 0, AA for 26."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


READERS = {"parquet": parquet_rows, "xlsx": spreadsheet_rows, "sqlite": sqlite_rows}
"""The reader of each format."""
_MAGIC = {b"PAR1": "parquet", b"PK\x03\x04": "xlsx", b"SQLite format 3\0": "sqlite"}


def table_format(file: IO[bytes]) -> str:
    """Return the format of a table, by *file*'s first bytes, and rewind it; empty for no table."""
    file.seek(0)
    first = file.read(16)
    file.seek(0)
    return next((name for magic, name in _MAGIC.items() if first.startswith(magic)), "")
