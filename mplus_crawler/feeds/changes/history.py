"""The feeds of a spider, in the order of their chain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Self

from mplus_crawler.feeds.changes.change import (
    Change,
    ChangeFeedError,
    ChangeType,
    Header,
    read_changes,
    read_header,
)
from mplus_crawler.feeds.changes.replay import take_out
from mplus_crawler.storage.destination import Destination

FOLDER = "changes"
ENDING = ".jsonl"
# How the lines begin that take no id out; they are the most, and most of them are not parsed.
_CREATES = b',"type":"Create",'
_UPDATES = b',"type":"Update",'
_BEGINNING = 60  # bytes


@dataclass(frozen=True, slots=True)
class ChangeFeed:
    """The feed *name* in *place*."""

    place: Destination
    name: str
    header: Header

    def changes(self) -> Iterator[Change]:
        """Yield its lines; raise :class:`ChangeFeedError` for an invalid one, and OSError."""
        with self.place.open(self.name) as file:
            file.readline()
            yield from read_changes(self.name, file)

    def outs_and_ins(self) -> Iterator[Change]:
        """Yield the lines that remove an id or restore one."""
        with self.place.open(self.name) as file:
            file.readline()
            yield from read_changes(self.name, _neither_created_nor_updated(file))


def _neither_created_nor_updated(file: IO[bytes]) -> Iterator[bytes]:
    for line in file:
        beginning = line[:_BEGINNING]
        if _CREATES not in beginning and _UPDATES not in beginning:
            yield line


def chain(
    place: Destination, last_run: str | None = None, *, strict: bool = False
) -> list[ChangeFeed]:
    """Return the feeds in *place* that lead to the run *last_run*, from the first.

    Without *last_run*, the chain is that of the newest feed. If a feed is missing, the chain begins
    after it; ``scrapy verify`` reports that. A feed without a header raises
    :class:`ChangeFeedError` if *strict*, otherwise it counts as missing. Raises OSError.
    """
    feeds = {feed.header.now["run"]: feed for feed in _all(place, strict=strict)}
    run = last_run or max(feeds, key=lambda run: (feeds[run].header.between[1], run), default=None)
    found: list[ChangeFeed] = []
    while run in feeds:
        feed = feeds.pop(run)
        found.append(feed)
        run = feed.header.former["run"] if feed.header.former else None
    return found[::-1]


def _all(place: Destination, *, strict: bool) -> Iterator[ChangeFeed]:
    for name in place.names():
        if name.endswith(ENDING) and not name.startswith("."):
            with place.open(name) as file:
                line = file.readline()
            try:
                yield ChangeFeed(place, name, read_header(name, line))
            except ChangeFeedError:
                if strict:
                    raise


@dataclass(frozen=True, slots=True)
class History:
    """What *feeds*, in the order of their chain, say about ids that are *out* of the snapshot.

    *out* has the last line on each of them.
    """

    feeds: Sequence[ChangeFeed] = ()
    out: Mapping[str, Change] = field(default_factory=dict)

    @classmethod
    def of(cls, place: Destination, run: str) -> Self:
        """Return the history that leads to *run*. Lines that cannot be read are left out."""
        feeds = chain(place, run)
        out: dict[str, Change] = {}
        for feed in feeds:
            with suppress(ChangeFeedError):
                for change in feed.outs_and_ins():
                    take_out(change, out)
        return cls(feeds, out)

    @property
    def missing(self) -> dict[str, Change]:
        """The ids that are out, and whose deletion is not proven."""
        return {id_: one for id_, one in self.out.items() if one.type is ChangeType.MISSING}

    def oldest_missing(self) -> list[str]:
        """Return the ids of :attr:`missing`, those that have been missing longest first."""
        missing = self.missing
        return sorted(missing, key=lambda id_: (str(missing[id_].evidence.get("at")), id_))

    def targets(self) -> set[str]:
        """Return the ids that missing records may have become."""
        return {str(one.evidence["twin"]) for one in self.out.values() if "twin" in one.evidence}
