"""Registers a package's files as content that a museum wants refreshed or deleted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from scrapy.settings import BaseSettings

from mplus_crawler.datasets.description import Description
from mplus_crawler.feeds.retention.register import Entry, Register, absolute
from mplus_crawler.storage.folders import state_folder


def register(settings: BaseSettings, about: Description, files: Iterable[tuple[Path, str]]) -> None:
    """Enter *files*, paths with their SHA-256, before they get their names. Raises OSError."""
    limited = [one for one in about.snapshots if one.expires]
    if not limited:
        return
    oldest = min(limited, key=lambda one: str(one.certificate["started_at"]))
    with Register(state_folder(settings)).opened() as entries:
        for path, sha256 in files:
            began = oldest.certificate["started_at"]
            entries.add(Entry(absolute(str(path)), oldest.kind.spider, began, 0, sha256))
