"""The SQLite file of a budget: opening it, its transactions, its clock and its errors."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mplus_crawler.storage.locks import try_lock
from mplus_crawler.wire.budget.budget import STRETCH, BudgetAwayError, BudgetUnavailableError

# Seconds that a call waits for another process: short, since it blocks the event loop.
_TIMEOUT = 0.05
# Seconds that opening the file waits for other processes.
_OPENING = 10.0
_HELD = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS clock (boot TEXT, ahead REAL);
CREATE TABLE IF NOT EXISTS ticket (number INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE TABLE IF NOT EXISTS spent (
    account TEXT, seconds REAL, ticket INTEGER, expires REAL,
    PRIMARY KEY (account, seconds, ticket)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spent_expires ON spent (account, seconds, expires);
CREATE TABLE IF NOT EXISTS window (
    account TEXT, seconds REAL, requests INTEGER, ceiling INTEGER, until REAL,
    PRIMARY KEY (account, seconds)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS back_off (
    account TEXT PRIMARY KEY, until REAL, probe REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS waiting (
    account TEXT, who TEXT, until REAL, PRIMARY KEY (account, who)) WITHOUT ROWID;
"""


class BudgetFile:
    """The SQLite file *path*; *uptime* and *wall* are clocks in seconds.

    What *rehearse* writes is rolled back, so that a foreign or read-only file fails at once. Raises
    :class:`BudgetUnavailableError`, also in :meth:`transaction`.
    """

    def __init__(
        self,
        path: Path,
        rehearse: Callable[[sqlite3.Connection, float], object],
        *,
        uptime: Callable[[], float],
        wall: Callable[[], float],
        boot: Callable[[], str],
    ) -> None:
        self._path = path
        self._uptime = uptime
        self._files: list[tuple[int, int] | None] = []
        with self._usable():
            path.parent.mkdir(parents=True, exist_ok=True)
            with _lock(path):
                self._db = sqlite3.connect(path, timeout=_OPENING, isolation_level=None)
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=NORMAL")
                self._db.executescript(_SCHEMA)
                self._ahead = self._set_clock(boot(), wall())
                self._db.execute("BEGIN IMMEDIATE")
                rehearse(self._db, self._uptime() + self._ahead)
                self._db.execute("ROLLBACK")
                self._files = self._identities()
                self.wait_at_most(_TIMEOUT)

    def wait_at_most(self, seconds: float) -> None:
        """Let a transaction wait so many *seconds* for another process."""
        self._db.execute(f"PRAGMA busy_timeout={seconds * 1000:.0f}")

    @contextmanager
    def transaction(self) -> Iterator[tuple[sqlite3.Connection, float]]:
        """Yield the connection and the time; commit at the end, or roll back after an error."""
        with self._usable():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                # Processes that open the path now would count in another file.
                if self._identities() != self._files:
                    raise OSError("it was deleted or replaced while in use")
                yield self._db, self._uptime() + self._ahead
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _set_clock(self, boot: str, wall: float) -> float:
        """Return what to add to the uptime: fixed for one boot, and never before the last stamp."""
        self._db.execute("BEGIN IMMEDIATE")
        row = self._db.execute("SELECT boot, ahead FROM clock").fetchone()
        if row is None or not boot or row[0] != boot:
            last = self._db.execute("SELECT max(expires - seconds * ?) FROM spent", (STRETCH,))
            ahead = max(wall, last.fetchone()[0] or 0.0) - self._uptime()
            self._db.execute("DELETE FROM clock")
            self._db.execute("INSERT INTO clock VALUES (?, ?)", (boot, ahead))
        else:
            ahead = float(row[1])
        self._db.execute("COMMIT")
        return ahead

    def _identities(self) -> list[tuple[int, int] | None]:
        """Return device and inode of each file of the database; ``None`` for one not there."""
        return [_identity(Path(f"{self._path}{suffix}")) for suffix in ("", "-wal", "-shm")]

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Turn whatever a damaged, full or locked store raises into our errors."""
        try:
            yield
        except Exception as error:
            held = isinstance(error, BlockingIOError) or (
                isinstance(error, sqlite3.Error)
                and getattr(error, "sqlite_errorcode", 0) & 0xFF in _HELD
            )
            kind = BudgetAwayError if held else BudgetUnavailableError
            why = "another process holds it" if held else str(error) or type(error).__name__
            raise kind(
                f"the budget store {self._path} cannot be used ({why}); nothing is sent without "
                "it: repair or remove the file, or set another with BUDGET_URL=sqlite:///FILE"
            ) from None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Open a new file in one process at a time: SQLite fails otherwise.

    The lock file is never written, and no symbolic link is followed to another file.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(f"{path}.lock", flags, 0o600)
    try:
        _wait_for(descriptor)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int) -> None:
    """Lock *descriptor*; raise BlockingIOError after ten seconds. No-op where locks don't work."""
    end = time.monotonic() + _OPENING
    while try_lock(descriptor) is False:
        if time.monotonic() > end:
            raise BlockingIOError
        time.sleep(0.01)
