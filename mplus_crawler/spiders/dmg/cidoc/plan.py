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


class Step(NamedTuple):
    """A property, the function that makes columns of its nodes, and the columns' names.

    The columns in *lists* are empty lists, those in *scalars* None, where the property is absent.
    """

    property: str
    read: Callable[[list[Node], Canonical], Columns]
    lists: tuple[str, ...] = ()
    scalars: tuple[str, ...] = ()


class Plan:
    """Reads columns from the properties of a node, step by step::

    PLAN = Plan(
        terms("type", "crm:P2_has_type"),
        links("exhibitions", "crm:P12i_was_present_at"),
    )
    PLAN.columns(record, canonical)
    """

    def __init__(self, *steps: Step) -> None:
        self._steps = [(step.property, step.read) for step in steps]
        self._lists = [name for step in steps for name in step.lists]
        self._scalars: Columns = dict.fromkeys(name for step in steps for name in step.scalars)

    def columns(self, record: Node, canonical: Canonical) -> Columns:
        """Return the columns of *record*."""
        columns = self._scalars.copy()
        for name in self._lists:
            columns[name] = []
        for name, read in self._steps:
            value = record.get(name)
            if value is not None and (found := nodes_in(value)):
                columns.update(read(found, canonical))
        return columns


def links(column: str, of: str) -> Step:
    """Return the step that fills *column* with the URIs of the property *of*."""
    return Step(of, lambda found, canonical: {column: ids(found, canonical)}, (column,))


def names(column: str, uris: str, of: str) -> Step:
    """Return the step for the labels and the URIs of the property *of*."""
    return Step(
        of, lambda found, canonical: name_columns(column, uris, found, canonical), (column, uris)
    )


def terms(term: str, of: str) -> Step:
    """Return the step for ``{term}s``, ``{term}_ids`` and ``{term}_same_as``."""
    return Step(
        of,
        lambda found, canonical: term_columns(term, found, canonical),
        (f"{term}s", f"{term}_ids", f"{term}_same_as"),
    )
