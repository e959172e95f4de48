"""The change feeds that led to the snapshots of a package."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from mplus_crawler.datasets.snapshots import Snapshot
from mplus_crawler.feeds.changes.change import Change
from mplus_crawler.feeds.changes.history import FOLDER, ChangeFeed, chain
from mplus_crawler.storage.destination import Destination, Folder

CHANGES = FOLDER


def copy_changes(
    place: Destination, snapshot: Snapshot, target: Path, scratch: Path
) -> list[ChangeFeed]:
    """Copy the feeds that led to *snapshot* to the folder *target*; return them from the first.

    *place* is ``HARVEST_DIR``. Raises OSError.
    """
    source = place.below(FOLDER).below(snapshot.kind.spider)
    feeds = chain(source, snapshot.certificate["run"])
    for feed in feeds:
        target.mkdir(parents=True, exist_ok=True)
        # What is fetched may be a link to the file in HARVEST_DIR.
        copy = scratch / f"{snapshot.kind.spider}-{feed.name}"
        source.fetch(feed.name, copy)
        shutil.copyfile(copy, target / feed.name)
    return [ChangeFeed(Folder(target), feed.name, feed.header) for feed in feeds]


def change_rows(feed: ChangeFeed, table: str) -> Iterator[tuple[Any, ...]]:
    """Yield the changes in *feed* as rows of the database's table ``changes``.

    Raises :class:`~mplus_crawler.feeds.changes.change.ChangeFeedError` for a line that is not a
    change.
    """
    run, at = feed.header.now["run"], feed.header.between[1]
    for seq, change in enumerate(feed.changes(), 1):
        yield (table, run, at, seq, *_cells(change))


def _cells(change: Change) -> tuple[Any, ...]:
    columns = " | ".join(change.columns) if change.columns else None
    evidence = orjson.dumps(dict(change.evidence)).decode() if change.evidence else None
    return (
        *(str(change.type), change.id, change.to, change.before, change.after),
        *(columns, evidence),
    )
