"""The queue: the images of a feed, which of them may be downloaded, and the next of each host.

It is a temporary SQLite database, so memory does not grow with the feed, and a slow host does
not delay the others.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from mplus_crawler.protocols.iiif import image_key
from mplus_crawler.records.permission import Statement
from mplus_crawler.records.rights import UNKNOWN
from mplus_crawler.storage.sqlite import scratch

_SCHEMA = """
CREATE TABLE image (number INTEGER PRIMARY KEY, key TEXT UNIQUE, host TEXT, image TEXT, term TEXT,
    ours BOOLEAN);
CREATE TABLE use (key TEXT, object TEXT, label TEXT, licence_uri TEXT, attribution TEXT,
    note TEXT, image TEXT, UNIQUE (key, object, image));
CREATE INDEX turn ON image (host, term, number);
"""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several parts: the images whose hash modulo *parts* is *part* - 1."""

    part: int = 1
    parts: int = 1

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the shard that *text* names, such as ``2/4``; raise ValueError otherwise."""
        if match := re.fullmatch(r"(\d{1,4})/(\d{1,4})", text.strip()):
            shard = cls(int(match[1]), int(match[2]))
            if 1 <= shard.part <= shard.parts:
                return shard
        raise ValueError("use PART/PARTS, such as 2/4")

    def __str__(self) -> str:
        return f"{self.part}/{self.parts}"

    def has(self, key: str) -> bool:
        """Whether the image with *key* is in this shard; the same on every machine."""
        number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])
        return number % self.parts == self.part - 1


@dataclass(frozen=True, slots=True)
class QueuedImage:
    """An image to download: its URL, host and term, and each object that shows it.

    A use has ``object``, ``label``, ``licence_uri``, ``attribution``, ``note`` and ``image``, the
    URL in that object's record.
    """

    url: str
    host: str
    term: str
    uses: tuple[dict[str, Any], ...]


class ImageQueue:
    """The images of a feed; those in *shard* under one of *terms* (slugs) may be downloaded.

    If the statements of several records about one image differ, its term is unknown.
    """

    def __init__(self, shard: Shard, terms: Iterable[str]) -> None:
        self._shard = shard
        self.terms = tuple(terms)
        self._last: dict[str, int] = {}
        self._db = scratch(_SCHEMA)

    def add(self, statement: Statement) -> None:
        """Add the image of *statement*, or this use of it."""
        row = self._db.execute("SELECT term FROM image WHERE key = ?", (statement.key,)).fetchone()
        if row is None:
            self._db.execute(
                "INSERT INTO image (key, host, image, term, ours) VALUES (?, ?, ?, ?, ?)",
                (
                    statement.key,
                    _host(statement.image),
                    statement.image,
                    statement.term,
                    self._shard.has(statement.key),
                ),
            )
        elif row[0] != statement.term:
            self._db.execute("UPDATE image SET term = ? WHERE key = ?", (UNKNOWN, statement.key))
        values = asdict(statement)
        del values["term"]
        self._db.execute(
            "INSERT OR IGNORE INTO use "
            "VALUES (:key, :object, :label, :licence_uri, :attribution, :note, :image)",
            values,
        )

    @property
    def named(self) -> bool:
        """Whether the feed names any image, in this shard or another."""
        return self._db.execute("SELECT 1 FROM image LIMIT 1").fetchone() is not None

    def counts(self) -> dict[str, int]:
        """Return the number of images in this shard by the slug of their term."""
        return dict(self._db.execute("SELECT term, count(*) FROM image WHERE ours GROUP BY term"))

    def denies(self, url: str) -> bool:
        """Whether *url* is that of an image that is denied or not selected."""
        key = image_key(url)
        row = self._db.execute("SELECT term FROM image WHERE key = ?", (key,)).fetchone()
        return row is not None and row[0] not in self.terms

    def denied(self) -> dict[str, int]:
        """Return the counts of images that are denied or not selected."""
        return {term: n for term, n in self.counts().items() if term not in self.terms}

    def allowed(self) -> int:
        """Return the number of images to download."""
        return sum(number for term, number in self.counts().items() if term in self.terms)

    def hosts(self) -> list[str]:
        """Return the hosts of images to download, in the feed's order."""
        rows = self._db.execute(
            f"SELECT host FROM image WHERE ours AND term IN ({self._marks}) "
            "GROUP BY host ORDER BY min(number)",
            self.terms,
        )
        return [host for (host,) in rows]

    def take(self, host: str) -> QueuedImage | None:
        """Return the next image at *host*; ``None`` if there is none left."""
        row = self._db.execute(
            f"SELECT number, key, image, term FROM image WHERE host = ? AND number > ? "
            f"AND ours AND term IN ({self._marks}) ORDER BY number LIMIT 1",
            (host, self._last.get(host, 0), *self.terms),
        ).fetchone()
        if row is None:
            return None
        self._last[host], key, image, term = row
        return QueuedImage(image, host, term, tuple(self._uses(key)))

    def _uses(self, key: str) -> Iterable[dict[str, Any]]:
        names = ("object", "label", "licence_uri", "attribution", "note", "image")
        # Rowids follow the feed's order.
        query = f"SELECT {', '.join(names)} FROM use WHERE key = ? ORDER BY rowid"
        rows = self._db.execute(query, (key,))
        return [dict(zip(names, row, strict=True)) for row in rows]

    @property
    def _marks(self) -> str:
        return ", ".join("?" * len(self.terms))


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""
