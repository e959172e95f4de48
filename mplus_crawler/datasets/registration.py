"""Registers a package's files as content that a museum wants refreshed or deleted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scrapy.settings import BaseSettings

from mplus_crawler.datasets.description import Description
from mplus_crawler.feeds.retention.register import Entry, Register, absolute
from mplus_crawler.storage.folders import state_folder

Files = Iterable[tuple[Path, str]]


def register(settings: BaseSettings, about: Description, files: Files) -> None:
    """Register *files*, paths with their SHA-256, before they get their names. Raises OSError."""
    if entries := list(_entries(about, files)):
        with Register(state_folder(settings)).opened() as register_:
            for entry in entries:
                register_.add(entry)


@contextmanager
def registered(settings: BaseSettings, about: Description, files: Files) -> Iterator[None]:
    """Register hidden *files*, which the block removes unless the process is killed."""
    files = list(files)
    register(settings, about, files)
    try:
        yield
    finally:
        if entries := list(_entries(about, files)):
            with Register(state_folder(settings)).opened() as register_:
                for entry in entries:
                    register_.strike(entry.uri)


def _entries(about: Description, files: Files) -> Iterator[Entry]:
    """Yield the entry of each of *files*; none if no content expires."""
    limited = [] if about.withheld else [one for one in about.snapshots if one.expires]
    if not limited:
        return
    oldest = min(limited, key=lambda one: str(one.certificate["started_at"]))
    for path, sha256 in files:
        began = oldest.certificate["started_at"]
        yield Entry(absolute(str(path)), oldest.kind.spider, began, 0, sha256)
