"""The tables of the database, planned from the schemas and from ``relations.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from itertools import chain, zip_longest
from typing import Any

from mplus_crawler.datasets.snapshots import Kind
from mplus_crawler.records.items import item_class
from mplus_crawler.records.tables.columns import Column, columns_of

_SQL = {"integer": "INTEGER", "number": "REAL", "boolean": "INTEGER"}
Row = Mapping[str, Any]
# Chinese characters and Japanese syllables, which stand without blanks between words.
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
_LONGEST_PART = 4


@dataclass(frozen=True, slots=True)
class Reference:
    """What a column refers to: a row of the table *to*. The column *label* has that row's name."""

    to: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class SqlColumn:
    """A column: its SQLite *type*, and what it means."""

    name: str
    type: str
    description: str
    refers: Reference | None = None


@dataclass(slots=True)
class LinkTable:
    """A table with a row for each value in lists of an owner's records.

    *columns* follow the key, which is the owner's id, the role (if any) and the position.
    """

    name: str
    owner: KindTable
    columns: list[SqlColumn]
    has_role: bool
    sources: list[Source] = field(default_factory=list)

    @property
    def owner_id(self) -> str:
        """The column with the owner's id."""
        return f"{self.owner.singular}_id"

    @property
    def key(self) -> list[str]:
        """The columns of the primary key."""
        return [self.owner_id, *(["role"] if self.has_role else []), "position"]

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.key) + len(self.columns)

    def rows(self, row: Row) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of the owner's record *row*."""
        for source in self.sources:
            role = (source.role,) if self.has_role else ()
            for position, values in enumerate(source.values(row), 1):
                yield (row["id"], *role, position, *values)


@dataclass(frozen=True, slots=True)
class Source:
    """The columns of a record that fill a link table: parallel *lists*, or one of *members*."""

    lists: tuple[str, ...] = ()
    members: str = ""
    parts: tuple[str, ...] = ()
    ids: frozenset[str] = frozenset()
    role: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The record's columns that it uses."""
        return (*self.lists, *filter(None, (self.members,)))

    def values(self, row: Row) -> Iterator[tuple[Any, ...]]:
        """Yield the values of each position in the lists of *row*."""
        if self.members:
            for member in row[self.members] or ():
                yield tuple(member[part] for part in self.parts)
            return
        lists = [
            [value or None for value in row[name] or ()] if name in self.ids else row[name] or ()
            for name in self.lists
        ]
        yield from zip_longest(*lists)


@dataclass(slots=True)
class KindTable:
    """The table of a kind of record, and the tables of its lists.

    *schema* has all columns of a record; those that repeat are in :attr:`links`.
    """

    name: str
    singular: str
    description: str
    schema: list[Column]
    search: list[str]
    columns: list[SqlColumn] = field(default_factory=list)
    links: list[LinkTable] = field(default_factory=list)

    def values(self, row: Row) -> tuple[Any, ...]:
        """Return the values of *row* for :attr:`columns`."""
        return tuple(row[column.name] for column in self.columns)

    def text(self, row: Row) -> str:
        """Return the texts of *row* for the full-text index, each once."""
        values = (row[name] for name in self.search)
        parts = chain.from_iterable(v if isinstance(v, list) else [v] for v in values)
        return searchable(" ".join(dict.fromkeys(part for part in parts if part)))


def searchable(text: str) -> str:
    """Return *text* with each run of Chinese characters as its parts of 1 to 4, each a word.

    The index has no dictionary; this way, a query for such a part finds the run.
    """
    return _UNSPACED.sub(_parts, text)


def _parts(found: re.Match[str]) -> str:
    run = found[0]
    sizes = {*range(1, min(len(run), _LONGEST_PART) + 1), len(run)}
    parts = (run[at : at + size] for size in sorted(sizes) for at in range(len(run) - size + 1))
    return f" {' '.join(parts)} "


def kind_table(kind: Kind) -> KindTable:
    """Return the plan of *kind*'s table, and of those of its lists."""
    schema = item_class(kind.schema).jsonschema
    columns = {column.name: column for column in columns_of(schema)}
    facts = _relations().get(kind.schema, {})
    table = KindTable(
        name=kind.table,
        singular=kind.schema.removeprefix("mplus_"),
        description=schema["description"],
        schema=list(columns.values()),
        search=facts.get("search", ["label"]),
    )
    refers = _references(facts)
    plain = {name: column for name, column in columns.items() if not column.repeats}
    table.columns += [_sql(name, column, refers) for name, column in plain.items()]
    for link in facts.get("link", ()):
        _add_link(table, link, columns)
    taken = {name for link in table.links for source in link.sources for name in source.names}
    for name in columns.keys() - plain.keys() - taken:
        how = {"members": name} if columns[name].fields else {"lists": {"value": name}}
        _add_link(table, {"table": f"{table.singular}_{name}", **how}, columns)
    table.links.sort(key=lambda link: link.name)
    return table


@cache
def _relations() -> dict[str, Any]:
    file = resources.files("mplus_crawler.datasets") / "relations.toml"
    return tomllib.loads(file.read_text("utf-8"))


def _references(facts: Mapping[str, Any]) -> dict[str, Reference]:
    return {name: Reference(**fact) for name, fact in facts.get("refers", {}).items()}


def _add_link(table: KindTable, facts: Mapping[str, Any], columns: Mapping[str, Column]) -> None:
    """Add the link table of *facts* to *table*, or one more source to the one of that name."""
    refers, role = _references(facts), facts.get("role", "")
    if members := facts.get("members"):
        parts = [part.name for part in columns[members].fields]
        names = {facts.get("names", {}).get(part, part): part for part in parts}
        found = dict(zip(names, columns[members].fields, strict=True))
        source = Source(members=members, parts=tuple(parts), role=role)
    else:
        lists = facts["lists"]
        found = {name: columns[column] for name, column in lists.items()}
        ids = frozenset(column for name, column in lists.items() if name in refers)
        source = Source(tuple(lists.values()), ids=ids, role=role)
    if same := next((link for link in table.links if link.name == facts["table"]), None):
        same.sources.append(source)
        return
    described = [_sql(name, column, refers) for name, column in found.items()]
    table.links.append(LinkTable(facts["table"], table, described, bool(role), [source]))


def _sql(name: str, column: Column, refers: Mapping[str, Reference]) -> SqlColumn:
    type_ = _SQL.get(column.kind, "TEXT")
    return SqlColumn(name, type_, column.description, refers.get(name))


def referred(tables: Iterable[KindTable]) -> set[str]:
    """Return the tables that columns of *tables* refer to."""
    columns = chain.from_iterable(
        chain(table.columns, *(link.columns for link in table.links)) for table in tables
    )
    return {column.refers.to for column in columns if column.refers}
