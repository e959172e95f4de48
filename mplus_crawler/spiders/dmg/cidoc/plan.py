"""Plans: which property of a record each column is read from, and how.

A plan is made once for a kind of record. Most records have a third of the properties that a plan
names, so a property that is absent costs one look-up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mplus_crawler.spiders.dmg.cidoc.jsonld import Canonical, Node, ids, nodes_in
from mplus_crawler.spiders.dmg.cidoc.terms import name_columns, term_columns

Columns = dict[str, Any]


class Property(NamedTuple):
    """A property of records, the function that makes columns of its nodes, and the columns.

    The columns in *lists* are empty lists, those in *scalars* None, where the property is absent.
    """

    name: str
    read: Callable[[list[Node], Canonical], Columns]
    lists: tuple[str, ...] = ()
    scalars: tuple[str, ...] = ()


class Plan:
    """The columns of a kind of record that one property each gives.

    ::

        PLAN = Plan(
            terms("type", "crm:P2_has_type"),
            links("exhibitions", "crm:P12i_was_present_at"),
        )
        PLAN.columns(record, canonical)
    """

    def __init__(self, *properties: Property) -> None:
        self._read = [(one.name, one.read) for one in properties]
        self._lists = [column for one in properties for column in one.lists]
        self._scalars = dict.fromkeys(column for one in properties for column in one.scalars)

    def columns(self, record: Node, canonical: Canonical) -> Columns:
        """Return the columns of *record*."""
        columns: Columns = self._scalars.copy()
        for column in self._lists:
            columns[column] = []
        for name, read in self._read:
            if name in record and (found := nodes_in(record[name])):
                columns.update(read(found, canonical))
        return columns


def links(column: str, of: str) -> Property:
    """Return the property *of*, whose URIs are *column*."""
    return Property(of, lambda found, canonical: {column: ids(found, canonical)}, (column,))


def names(column: str, uris: str, of: str) -> Property:
    """Return the property *of*, whose labels and URIs are *column* and *uris*."""
    return Property(
        of, lambda found, canonical: name_columns(column, uris, found, canonical), (column, uris)
    )


def terms(term: str, of: str) -> Property:
    """Return the property *of*, which gives ``{term}s``, ``{term}_ids`` and ``{term}_same_as``."""
    columns = (f"{term}s", f"{term}_ids", f"{term}_same_as")
    return Property(of, lambda found, canonical: term_columns(*columns, found, canonical), columns)
