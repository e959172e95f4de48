"""Writes a table as a spreadsheet (XLSX)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import xlsxwriter
from xlsxwriter.exceptions import XlsxWriterException

from mplus_crawler.records.batch import SEVERAL
from mplus_crawler.records.tables.columns import Column
from mplus_crawler.records.tables.rows import Cells

# Limits of Excel: https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3
LONGEST_TEXT = 32_767  # UTF-16 code units of a cell
_MOST_ROWS = 1_048_576  # of a sheet, with its head
_MOST_DIGITS = 10**15  # integers from here on lose digits
# Characters that XML or Excel do not allow, and other control characters but tab and line feed.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
_CREATED = datetime(2000, 1, 1)  # noqa: DTZ001  # any fixed time: equal records, equal files
_NARROWEST, _WIDEST = 8, 60  # characters
_MEASURED = 500  # rows by which the widths are chosen
_BLOCK = 1 << 20  # bytes


def write_spreadsheet(
    columns: Sequence[Column],
    batches: Iterable[Sequence[Cells]],
    scratch: Path,
    cut: Counter[str],
) -> Iterator[bytes]:
    """Yield the bytes of a file with the sheets ``records`` and ``columns``, which explains them.

    *scratch* is an empty folder. Texts that are too long for a cell are cut and counted in *cut*
    under the column's name. Raises OSError.
    """
    path = scratch / "records.xlsx"
    try:
        _write(path, columns, batches, cut)
    except XlsxWriterException as error:
        raise OSError(str(error)) from error
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _write(
    path: Path, columns: Sequence[Column], batches: Iterable[Sequence[Cells]], cut: Counter[str]
) -> None:
    options = {"constant_memory": True, "tmpdir": str(path.parent)}
    with xlsxwriter.Workbook(path, options) as workbook:
        workbook.set_properties({"created": _CREATED})
        names = [column.name for column in columns]
        sheet = _Sheet(workbook, "records", names)
        for row in (row for batch in batches for row in batch):
            if sheet.rows == _MOST_ROWS:
                sheet.finish()
                sheet = _Sheet(workbook, f"records {len(workbook.worksheets()) + 1}", names)
            sheet.append([_cell(*pair, cut) for pair in zip(columns, row, strict=True)])
        sheet.finish()
        sheet = _Sheet(workbook, "columns", ["column", "type", "description"])
        for column in columns:
            sheet.append([column.name, _type(column), column.description])
        sheet.finish()


class _Sheet:
    """A sheet with a frozen head, which is filled row by row."""

    def __init__(self, workbook: xlsxwriter.Workbook, name: str, heads: list[str]) -> None:
        self.rows = 0
        self._sheet = workbook.add_worksheet(name)
        self._widths = [_NARROWEST] * len(heads)
        self._sheet.freeze_panes(1, 0)
        self._write(heads, workbook.add_format({"bold": True}))

    def append(self, cells: list[Any]) -> None:
        self._write(cells)

    def _write(self, cells: list[Any], style: Any = None) -> None:
        row = self.rows
        for place, cell in enumerate(cells):
            # Typed writers: nothing is guessed from what a text looks like.
            if isinstance(cell, str):
                self._sheet.write_string(row, place, cell, style)
            elif isinstance(cell, bool):
                self._sheet.write_boolean(row, place, cell)
            elif cell is not None:
                self._sheet.write_number(row, place, cell)
        if row < _MEASURED:
            sizes = [len(str(cell)) + 2 for cell in cells]
            self._widths = list(map(max, self._widths, sizes))
        self.rows += 1

    def finish(self) -> None:
        """Set the filter and the columns' widths, which depend on the rows."""
        for place, width in enumerate(self._widths):
            self._sheet.set_column(place, place, min(width, _WIDEST))
        self._sheet.autofilter(0, 0, self.rows - 1, len(self._widths) - 1)


def _cell(column: Column, value: Any, cut: Counter[str]) -> Any:
    """Return *value* as a text, a number, a boolean or None."""
    if isinstance(value, list):
        value = _joined(column, value)
    elif isinstance(value, int) and abs(value) >= _MOST_DIGITS:
        value = str(value)
    if not isinstance(value, str):
        return value
    text = _CONTROL.sub("", value)
    if text.startswith("<r>") and text.endswith("</r>"):
        text += " "  # xlsxwriter would write it as XML
    short = _fitting(text)
    if short != text:
        cut[column.name] += 1
    return short


def _joined(column: Column, values: list[Any]) -> str | None:
    if not values:
        return None
    if column.kind in ("object", "json"):
        return orjson.dumps(values).decode()
    return SEVERAL.join("" if value is None else str(value) for value in values)


def _fitting(text: str) -> str:
    """Return the beginning of *text* that a cell can hold."""
    if len(text) * 2 <= LONGEST_TEXT:
        return text
    units = text.encode("utf-16-le")[: LONGEST_TEXT * 2]
    return units.decode("utf-16-le", errors="ignore")


def _type(column: Column) -> str:
    """Return the column's type in words."""
    kind = {"json": "JSON", "object": "objects, as JSON"}.get(column.kind, column.kind)
    return f"{kind}, joined by {SEVERAL.strip()}" if column.repeats and not column.fields else kind
