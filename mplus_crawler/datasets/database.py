"""``museum.sqlite``: a table per kind, tables of links, full-text search, and views.

Every id that a record refers to has a row; if no snapshot lists it, ``listed`` is 0.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

from mplus_crawler.datasets.relations import KindTable, LinkTable, SqlColumn, referred
from mplus_crawler.errors import DeliveryError, counted
from mplus_crawler.records.tables.rows import RowReader

_STUB = [
    SqlColumn("id", "TEXT", "Identifier that records refer to."),
    SqlColumn("label", "TEXT", "Display name, as the record gives it."),
]
_LISTED = SqlColumn("listed", "INTEGER", "1: a record of a snapshot; 0: only referred to.")
_ABOUT = {
    "about": ("name TEXT PRIMARY KEY", "value TEXT"),
    "snapshots": (
        *("name TEXT PRIMARY KEY", "spider TEXT", "run TEXT", "api TEXT", "started_at TEXT"),
        *("finished_at TEXT", "verdict TEXT", "records INTEGER", "expires_at TEXT"),
    ),
    "columns": ("in_table TEXT", "name TEXT", "type TEXT", "refers_to TEXT", "description TEXT"),
    "changes": (
        *("kind TEXT", "run TEXT", "at TEXT", "seq INTEGER", "type TEXT", "id TEXT", "to_id TEXT"),
        *("before TEXT", "after TEXT", "columns TEXT", "evidence TEXT"),
        "PRIMARY KEY (kind, run, seq)",
    ),
}


class Database:
    """The database being written at *path*, with the tables of *planned* kinds.

    Use it as a context manager. Raises :class:`sqlite3.Error`, such as for a full disk.
    """

    def __init__(self, path: Path, planned: Sequence[KindTable], views: str) -> None:
        self._path = path
        self._tables = {table.name: table for table in planned}
        self._stubs = sorted(referred(planned) - self._tables.keys())
        self._views = views

    def __enter__(self) -> Database:
        self._db = sqlite3.connect(self._path, isolation_level=None)
        # The file is new, hidden until it is whole, and of no use if the process is killed.
        for pragma in ("page_size = 4096", "journal_mode = OFF", "synchronous = OFF"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("BEGIN")
        for statement in self._statements():
            self._db.execute(statement)
        return self

    def __exit__(self, *error: object) -> None:
        self._db.close()

    def add(self, name: str, lines: Iterable[bytes]) -> Counter[str]:
        """Insert the records in *lines*, JSON objects, into the table *name* and its links.

        Return how many values were left out since they do not fit their column, by column.
        """
        table = self._tables[name]
        reader = RowReader(table.schema)
        names = [column.name for column in table.schema]
        records = _insert(name, len(table.columns) + 1)
        search = _insert("search", 4)
        for batch in reader.batches(lines):
            rows = [dict(zip(names, cells, strict=True)) for cells in batch]
            self._db.executemany(records, ((*table.values(row), 1) for row in rows))
            for link in table.links:
                values = chain.from_iterable(map(link.rows, rows))
                self._db.executemany(_insert(link.name, link.width), values)
            texts = ((name, row["id"], row["label"], table.text(row)) for row in rows)
            self._db.executemany(search, texts)
        return reader.unfit

    def insert(self, name: str, rows: Iterable[Sequence[Any]]) -> None:
        """Insert *rows* into a table about the package: ``about``, ``snapshots``, ``changes``."""
        self._db.executemany(_insert(name, _width(name)), rows)

    def finish(self) -> None:
        """Add rows that are only referred to, the dictionary and views; check all, and close."""
        for reference in self._references():
            self._db.execute(reference)
        self.insert("columns", self._dictionary())
        self._db.execute("INSERT INTO search (search) VALUES ('optimize')")
        self._db.execute("COMMIT")
        self._db.execute(self._all_records())
        self._db.executescript(self._views)
        self._db.execute("ANALYZE")
        self._check()
        self._db.close()

    def _check(self) -> None:
        broken = self._db.execute("PRAGMA foreign_key_check").fetchall()
        (state,) = self._db.execute("PRAGMA quick_check").fetchone()
        if broken or state != "ok":
            keys = counted(len(broken), "broken key")
            raise DeliveryError(f"{self._path} is damaged: {state}, {keys}")

    def _statements(self) -> Iterator[str]:
        for name, columns in _ABOUT.items():
            yield f"CREATE TABLE {name} ({', '.join(columns)}) STRICT"
        for name in self._stubs:
            yield _create(name, [*_STUB, _LISTED], ["id"])
        for table in self._tables.values():
            yield _create(table.name, [*table.columns, _LISTED], ["id"])
            yield from map(_create_link, table.links)
            for link in table.links:
                yield from _indexes(link.name, link.columns)
            yield from _indexes(table.name, table.columns)
        yield (
            "CREATE VIRTUAL TABLE search USING fts5 "
            "(kind, id UNINDEXED, label, text, tokenize = 'unicode61 remove_diacritics 2')"
        )

    def _all_records(self) -> str:
        """The view ``records``: the label of every record, by kind and id."""
        parts = (
            f"SELECT '{name}' AS kind, id, label FROM {name} WHERE listed" for name in self._tables
        )
        return f"CREATE VIEW records AS {' UNION ALL '.join(parts)}"

    def _references(self) -> Iterator[str]:
        for table in self._tables.values():
            for name, columns in ((table.name, table.columns), *_columns(table.links)):
                for column in columns:
                    if column.refers:
                        label = f"min({column.refers.label})" if column.refers.label else "NULL"
                        yield (
                            f"INSERT INTO {column.refers.to} (id, label, listed) "
                            f"SELECT {column.name}, {label}, 0 FROM {name} AS source "
                            f"WHERE {column.name} IS NOT NULL AND NOT EXISTS "
                            f"(SELECT 1 FROM {column.refers.to} AS known "
                            f"WHERE known.id = source.{column.name}) "
                            f"GROUP BY {column.name} ORDER BY {column.name}"
                        )

    def _dictionary(self) -> Iterator[tuple[str | None, ...]]:
        for table, columns in dictionary(self._tables.values(), self._stubs):
            for column in columns:
                to = column.refers.to if column.refers else None
                yield table, column.name, column.type, to, column.description


def dictionary(
    tables: Iterable[KindTable], stubs: Iterable[str] = ()
) -> Iterator[tuple[str, list[SqlColumn]]]:
    """Yield each table of the database with its columns."""
    for table in tables:
        yield table.name, [*table.columns, _LISTED]
        for link in table.links:
            yield link.name, [*_key(link), *link.columns]
    for name in stubs:
        yield name, [*_STUB, _LISTED]


def views(museum: str) -> str:
    """The SQL of the views for the database of *museum*."""
    file = resources.files("mplus_crawler.datasets") / "views" / f"{museum.partition('_')[0]}.sql"
    return file.read_text("utf-8") if file.is_file() else ""


def _key(link: LinkTable) -> list[SqlColumn]:
    owner = SqlColumn(link.owner_id, "TEXT", f"Id of the {link.owner.singular}.", None)
    role = SqlColumn("role", "TEXT", "Role in that record, such as maker.")
    position = SqlColumn("position", "INTEGER", "Place in the record's list, from 1.")
    return [owner, *([role] if link.has_role else []), position]


def _columns(links: Iterable[LinkTable]) -> Iterator[tuple[str, list[SqlColumn]]]:
    for link in links:
        yield link.name, link.columns


def _create(name: str, columns: Iterable[SqlColumn], key: Sequence[str]) -> str:
    return f"CREATE TABLE {name} ({_definitions(columns)}, PRIMARY KEY ({', '.join(key)})) STRICT"


def _create_link(link: LinkTable) -> str:
    owner = f'{link.owner_id} TEXT NOT NULL REFERENCES "{link.owner.name}" (id)'
    rest = _definitions([*_key(link)[1:], *link.columns])
    return (
        f"CREATE TABLE {link.name} ({owner}, {rest}, PRIMARY KEY ({', '.join(link.key)})) "
        "STRICT, WITHOUT ROWID"
    )


def _definitions(columns: Iterable[SqlColumn]) -> str:
    return ", ".join(
        f'"{column.name}" {column.type}{" NOT NULL" if column.name == "id" else ""}'
        + (f' REFERENCES "{column.refers.to}" (id)' if column.refers else "")
        for column in columns
    )


def _indexes(table: str, columns: Iterable[SqlColumn]) -> Iterator[str]:
    for column in columns:
        if column.refers:
            yield f"CREATE INDEX {table}_by_{column.name} ON {table} ({column.name})"


def _width(name: str) -> int:
    return sum(not column.startswith("PRIMARY") for column in _ABOUT[name])


def _insert(name: str, width: int) -> str:
    return f'INSERT INTO "{name}" VALUES ({", ".join("?" * width)})'
