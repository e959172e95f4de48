"""The tables of the database, planned from the schemas and from ``relations.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from itertools import chain, zip_longest
from typing import Any

from mplus_crawler.datasets.snapshots import Kind
from mplus_crawler.records.batch import json_line
from mplus_crawler.records.items import item_class

_SQL = {"string": "TEXT", "integer": "INTEGER", "number": "REAL", "boolean": "INTEGER"}
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reference:
    """What a column refers to: a row of the table *to*, which the column *label* names."""

    to: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its SQLite *type*, and what it means."""

    name: str
    type: str
    description: str
    refers: Reference | None = None


@dataclass(slots=True)
class LinkTable:
    """A table with a row for each value in lists of an owner's records.

    *columns* come after those of the key: the owner's id, the role if any, the position.
    """

    name: str
    owner: KindTable
    columns: list[Column]
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
                yield tuple(cell(member[part]) for part in self.parts)
            return
        lists = [
            [value or None for value in row[name] or ()] if name in self.ids else row[name] or ()
            for name in self.lists
        ]
        yield from (tuple(map(cell, values)) for values in zip_longest(*lists))


@dataclass(slots=True)
class KindTable:
    """The table of a kind of record, and the tables of its lists."""

    name: str
    singular: str
    description: str
    columns: list[Column]
    links: list[LinkTable]
    search: list[str]

    def values(self, row: Row) -> tuple[Any, ...]:
        """The values of *row* for :attr:`columns`."""
        return tuple(cell(row.get(column.name)) for column in self.columns)

    def text(self, row: Row) -> str:
        """What the full-text index has of *row*: each text once, Chinese character by character."""
        values = (row.get(name) for name in self.search)
        parts = chain.from_iterable(v if isinstance(v, list) else [v] for v in values)
        return spaced(" ".join(dict.fromkeys(part for part in parts if part)))


def cell(value: Any) -> Any:
    """Return *value* as SQLite keeps it: what is no scalar is JSON text."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, list | dict):
        return json_line(value).decode().rstrip("\n")
    return value


def spaced(text: str) -> str:
    """Return *text* with blanks around Chinese characters, so that each is a word."""
    return "".join(f" {one} " if "\u3400" <= one <= "\u9fff" else one for one in text)


def kind_table(kind: Kind) -> KindTable:
    """Plan the table of *kind*, and those of its lists."""
    schema = item_class(kind.schema).jsonschema
    properties: dict[str, Any] = schema["properties"]
    facts = _relations().get(kind.schema, {})
    refers = _references(facts.get("refers", {}))
    scalars = {name: rule for name, rule in properties.items() if not _is_list(rule)}
    columns = [
        Column(name, _sql(rule), rule.get("description", ""), refers.get(name))
        for name, rule in scalars.items()
    ]
    singular = kind.schema.removeprefix("mplus_")
    table = KindTable(
        kind.table, singular, schema["description"], columns, [], facts.get("search", ["label"])
    )
    for link in facts.get("link", ()):
        _add_link(table, link, schema)
    taken = {name for link in table.links for one in link.sources for name in one.names}
    for name in sorted(properties.keys() - scalars.keys() - taken):
        properties_of_members = _members(properties[name], schema)
        link = {"table": f"{singular}_{name}"}
        link |= {"members": name} if properties_of_members else {"lists": {"value": name}}
        _add_link(table, link, schema)
    table.links.sort(key=lambda link: link.name)
    return table


@cache
def _relations() -> dict[str, Any]:
    file = resources.files("mplus_crawler.datasets") / "relations.toml"
    return tomllib.loads(file.read_text("utf-8"))


def _references(facts: Mapping[str, Any]) -> dict[str, Reference]:
    return {name: Reference(**fact) for name, fact in facts.items()}


def _add_link(table: KindTable, facts: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Add the link table of *facts* to *table*, or one more source to one of that name."""
    refers, role = _references(facts.get("refers", {})), facts.get("role", "")
    properties = schema["properties"]
    if members := facts.get("members"):
        rules = _members(properties[members], schema)
        names = {part: facts.get("names", {}).get(part, part) for part in rules}
        rules = {names[part]: rule for part, rule in rules.items()}
        source = Source(members=members, parts=tuple(names), role=role)
    else:
        rules = {name: properties[of]["items"] | _about(properties[of]) for name, of in
                 facts["lists"].items()}
        ids = frozenset(of for name, of in facts["lists"].items() if name in refers)
        source = Source(tuple(facts["lists"].values()), ids=ids, role=role)
    if same := next((link for link in table.links if link.name == facts["table"]), None):
        same.sources.append(source)
        return
    columns = [
        Column(name, _sql(rule), rule.get("description", ""), refers.get(name))
        for name, rule in rules.items()
    ]
    table.links.append(LinkTable(facts["table"], table, columns, bool(role), [source]))


def _about(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": rule.get("description", "")}


def _members(rule: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of the objects in a list; empty where it has texts or numbers."""
    items = rule["items"]
    if reference := items.get("$ref"):
        items = schema["definitions"][reference.removeprefix("#/definitions/")]
    return dict(items.get("properties", {}))


def _types(rule: Mapping[str, Any]) -> set[str]:
    named = rule.get("type", "object")
    return ({named} if isinstance(named, str) else {*named}) - {"null"}


def _is_list(rule: Mapping[str, Any]) -> bool:
    return _types(rule) == {"array"}


def _sql(rule: Mapping[str, Any]) -> str:
    types = _types(rule)
    return _SQL.get(*types, "TEXT") if len(types) == 1 else "TEXT"


def referred(tables: Iterable[KindTable]) -> set[str]:
    """The tables that columns of *tables* refer to."""
    columns = chain.from_iterable(
        chain(table.columns, *(link.columns for link in table.links)) for table in tables
    )
    return {column.refers.to for column in columns if column.refers}
