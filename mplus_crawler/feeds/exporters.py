"""Exporters: JSON lines, JSON, CSV that is safe in spreadsheets, and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any, ClassVar, Self, cast

from scrapy.crawler import Crawler
from scrapy.exporters import BaseItemExporter, CsvItemExporter

from mplus_crawler.feeds.columns import chosen
from mplus_crawler.feeds.order import Order
from mplus_crawler.museum.contract import Museum
from mplus_crawler.records.batch import Records, json_line
from mplus_crawler.records.items import ITEM_CLASSES
from mplus_crawler.records.tables.columns import Column, columns_of
from mplus_crawler.records.tables.csv_cells import csv_cell

if TYPE_CHECKING:
    from io import BytesIO

    from mplus_crawler.storage.staging import StagedFile


class Unpacking:
    """Mixin for an item exporter: exports the rows of :class:`Records`, and counts them.

    :attr:`columns` are those of the feed. :attr:`is_chosen`: some are left out or renamed.
    """

    has_record: ClassVar[bool] = True  # the column `record`, where the setting RECORD is not set
    records = 0
    columns: Sequence[Column] = ()
    is_chosen = False

    @classmethod
    def from_crawler(cls, crawler: Crawler, file: IO[bytes], **kwargs: Any) -> Self:
        """Return the exporter of a feed with the columns that its options choose."""
        schema = ITEM_CLASSES[Museum.of(crawler).kind].jsonschema
        every = list(schema["properties"])
        fields = kwargs.pop("fields_to_export", None)
        heads = chosen(crawler.settings, fields, every, record=cls.has_record)
        is_chosen = list(heads.items()) != [(name, name) for name in every]
        make: Any = cls  # the exporter that comes after takes the arguments
        exporter: Self = make(file, fields_to_export=heads if is_chosen else None, **kwargs)
        exporter.is_chosen = is_chosen
        exporter.columns = [
            replace(column, name=heads[column.name] or column.name)
            for column in columns_of(schema, heads)
        ]
        return exporter

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
        self.order = None
        if sortable:
            self.order = Order()
            cast("StagedFile", file).is_draft = True

    def export_item(self, item: Records) -> None:
        """Write each row of *item*."""
        page, places = bytearray(), []
        for row, line in zip(item.rows, self.lines(item), strict=True):
            page += line  # one by one: orjson reserves four times the size of a line
            places.append((row["id"], len(line)))
        self._file.write(page)
        self.records += len(places)
        if self.order is not None:
            self.order.add(places)

    def lines(self, item: Records) -> Iterator[bytes]:
        """Yield each row of *item* as a line, with the columns that were chosen."""
        names = self.fields_to_export
        if not names:
            yield from map(json_line, item.rows)
            return
        heads = names if isinstance(names, Mapping) else dict.fromkeys(names)
        for row in item.rows:
            yield json_line({head or name: row.get(name) for name, head in heads.items()})


class CsvExporter(Unpacking, CsvItemExporter):
    """One row per record, with cells that no spreadsheet runs as formulas."""

    def __init__(self, file: IO[bytes], **kwargs: Any) -> None:
        # A compressed feed is written through a manager of Scrapy's.
        target = getattr(file, "file", file)
        if getattr(target, "former", 0):  # names and byte order mark are there already
            kwargs = {"include_headers_line": False, **kwargs, "encoding": "utf-8"}
        super().__init__(cast("BytesIO", file), **kwargs)

    def serialize_field(self, field: Any, name: str, value: Any) -> Any:
        """The cell for *value*."""
        return csv_cell(value)


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


class TableExporter(JsonLinesExporter):
    """JSON lines, from which :mod:`.conversion` makes a table when the harvest has ended."""


class SpreadsheetExporter(TableExporter):
    """The same for a spreadsheet, whose cells are too small for whole records."""

    has_record = False
