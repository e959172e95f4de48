"""Exporters: JSON lines as the records are, CSV as a spreadsheet can bear it."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, Any, cast

from scrapy.exporters import BaseItemExporter, CsvItemExporter, JsonItemExporter, XmlItemExporter

from mplus_crawler.records.batch import SEVERAL, Records, json_line

if TYPE_CHECKING:
    from io import BytesIO

# What a spreadsheet takes for the beginning of a formula, full width too (OWASP, CSV injection).
_FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


class Unpacking:
    """Before an exporter of items: exports the rows of :class:`Records`, and counts them."""

    records = 0

    def export_item(self, item: Records) -> None:
        """Export each row of *item*."""
        for row in item.rows:
            super().export_item(row)  # type: ignore[misc]  # the exporter that comes after
        self.records += len(item.rows)


class JsonLinesExporter(Unpacking, BaseItemExporter):
    """One JSON object a line, columns in the order of the schema."""

    def __init__(self, file: IO[bytes], **kwargs: Any) -> None:
        super().__init__(dont_fail=True, **kwargs)
        self._file = file

    def export_item(self, item: Records) -> None:
        """Write each row of *item*."""
        lines = item.rows
        if names := self.fields_to_export:
            lines = [{name: row.get(name) for name in names} for row in lines]
        self._file.write(b"".join(map(json_line, lines)))
        self.records += len(lines)


class CsvExporter(Unpacking, CsvItemExporter):
    """A row a record: lists joined by ``" | "``, the source record as JSON, formulas disarmed."""

    def __init__(self, file: IO[bytes], **kwargs: Any) -> None:
        appended = bool(getattr(file, "bytes", 0))
        options = {"include_headers_line": not appended, **kwargs}
        super().__init__(cast("BytesIO", file), **options)

    def serialize_field(self, field: Any, name: str, value: Any) -> Any:
        """The cell for *value*."""
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            value = SEVERAL.join(value)
        elif isinstance(value, list | dict):
            value = json_line(value).decode().rstrip()
        return harmless(value) if isinstance(value, str) else value


class JsonExporter(Unpacking, JsonItemExporter):
    """One JSON list."""


class XmlExporter(Unpacking, XmlItemExporter):
    """XML, as Scrapy writes it."""


def harmless(cell: str) -> str:
    """*cell*, with an apostrophe before it where a spreadsheet would run it as a formula."""
    if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell
