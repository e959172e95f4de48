"""Writes tables of an SQLite database: one for the records, one for each list that they have."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from mplus_crawler.records.tables.columns import KEY, Column
from mplus_crawler.records.tables.rows import Cells

_TYPES = {
    "text": "TEXT",
    "integer": "INTEGER",
    "number": "REAL",
    "boolean": "BOOLEAN",
    "json": "TEXT",
}
_RECORDS = "records"
_BLOCK = 1 << 20  # bytes


def write_sqlite(
    columns: Sequence[Column], batches: Iterable[Sequence[Cells]], scratch: Path
) -> Iterator[bytes]:
    """Yield the bytes of a database with the table ``records``; *scratch* is an empty folder.

    *columns* include ``id``, the key. Raises OSError, also where the database has no space.
    """
    path = scratch / "records.sqlite"
    try:
        with closing(_opened(path)) as database:
            tables = _Tables(columns)
            tables.create(database)
            for batch in batches:
                tables.insert(database, batch)
            tables.finish(database)
            database.commit()
    except sqlite3.Error as error:
        raise OSError(str(error)) from error
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _opened(path: Path) -> sqlite3.Connection:
    """Return a new database in *path*, for this process only; a crash may lose it."""
    database = sqlite3.connect(path)
    for setting in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE"):
        database.execute(f"PRAGMA {setting}")
    return database


class _Tables:
    """The table of rows with *columns*, and a link table for each column that repeats.

    A link table has the column's name, and the columns ``record_id``, ``position`` (from 1) and
    ``value``; of a list of objects, their fields instead of ``value``. Record and position are
    its key.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        places = list(enumerate(columns))
        self._plain = [(place, column) for place, column in places if not column.repeats]
        self._lists = [(place, column) for place, column in places if column.repeats]
        self._key = next(place for place, column in places if column.name == KEY)

    def create(self, database: sqlite3.Connection) -> None:
        """Create the tables in *database*."""
        _create(database, _RECORDS, [_definition(column) for _, column in self._plain])
        for _, column in self._lists:
            definitions = (
                f"record_id TEXT NOT NULL REFERENCES {_RECORDS}",
                "position INTEGER NOT NULL",
                *(f"{_quoted(field.name)} {_TYPES[field.kind]}" for field in _members(column)),
            )
            _create(database, column.name, definitions)

    def insert(self, database: sqlite3.Connection, rows: Sequence[Cells]) -> None:
        """Insert *rows*, whose values are in the order of the columns."""
        places = [place for place, _ in self._plain]
        _insert(database, _RECORDS, [[row[place] for place in places] for row in rows])
        for place, column in self._lists:
            links = [
                (row[self._key], position, *_values(column, value))
                for row in rows
                for position, value in enumerate(row[place] or (), 1)
            ]
            _insert(database, column.name, links)

    def finish(self, database: sqlite3.Connection) -> None:
        """Add the keys of the link tables, which takes less time when they are full."""
        for _, column in self._lists:
            key, table = _quoted(f"{column.name}_key"), _quoted(column.name)
            database.execute(f"CREATE UNIQUE INDEX {key} ON {table} (record_id, position)")


def _members(column: Column) -> Sequence[Column]:
    return column.fields or (Column("value", column.kind),)


def _values(column: Column, value: Any) -> Sequence[Any]:
    if not column.fields:
        return (value,)
    return [(value or {}).get(field.name) for field in column.fields]


def _definition(column: Column) -> str:
    suffix = " PRIMARY KEY NOT NULL" if column.name == KEY else ""
    return f"{_quoted(column.name)} {_TYPES[column.kind]}{suffix}"


def _create(database: sqlite3.Connection, name: str, definitions: Sequence[str]) -> None:
    database.execute(f"CREATE TABLE {_quoted(name)} ({', '.join(definitions)})")


def _insert(database: sqlite3.Connection, name: str, rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        values = ", ".join("?" * len(rows[0]))
        database.executemany(f"INSERT INTO {_quoted(name)} VALUES ({values})", rows)


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
