"""Exporters: JSON lines as the records are, CSV as a spreadsheet can bear it."""

from __future__ import annotations

import re
from typing import IO, Any

import orjson
from scrapy.exporters import BaseItemExporter, CsvItemExporter

from mplus_crawler.items import SchemaItem

# What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection).
_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
# Between the values of a column that has many; labels have commas and semicolons of their own.
SEPARATOR = " | "


class JsonLinesExporter(BaseItemExporter):
    """One JSON object a line, columns in the order of the schema."""

    def __init__(self, file: IO[bytes], **kwargs: Any) -> None:
        super().__init__(dont_fail=True, **kwargs)
        self._file = file

    def export_item(self, item: SchemaItem) -> None:
        """Write *item*."""
        names = self.fields_to_export or item.fields
        line = {name: item.get(name) for name in names}
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


class CsvExporter(CsvItemExporter):
    """A row a record: lists joined by ``" | "``, the source record as JSON, formulas disarmed."""

    def serialize_field(self, field: Any, name: str, value: Any) -> Any:
        """The cell for *value*."""
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            value = SEPARATOR.join(value)
        elif isinstance(value, list | dict):
            value = orjson.dumps(value).decode()
        return harmless(value) if isinstance(value, str) else value


def harmless(cell: str) -> str:
    """*cell*, with an apostrophe before it where a spreadsheet would run it as a formula."""
    if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell
