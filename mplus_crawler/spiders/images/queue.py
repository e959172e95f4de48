"""The images of a feed: which may be fetched, which may not, and which is next at each host.

Everything is in SQLite's own temporary database, so that memory stays flat however long the
feed is, and a slow host keeps nobody waiting but itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from mplus_crawler.protocols.iiif import image_key
from mplus_crawler.records.rights import UNKNOWN
from mplus_crawler.spiders.images.permission import Statement
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
    """One part of several: images whose hash, divided by *parts*, leaves *part* - 1."""

    part: int = 1
    parts: int = 1

    @classmethod
    def read(cls, text: str) -> Self:
        """The shard that *text*, ``2/4``, names. ValueError where it names none."""
        if named := re.fullmatch(r"(\d{1,4})/(\d{1,4})", text.strip()):
            shard = cls(int(named[1]), int(named[2]))
            if 1 <= shard.part <= shard.parts:
                return shard
        raise ValueError("write the part and of how many, such as 2/4")

    def __str__(self) -> str:
        return f"{self.part}/{self.parts}"

    def has(self, key: str) -> bool:
        """Whether the image of that key belongs here: a hash that is the same on any machine."""
        number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])
        return number % self.parts == self.part - 1


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that may be fetched: where it is, its term, and each object that shows it.

    A use has ``object``, ``label``, ``licence_uri``, ``attribution``, ``note`` and ``image``, the
    address as that object's record gives it.
    """

    image: str
    host: str
    term: str
    uses: tuple[dict[str, Any], ...]


class ImageQueue:
    """The images of a feed; those of this *shard* under one of *terms* (slugs) may be fetched.

    Statements of several records about one image must agree; where they don't, it is unknown.
    """

    def __init__(self, shard: Shard, terms: Iterable[str]) -> None:
        self._shard = shard
        self.terms = tuple(terms)
        self._last: dict[str, int] = {}
        self._db = scratch(_SCHEMA)

    def add(self, said: Statement) -> None:
        """Take over what a record says of an image."""
        row = self._db.execute("SELECT term FROM image WHERE key = ?", (said.key,)).fetchone()
        if row is None:
            self._db.execute(
                "INSERT INTO image (key, host, image, term, ours) VALUES (?, ?, ?, ?, ?)",
                (said.key, _host(said.image), said.image, said.term, self._shard.has(said.key)),
            )
        elif row[0] != said.term:
            self._db.execute("UPDATE image SET term = ? WHERE key = ?", (UNKNOWN, said.key))
        values = asdict(said)
        del values["term"]
        self._db.execute(
            "INSERT OR IGNORE INTO use "
            "VALUES (:key, :object, :label, :licence_uri, :attribution, :note, :image)",
            values,
        )

    @property
    def named(self) -> bool:
        """Whether any image was named, whosever part it is."""
        return self._db.execute("SELECT 1 FROM image LIMIT 1").fetchone() is not None

    def counts(self) -> dict[str, int]:
        """How many images there are under each term, by its slug."""
        return dict(self._db.execute("SELECT term, count(*) FROM image WHERE ours GROUP BY term"))

    def denies(self, url: str) -> bool:
        """Whether *url* is of an image that may not be fetched, or is not wanted."""
        key = image_key(url)
        row = self._db.execute("SELECT term FROM image WHERE key = ?", (key,)).fetchone()
        return row is not None and row[0] not in self.terms

    def denied(self) -> dict[str, int]:
        """Those counts that are of images which may not be fetched, or are not wanted."""
        return {term: n for term, n in self.counts().items() if term not in self.terms}

    def allowed(self) -> int:
        """How many images may be fetched."""
        return sum(number for term, number in self.counts().items() if term in self.terms)

    def hosts(self) -> list[str]:
        """The hosts that have images which may be fetched, in the feed's order."""
        rows = self._db.execute(
            f"SELECT host FROM image WHERE ours AND term IN ({self._marks}) "
            "GROUP BY host ORDER BY min(number)",
            self.terms,
        )
        return [host for (host,) in rows]

    def take(self, host: str) -> Picture | None:
        """The next image at *host*; ``None`` when all were taken."""
        row = self._db.execute(
            f"SELECT number, key, image, term FROM image WHERE host = ? AND number > ? "
            f"AND ours AND term IN ({self._marks}) ORDER BY number LIMIT 1",
            (host, self._last.get(host, 0), *self.terms),
        ).fetchone()
        if row is None:
            return None
        self._last[host], key, image, term = row
        return Picture(image, host, term, tuple(self._uses(key)))

    def _uses(self, key: str) -> Iterable[dict[str, Any]]:
        names = ("object", "label", "licence_uri", "attribution", "note", "image")
        # By rowid: in the feed's order.
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
