"""A set of ids that takes flat memory, however large a collection is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from mplus_crawler.storage.sqlite import scratch


class Ids:
    """Ids that are accounted for: *admitted* to the feeds, and *delivered* unless withdrawn.

    Each is kept with a hash of its record's content, in SQLite's own temporary database.
    """

    def __init__(self) -> None:
        self.admitted = 0
        self.delivered = 0
        self._db = scratch(
            "CREATE TABLE seen (id TEXT PRIMARY KEY, delivered, content) WITHOUT ROWID;"
            "CREATE TABLE other (id TEXT, content, PRIMARY KEY (id, content)) WITHOUT ROWID"
        )

    def add(self, record_id: str, *, delivered: bool, content: int | None = None) -> bool:
        """Whether *record_id* is new; it is in the set from now on."""
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (record_id, delivered, content)
        )
        new = cursor.rowcount == 1
        self.admitted += new and delivered
        self.delivered += new and delivered
        return new

    def add_content(self, record_id: str, content: int) -> bool:
        """Whether *content* is new for *record_id*, which is in the set."""
        row = self._db.execute("SELECT content FROM seen WHERE id = ?", (record_id,)).fetchone()
        if row[0] == content:
            return False
        cursor = self._db.execute("INSERT OR IGNORE INTO other VALUES (?, ?)", (record_id, content))
        return cursor.rowcount == 1

    def has(self, record_id: str) -> bool:
        """Whether *record_id* is in the set."""
        found = self._db.execute("SELECT 1 FROM seen WHERE id = ?", (record_id,)).fetchone()
        return found is not None

    def all(self) -> Iterator[str]:
        """Every id, sorted."""
        return (row[0] for row in self._db.execute("SELECT id FROM seen ORDER BY id"))

    def withdraw(self, record_id: str) -> None:
        """Take *record_id* out again."""
        row = self._db.execute("SELECT delivered FROM seen WHERE id = ?", (record_id,)).fetchone()
        self._db.execute("DELETE FROM seen WHERE id = ?", (record_id,))
        self.delivered -= bool(row and row[0])

    def digest(self) -> str:
        """SHA-256 over the sorted delivered ids, joined by newlines."""
        digest = hashlib.sha256()
        separator = b""
        for (record_id,) in self._db.execute("SELECT id FROM seen WHERE delivered ORDER BY id"):
            digest.update(separator + record_id.encode())
            separator = b"\n"
        return digest.hexdigest()
