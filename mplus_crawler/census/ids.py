"""A set of ids that takes flat memory, however large a collection is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from mplus_crawler.storage.sqlite import scratch


class Ids:
    """Ids that are accounted for: *admitted* to the feeds, and *delivered* unless withdrawn.

    SQLite's temporary database has the digest of each id's row. For a delivered row it also has
    which columns are *filled* (a byte per column, 1 or 0) and the *licences* (JSON).
    """

    def __init__(self) -> None:
        self.admitted = 0
        self.delivered = 0
        self._db = scratch(
            "CREATE TABLE seen (id TEXT PRIMARY KEY, delivered, digest, filled, licences)"
            " WITHOUT ROWID;"
            "CREATE TABLE other (id TEXT, digest, PRIMARY KEY (id, digest)) WITHOUT ROWID"
        )

    def deliver(self, record_id: str, digest: str, filled: bytes, licences: bytes) -> bool:
        """Add *record_id*, whose row is delivered if it is new; return whether it is."""
        row = (record_id, digest, filled, licences)
        cursor = self._db.execute("INSERT OR IGNORE INTO seen VALUES (?, 1, ?, ?, ?)", row)
        self.admitted += cursor.rowcount
        self.delivered += cursor.rowcount
        return cursor.rowcount == 1

    def redeliver(self, record_id: str, digest: str, filled: bytes, licences: bytes) -> None:
        """Replace the data of *record_id*, which is delivered again."""
        row = (digest, filled, licences, record_id)
        self._db.execute("UPDATE seen SET digest = ?, filled = ?, licences = ? WHERE id = ?", row)
        self.admitted += 1

    def filled_of(self, record_id: str) -> bytes | None:
        """Return the filled columns of *record_id*; None if it is not delivered."""
        found = self._db.execute(
            "SELECT filled FROM seen WHERE delivered AND id = ?", (record_id,)
        ).fetchone()
        return bytes(found[0]) if found else None

    def add(self, record_id: str, digest: str | None = None) -> bool:
        """Add *record_id*, which is not delivered; return whether it is new."""
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO seen VALUES (?, 0, ?, NULL, NULL)", (record_id, digest)
        )
        return cursor.rowcount == 1

    def add_digest(self, record_id: str, digest: str) -> bool:
        """Add *digest* to *record_id*, which is in the set; return whether it is new."""
        row = self._db.execute("SELECT digest FROM seen WHERE id = ?", (record_id,)).fetchone()
        if row[0] == digest:
            return False
        cursor = self._db.execute("INSERT OR IGNORE INTO other VALUES (?, ?)", (record_id, digest))
        return cursor.rowcount == 1

    def has(self, record_id: str) -> bool:
        """Whether *record_id* is in the set."""
        found = self._db.execute("SELECT 1 FROM seen WHERE id = ?", (record_id,)).fetchone()
        return found is not None

    def all(self) -> Iterator[str]:
        """Every id, sorted."""
        return (row[0] for row in self._db.execute("SELECT id FROM seen ORDER BY id"))

    def all_delivered(self) -> Iterator[str]:
        """Every delivered id, sorted."""
        rows = self._db.execute("SELECT id FROM seen WHERE delivered ORDER BY id")
        return (row[0] for row in rows)

    def withdraw(self, record_id: str) -> None:
        """Take *record_id* out again."""
        row = self._db.execute("SELECT delivered FROM seen WHERE id = ?", (record_id,)).fetchone()
        self._db.execute("DELETE FROM seen WHERE id = ?", (record_id,))
        self.delivered -= bool(row and row[0])

    def digests(self) -> Iterator[tuple[str, str]]:
        """Yield each delivered id and the digest of its row, sorted by id."""
        return self._db.execute("SELECT id, digest FROM seen WHERE delivered ORDER BY id")

    def licences(self) -> Iterator[tuple[bytes, int]]:
        """Yield each combination of licences, and how many delivered rows have it."""
        return self._db.execute(
            "SELECT licences, count(*) FROM seen WHERE delivered GROUP BY licences"
        )

    def content_digest(self) -> str:
        """SHA-256 over the lines ``id<TAB>digest`` of the delivered rows, sorted."""
        digest = hashlib.sha256()
        for record_id, row_digest in self.digests():
            digest.update(f"{record_id}\t{row_digest}\n".encode())
        return digest.hexdigest()

    def digest(self) -> str:
        """SHA-256 over the sorted delivered ids, joined by newlines."""
        digest = hashlib.sha256()
        separator = b""
        for (record_id,) in self._db.execute("SELECT id FROM seen WHERE delivered ORDER BY id"):
            digest.update(separator + record_id.encode())
            separator = b"\n"
        return digest.hexdigest()
