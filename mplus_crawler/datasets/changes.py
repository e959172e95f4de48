"""The change feeds that led to the snapshots of a package."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from mplus_crawler.datasets.snapshots import DamagedSnapshotError, Snapshot
from mplus_crawler.storage.destination import Destination

CHANGES = "changes"
Header = dict[str, Any]


def copy_changes(place: Destination, snapshot: Snapshot, target: Path, scratch: Path) -> list[Path]:
    """Copy the feeds of *snapshot* and those before it to the folder *target*, the oldest first.

    Raises OSError, and :class:`DamagedSnapshotError` for a feed that cannot be read.
    """
    folder = place.below(CHANGES).below(snapshot.kind.spider)
    names = [name for name in folder.names() if name.endswith(".jsonl") and name[0] != "."]
    feeds = {}
    for name in names:
        copy = scratch / f"{snapshot.kind.spider}-{name}"
        folder.fetch(name, copy)
        feeds[_run(header(copy), "to")] = copy
    found: list[Path] = []
    run: str | None = snapshot.certificate["run"]
    while run in feeds:
        copy = feeds.pop(run)
        path = target / f"{run}.jsonl"
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(copy, path)
        found.insert(0, path)
        run = _run(header(copy), "from")
    return found


def header(feed: Path) -> Header:
    """Return the first line of *feed*; raises :class:`DamagedSnapshotError` if it is not one."""
    with feed.open("rb") as file:
        return _parsed(file.readline(), feed, "feed")


def change_rows(feed: Path, table: str) -> Iterator[tuple[Any, ...]]:
    """Yield the changes in *feed* as rows of the database's table ``changes``."""
    with feed.open("rb") as file:
        head = _parsed(file.readline(), feed, "feed")
        for line in file:
            one = _parsed(line, feed, "seq")
            columns, evidence = one.get("columns"), one.get("evidence")
            yield (
                *(table, _run(head, "to"), (head.get("between") or [None])[-1]),
                *(one["seq"], one.get("type"), one.get("id"), one.get("to")),
                *(one.get("before"), one.get("after")),
                *(" | ".join(columns) if columns else None, _text(evidence)),
            )


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


def _run(head: Header, end: str) -> str | None:
    found = head.get(end) or {}
    return found.get("run")


def _parsed(line: bytes, feed: Path, required: str) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict) or required not in found:
        raise DamagedSnapshotError(f"the change feed {feed.name} cannot be read")
    return found
