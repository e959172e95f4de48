"""The ids that a data set itself lists: ``objects.csv`` beside ``objects_JSON``."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from posixpath import basename
from typing import IO

from mplus_crawler.protocols.archive.bounds import DAMAGE, LARGEST_INDEX, ArchiveError
from mplus_crawler.protocols.archive.containers import entries

_CHUNK = 64 * 1024
_LONGEST_ID = 64


def listed_ids(place: Path, folder: str) -> set[str] | None:
    """Return the ids in the CSV file of *folder* in *place*; None where there is none.

    Its cells are quoted, and ``id`` is its first column. Raise :class:`ArchiveError` where it
    cannot be read.
    """
    name = f"{folder.removesuffix('_JSON')}.csv"
    try:
        for entry in entries(place):
            if basename(entry.path) != name or entry.open is None:
                continue
            if entry.size > LARGEST_INDEX:
                raise ArchiveError(f"{name} has more than {LARGEST_INDEX:,} bytes")
            with entry.open() as file:
                cells = _first_cells(file)
                if next(cells, b"") == b"id":
                    return {_id(cell) for cell in cells}
    except DAMAGE as error:
        raise ArchiveError(f"cannot be read to its end: {error}") from None
    return None


def _first_cells(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the first cell of every row; a row ends at a line break outside quotation marks."""
    quoted, start, empty = False, True, True
    while line := file.readline(_CHUNK):
        if empty:
            line = line.removeprefix(codecs.BOM_UTF8)
        if start and line.strip():
            empty = False
            yield line[:_LONGEST_ID].partition(b",")[0].strip().strip(b'"')
        quoted ^= bool(line.count(b'"') & 1)
        start = not quoted and line.endswith(b"\n")
    if quoted or empty:
        fault = "is empty" if empty else "ends within quotation marks"
        raise ArchiveError(f"has a list of ids that {fault}")


def _id(cell: bytes) -> str:
    text = cell.decode("utf-8", "replace")
    return text.lstrip("0") or text
