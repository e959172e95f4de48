"""The lines of a change feed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import msgspec
import orjson

from mplus_crawler.errors import HarvestError

VERSION = 1


class ChangeType(StrEnum):
    """What has happened to an id."""

    CREATE = "Create"
    UPDATE = "Update"
    RESTORE = "Restore"  # it is back, after Missing, Delete or Move
    MISSING = "Missing"  # not in the snapshot; whether it is deleted is not known yet
    DELETE = "Delete"
    MOVE = "Move"  # it has become, or was merged into, another id


SETS = frozenset((ChangeType.CREATE, ChangeType.UPDATE, ChangeType.RESTORE))


class ChangeFeedError(HarvestError):
    """A change feed cannot be read."""


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One change: *before* and *after* are digests, *columns* the names of those that differ."""

    type: ChangeType
    id: str
    to: str | None = None
    before: str | None = None
    after: str | None = None
    columns: tuple[str, ...] = ()
    evidence: dict[str, Any] = {}

    @property
    def regenerated(self) -> bool:
        """Whether the museum generated the record again without changing its content."""
        return bool(self.evidence.get("regenerated"))

    def line(self, seq: int) -> bytes:
        """Return the change as line *seq* (from 1), without empty fields."""
        return b'{"seq":%d,%s\n' % (seq, msgspec.json.encode(self)[1:])


_change = msgspec.json.Decoder(Change).decode


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a feed: the runs that it connects, and when they read the records."""

    spider: str
    former: Mapping[str, str] | None  # run and content_digest; None: from nothing
    now: Mapping[str, str]
    between: tuple[str, str]

    def line(self) -> bytes:
        """Return the header line."""
        document = {
            "feed": VERSION,
            "spider": self.spider,
            "from": self.former and dict(self.former),
            "to": dict(self.now),
            "between": self.between,
        }
        return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Return the header in a parsed line; raise KeyError, TypeError or ValueError if none."""
        if document["feed"] != VERSION:
            raise ValueError(f"version {document['feed']} is unknown")
        former, now = document["from"], document["to"]
        for end in filter(None, (former, now)):
            _ = end["run"] + end["content_digest"]
        began, ended = document["between"]
        return cls(document["spider"], former, now, (began, ended))


def read_header(name: str, line: bytes) -> Header:
    """Return the header in the first *line* of the feed *name*; raise ChangeFeedError for none."""
    try:
        return Header.of(orjson.loads(line))
    except (ValueError, KeyError, TypeError) as error:
        raise ChangeFeedError(f"the change feed {name} has no header: {error}") from None


def read_changes(name: str, lines: Iterator[bytes]) -> Iterator[Change]:
    """Yield the changes in *lines*, those of the feed *name* after its header."""
    for number, line in enumerate(lines, 2):
        try:
            yield _change(line)
        except ValueError as error:
            raise ChangeFeedError(f"line {number} of the change feed {name}: {error}") from None
