"""Feeds of ours, read again record by record: JSON lines, or CSV."""

from __future__ import annotations

import codecs
import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from mplus_crawler.errors import UsageError
from mplus_crawler.records.batch import SEVERAL

# Columns that hold several values or JSON; the others are read as they stand.
_LISTS = ("images", "designers", "makers")
_JSON = ("image_rights",)


def check_feed(path: Path) -> None:
    """Raise :class:`UsageError` where *path* is no feed that can be read."""
    try:
        first = next(read_feed(path), {})
    except OSError as error:
        raise UsageError(f"the feed {path} cannot be read: {error.strerror or error}") from None
    if isinstance(first, str):
        raise UsageError(f"{path} is no feed of JSON lines or CSV: {first}")


def read_feed(path: Path) -> Iterator[dict[str, Any] | str]:
    """The records of the feed *path*; for a line that is none, what is wrong with it.

    One record at a time is in memory. Raises OSError where the file cannot be read.
    """
    if path.suffix.lower() == ".csv":
        yield from _csv(path)
    else:
        yield from _json_lines(path)


def _json_lines(path: Path) -> Iterator[dict[str, Any] | str]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not (text := line.removeprefix(codecs.BOM_UTF8).strip()):
                continue
            try:
                record = orjson.loads(text)
            except orjson.JSONDecodeError:
                record = None
            yield record if isinstance(record, dict) else f"line {number} is no JSON object"


def _csv(path: Path) -> Iterator[dict[str, Any] | str]:
    csv.field_size_limit(sys.maxsize)  # the whole record is in a cell
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        try:
            for row in rows:
                yield {name: _cell(name, cell) for name, cell in row.items() if name}
        except (csv.Error, UnicodeDecodeError) as error:
            yield f"line {rows.line_num + 1} is no CSV in UTF-8: {error}"


def _cell(name: str, cell: Any) -> Any:
    if name in _LISTS and isinstance(cell, str):
        return cell.split(SEVERAL) if cell else []
    if name in _JSON:
        try:
            return orjson.loads(cell or "[]")
        except (orjson.JSONDecodeError, TypeError):
            return None
    return cell or None
