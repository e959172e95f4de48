"""SQLite files, set aside if damaged, and temporary databases for large sets."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from mplus_crawler.errors import ExitCode

logger = logging.getLogger(__name__)

# Result codes for a place that cannot be read or written now (https://sqlite.org/rescode.html).
_UNUSABLE = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_AUTH,
}


def connect(path: Path, schema: str) -> sqlite3.Connection:
    """Open the SQLite file *path* with the tables of *schema*; set a damaged one aside.

    Raises OSError and :class:`sqlite3.OperationalError` where it cannot be written.
    """
    try:
        return _connect(path, schema)
    except (sqlite3.Error, ValueError) as error:
        if not is_damage(error):
            raise
        set_aside(path, error)
        return _connect(path, schema)


def is_damage(error: Exception) -> bool:
    """Whether *error* comes from a file's content rather than its place, such as a full disk."""
    if not isinstance(error, sqlite3.Error):
        return True  # SQLite's message quotes what is no UTF-8
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code == sqlite3.SQLITE_IOERR_SHORT_READ or code & 0xFF not in _UNUSABLE


def set_aside(path: Path, reason: object) -> None:
    """Rename the damaged SQLite file *path* and log the *reason*; it is kept for inspection."""
    aside = path.with_name(f"{path.name}.damaged-{int(time.time())}")
    logger.warning("%s is damaged (%s): set aside as %s", path, reason, aside.name)
    path.rename(aside)
    remove(path)


def remove(path: Path) -> None:
    """Delete the SQLite file *path* and the files that SQLite keeps beside it."""
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        file.unlink(missing_ok=True)


def scratch(schema: str) -> sqlite3.Connection:
    """SQLite's own temporary database with the tables of *schema*: flat memory, gone at the end.

    If its file cannot be written, the process ends with exit code 14.
    """
    db = sqlite3.connect("", isolation_level=None, factory=_Scratch)
    db.execute("PRAGMA journal_mode=OFF")
    db.execute("PRAGMA cache_size=-1000")  # in kB; 2,000, the default, are not faster
    db.executescript(schema)
    db.execute("BEGIN")
    return db


class _Scratch(sqlite3.Connection):
    """A temporary database whose failure ends the process.

    Without it, no record can be counted or ordered. What a killed harvest leaves is safe.
    """

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Execute *sql*."""
        try:
            return super().execute(sql, parameters)
        except sqlite3.OperationalError as error:
            _end(error)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """Execute *sql* once for each of the *parameters*."""
        try:
            return super().executemany(sql, parameters)
        except sqlite3.OperationalError as error:
            _end(error)


def _end(error: sqlite3.OperationalError) -> NoReturn:
    logger.critical(
        "the folder for temporary files cannot be written (%s): free space there, or set "
        "SQLITE_TMPDIR to another folder; then run the same command again",
        error,
    )
    logging.shutdown()
    os._exit(ExitCode.UNDELIVERED)


def _connect(path: Path, schema: str) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA page_size=65536")  # responses are large: half the work of 4096
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.executescript(schema)
        fault = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if fault != "ok":
            raise sqlite3.DatabaseError(fault)
    except (sqlite3.Error, ValueError):
        db.close()
        raise
    return db
