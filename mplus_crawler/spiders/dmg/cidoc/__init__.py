"""Flattening of CIDOC-CRM JSON-LD records into columns, and canonical ids.

``FLATTEN[kind](record, canonical)`` gives the columns of one record, *canonical* being
:func:`canonical_id` with its bases filled in. A record without ``@id`` goes by the third
argument, ``known_id``. Absent scalars are None, absent lists empty; the record is left as it
is. A shape that isn't known leaves its column empty and is refused, with its path, by the
kind's schema.
"""

from __future__ import annotations

from typing import Any, Protocol

from mplus_crawler.spiders.dmg.cidoc.agents import agent_columns
from mplus_crawler.spiders.dmg.cidoc.catalogue import dataset_columns
from mplus_crawler.spiders.dmg.cidoc.concepts import concept_columns
from mplus_crawler.spiders.dmg.cidoc.exhibitions import exhibition_columns
from mplus_crawler.spiders.dmg.cidoc.ids import canonical_id, pid
from mplus_crawler.spiders.dmg.cidoc.indexes import (
    agent_entry_columns,
    color_columns,
    object_entry_columns,
)
from mplus_crawler.spiders.dmg.cidoc.jsonld import Canonical, Node
from mplus_crawler.spiders.dmg.cidoc.objects import object_columns

__all__ = ["FLATTEN", "Flatten", "canonical_id", "pid"]


class Flatten(Protocol):
    """What makes columns of a record."""

    def __call__(
        self, record: Node, canonical: Canonical, known_id: str | None = None
    ) -> dict[str, Any]: ...


FLATTEN: dict[str, Flatten] = {
    "object": object_columns,
    "agent": agent_columns,
    "exhibition": exhibition_columns,
    "concept": concept_columns,
    "type": object_entry_columns,
    "material": object_entry_columns,
    "nationality": agent_entry_columns,
    "color": color_columns,
    "dataset": dataset_columns,
}
