"""Exporters: JSON lines, JSON, and CSV that is safe in spreadsheets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any, cast

from scrapy.exporters import BaseItemExporter, CsvItemExporter

from mplus_crawler.feeds.order import Order
from mplus_crawler.records.batch import SEVERAL, Records, json_line

if TYPE_CHECKING:
    from io import BytesIO

# How a formula begins, in full width too (OWASP, CSV injection).
_FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
# Control characters but tab and line breaks: C0, DEL, C1.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


class Unpacking:
    """Mixin for an item exporter: exports the rows of :class:`Records`, and counts them."""

    records = 0

    def export_item(self, item: Records) -> None:
        """Export each row of *item*."""
        for row in item.rows:
            super().export_item(row)  # type: ignore[misc]  # the exporter that comes after
        self.records += len(item.rows)


class JsonLinesExporter(Unpacking, BaseItemExporter):
    """One JSON object per line, columns in the order of the schema.

    With *sortable*, :attr:`order` knows the lines, so that they can be sorted at the end.
    """

    def __init__(self, file: IO[bytes], *, sortable: bool = False, **kwargs: Any) -> None:
        super().__init__(dont_fail=True, **kwargs)
        self._file = file
        self.order = Order() if sortable else None

    def export_item(self, item: Records) -> None:
        """Write each row of *item*."""
        lines = self.lines(item)
        self._file.write(b"".join(lines))
        self.records += len(lines)
        if self.order is not None:
            self.order.add(
                (row["id"], len(line)) for row, line in zip(item.rows, lines, strict=True)
            )

    def lines(self, item: Records) -> list[bytes]:
        """Return each row of *item* as a line, with the columns that were chosen."""
        names = self.fields_to_export
        if not names:
            return item.lines
        heads = names if isinstance(names, Mapping) else dict.fromkeys(names)
        return [
            json_line({head or name: row.get(name) for name, head in heads.items()})
            for row in item.rows
        ]


class CsvExporter(Unpacking, CsvItemExporter):
    """One row per record: lists joined by ``" | "``, the source record as JSON, no formulas.

    Control characters are escaped in JSON and dropped from texts.
    """

    def __init__(self, file: IO[bytes], **kwargs: Any) -> None:
        # A compressed feed is written through a manager of Scrapy's.
        target = getattr(file, "file", file)
        if getattr(target, "former", 0):  # names and byte order mark are there already
            kwargs = {"include_headers_line": False, **kwargs, "encoding": "utf-8"}
        super().__init__(cast("BytesIO", file), **kwargs)

    def serialize_field(self, field: Any, name: str, value: Any) -> Any:
        """The cell for *value*."""
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            value = SEVERAL.join(value)
        elif isinstance(value, list | dict):
            return _CONTROL.sub(_escaped, json_line(value).decode().rstrip())
        return harmless(_CONTROL.sub("", value)) if isinstance(value, str) else value


class JsonExporter(JsonLinesExporter):
    """One JSON list with a record per line."""

    _before = b"[\n"

    def export_item(self, item: Records) -> None:
        """Write each row of *item*."""
        for line in self.lines(item):
            self._file.write(self._before + line.rstrip())
            self._before = b",\n"
        self.records += len(item.rows)

    def finish_exporting(self) -> None:
        """Close the list."""
        self._file.write(b"\n]\n" if self.records else b"[]\n")


def _escaped(character: re.Match[str]) -> str:
    """The character as JSON may spell it."""
    return f"\\u{ord(character[0]):04x}"


def harmless(cell: str) -> str:
    """Return *cell*, after an apostrophe where a spreadsheet would run it as a formula."""
    if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell
