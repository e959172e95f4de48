"""Names of a run's files, by the kind of run and by how it ended.

=============================  ===============================================================
run                            files
=============================  ===============================================================
whole                          ``<spider>.jsonl``, ``.certificate.json``, ``.rejected.jsonl``
selection                      ``<spider>.selection.*``
single records, images         ``<spider>.*``
``-o``, ``-O`` or ``FEEDS``    the feeds; the other two with the first local feed's stem; a CSV
                               also has ``<stem>.schema.json``, its Table Schema
the same, no file on a disk    the feeds; the other two are in ``runs/``
incomplete, held back          ``<stem>.incomplete.*``, ``<stem>.held.*``
=============================  ===============================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from scrapy.settings import BaseSettings
from scrapy.spiderloader import get_spider_loader

from mplus_crawler.errors import UsageError
from mplus_crawler.museum.contract import OWN_FEED, Museum
from mplus_crawler.storage.destination import Destination, Folder, destination
from mplus_crawler.storage.folders import in_s3, local_path

CERTIFICATE, REJECTED = ".certificate.json", ".rejected.jsonl"
TABLE_SCHEMA = ".schema.json"
ATTRIBUTION = "ATTRIBUTION.md"
RUNS = "runs"
INCOMPLETE, HELD = "incomplete", "held"
UNPUBLISHED = (INCOMPLETE, HELD)


def in_state(name: str, state: str) -> str:
    """*name* of a file whose run ended in *state*, such as ``incomplete``; empty: complete."""
    own = (CERTIFICATE, REJECTED, TABLE_SCHEMA)
    ending = next((e for e in own if name.endswith(e)), Path(name).suffix)
    return f"{name.removesuffix(ending)}.{state}{ending}" if state else name


@dataclass(frozen=True, slots=True)
class RunFiles:
    """Where a run's certificate and rejected records are put, and their *stem*.

    A complete run that :attr:`makes_snapshot` replaces the spider's snapshot; the feed of one
    that :attr:`selects` is named as a selection.
    """

    folder: Destination
    stem: str
    makes_snapshot: bool = False
    selects: bool = False

    @classmethod
    def of(cls, settings: BaseSettings, museum: Museum, run: str) -> Self:
        """The files of *museum*'s run, whose files in ``runs/`` begin with *run*."""
        place = destination(settings)
        if not own_feed(settings):
            feed = first_local(settings, museum.name)
            if feed is None or shares_snapshot(settings, museum, feed):
                return cls(place.below(RUNS), run)
            return cls(Folder(feed.parent), feed.stem)
        if not museum.has_snapshot:
            return cls(place, museum.name)
        selects = bool(museum.arguments.keys() - museum.selects_nothing)
        stem = f"{museum.name}.selection" if selects else museum.name
        return cls(place, stem, not selects, selects)

    def feed(self, name: str) -> str:
        """The name of the feed that Scrapy knows as *name*."""
        return f"{self.stem}{Path(name).suffix}" if self.selects else name


def own_feed(settings: BaseSettings) -> bool:
    """Whether the run's feed is our default, rather than one of ``-o``, ``-O`` or ``FEEDS``."""
    return any(options.get(OWN_FEED) for options in settings.getdict("FEEDS").values())


def first_local(settings: BaseSettings, spider: str) -> Path | None:
    """The path of the first local feed; ``None`` where its name is not known beforehand."""
    return next((path for _, path in local_feeds(settings, spider)), None)


def local_feeds(settings: BaseSettings, spider: str) -> Iterator[tuple[str, Path]]:
    """The local feeds whose names hold no time and no number."""
    feeds: Mapping[Any, Any] = settings.getdict("FEEDS")
    for template in feeds:
        uri = str(template).replace("%(name)s", spider)
        if not in_s3(uri) and not uri.startswith("stdout:") and "%(" not in uri:
            yield uri, local_path(uri)


def shares_snapshot(settings: BaseSettings, museum: Museum | type[Museum], feed: Path) -> bool:
    """Whether the certificate of *feed* would have the name of a snapshot's."""
    place = settings["HARVEST_DIR"]
    if in_s3(place) or feed.resolve().parent != Path(place).resolve():
        return False
    if feed.stem == museum.name:
        return museum.has_snapshot
    loader = get_spider_loader(settings)
    if feed.stem not in loader.list():
        return False
    other = loader.load(feed.stem)
    return issubclass(other, Museum) and other.has_snapshot


def check_names(settings: BaseSettings, museum: type[Museum]) -> None:
    """Raise :class:`UsageError` for a feed that would replace a snapshot or a certificate."""
    for uri, path in () if own_feed(settings) else local_feeds(settings, museum.name):
        if path.name.endswith((CERTIFICATE, REJECTED, TABLE_SCHEMA)):
            raise UsageError(
                f"the feed {uri} has the name of a certificate, a rejected file or a schema"
            )
        if path.suffix == ".jsonl" and shares_snapshot(settings, museum, path):
            raise UsageError(
                f"the feed {uri} has the name of a snapshot, which only a harvest without "
                "-o and -O writes; use another name"
            )
