"""Feeds that Scrapy has closed, until they are published."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from scrapy.crawler import Crawler

from mplus_crawler.census import Census, Verdict
from mplus_crawler.errors import counted
from mplus_crawler.feeds.names import in_state
from mplus_crawler.feeds.order import Order
from mplus_crawler.feeds.withdrawal import without
from mplus_crawler.records.tables.columns import Column
from mplus_crawler.records.tables.table import Table
from mplus_crawler.storage.staging import StagedFile

Change = Callable[[IO[bytes], int], Iterable[bytes]]


@dataclass(slots=True)
class Feed:
    """A feed that Scrapy has closed."""

    uri: str
    format: str
    items: int
    template: str
    file: StagedFile | None
    columns: Sequence[Column] = ()
    is_chosen: bool = False  # it lacks columns, or renames some
    order: Order | None = None
    table: Table | None = None  # what it becomes at the end

    @property
    def written(self) -> str:
        """The format in which it is written at first."""
        return "jsonlines" if self.table else self.format

    def entry(self, state: str) -> dict[str, Any]:
        """Return its entry in the certificate of a run that ended in *state*."""
        entry: dict[str, Any] = {"uri": self.uri, "format": self.format, "items": self.items}
        if self.is_chosen:
            entry["columns"] = [column.name for column in self.columns]
        entry |= self.table.losses() if self.table else {}
        return entry | file_entry(self.file, state)


def file_entry(file: StagedFile | None, state: str) -> dict[str, Any]:
    """Return where *file* is or will be, its size and its checksum; empty if writing it failed.

    ``before`` is the number of bytes that an appended file had before.
    """
    if file is None or not file.whole:
        return {}
    entry = {
        "uri": file.place or file.uri(target_of(file, state)),
        "bytes": file.bytes,
        "sha256": file.sha256,
    }
    return entry | ({"before": file.former} if file.former else {})


def content_entry(uri: str, content: bytes) -> dict[str, Any]:
    """Return the entry of the file *uri* that has *content*."""
    return {"uri": uri, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def target_of(file: StagedFile, state: str) -> Path:
    """Return the name that *file* gets from a run that ended in *state*."""
    return file.target.with_name(in_state(file.target.name, state))


def compare(feeds: Sequence[Feed], crawler: Crawler) -> None:
    """End the harvest where a feed lacks records: Scrapy or a pipe may have dropped rows."""
    census = Census.of(crawler)
    delivered: Counter[str] = Counter()
    for feed in feeds:
        delivered[feed.template] += feed.items
    for template in crawler.settings.getdict("FEEDS"):
        if delivered[str(template)] != census.delivered:
            census.end(
                Verdict.UNDELIVERED,
                f"the feed {template} has {delivered[str(template)]:,} of "
                f"{counted(census.delivered, 'record')}",
            )
    if any(name.startswith("feedexport/failed_count") for name in crawler.stats.get_stats()):
        census.end(Verdict.UNDELIVERED, "a feed could not be stored; the log says why")


def arrange(feeds: Sequence[Feed], census: Census) -> None:
    """Sort our own feed, and remove vanished records from all *feeds*."""
    gone = census.vanished
    for feed in feeds:
        if feed.order is not None:
            _rewrite(feed, partial(feed.order.lines, gone), census)
        elif gone:
            _rewrite(feed, partial(without, gone, feed.written), census)


def _rewrite(feed: Feed, change: Change, census: Census) -> None:
    try:
        if feed.file is None or not feed.file.whole:
            raise KeyError(feed.format)
        feed.file.rewrite(change)
        feed.items = census.unique
    except (LookupError, ValueError):
        if census.vanished:
            census.note(f"records that have vanished are still in {feed.uri}")
