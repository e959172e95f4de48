"""Feeds in other formats: tables made of JSON lines, and the Table Schema of a CSV.

Which records have vanished is known only at the end of a harvest, and lines are easier to remove
than rows of a table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO

from scrapy.extensions.feedexport import FeedSlot
from scrapy.extensions.postprocessing import PostProcessingManager

from mplus_crawler.census import Census, Verdict
from mplus_crawler.feeds.exporters import JsonLinesExporter, Unpacking
from mplus_crawler.feeds.feed import Feed
from mplus_crawler.feeds.names import TABLE_SCHEMA
from mplus_crawler.feeds.transaction import absolute
from mplus_crawler.records.tables.table import FORMATS, Table
from mplus_crawler.records.tables.table_schema import table_schema_json
from mplus_crawler.storage.staging import StagedFile, scratch_folder


def feed_of(slot: FeedSlot) -> Feed:
    """Return the feed that Scrapy has closed with *slot*."""
    # A compressed feed is written through a manager of Scrapy's.
    file = slot.file.file if isinstance(slot.file, PostProcessingManager) else slot.file
    staged = file if isinstance(file, StagedFile) else None
    feed = Feed(slot.uri, slot.format, 0, slot.uri_template, staged)
    exporter: object = slot.exporter
    if isinstance(exporter, Unpacking):
        feed.items, feed.columns = exporter.records, exporter.columns
        feed.is_chosen = exporter.is_chosen
    if isinstance(exporter, JsonLinesExporter):
        feed.order = exporter.order
    if slot.format in FORMATS:
        feed.table = Table(slot.format, feed.columns)
    return feed


def convert(feeds: Sequence[Feed], census: Census) -> None:
    """Write each of *feeds* whose format is a table; end the harvest if that fails."""
    for feed in feeds:
        if feed.table is None or feed.file is None or not feed.file.whole:
            continue
        try:
            feed.file.rewrite(partial(_pieces, feed.table))
        except (OSError, ValueError) as error:
            feed.file.whole = False  # it still holds JSON lines
            reason = getattr(error, "strerror", None) or error
            census.end(Verdict.UNDELIVERED, f"{feed.uri} cannot be written: {reason}")


def table_schemas(feeds: Sequence[Feed]) -> dict[str, bytes]:
    """Return the Table Schema of each CSV in *feeds*, by the URI of the file beside it."""
    return {
        _beside(feed.file): table_schema_json(feed.columns)
        for feed in feeds
        if feed.format == "csv" and feed.file is not None and feed.file.whole
    }


def _beside(file: StagedFile) -> str:
    folder, _, name = absolute(file.uri(file.target)).rpartition("/")
    return f"{folder}/{Path(name).stem.removesuffix('.csv')}{TABLE_SCHEMA}"


def _pieces(table: Table, lines: IO[bytes], _former: int) -> Iterator[bytes]:
    with scratch_folder(Path(lines.name)) as scratch:
        yield from table.pieces(lines, scratch)
