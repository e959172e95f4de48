"""Measurements of an object (CIDOC-CRM E54 Dimension): as text, as numbers, in centimetres."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from mplus_crawler.spiders.dmg.cidoc.jsonld import (
    Node,
    first_id,
    first_label,
    nodes,
    text,
    uri_of,
)

# By Getty AAT 300055644, 300055647, 300072633 and 300055624, or the museum's word. The word counts
# first: the museum types its "breedte" as 300055645, which is Getty's length.
_SIDES = {
    "hoogte": "height_cm",
    "breedte": "width_cm",
    "diepte": "depth_cm",
    "diameter": "diameter_cm",
    "http://vocab.getty.edu/aat/300055644": "height_cm",
    "http://vocab.getty.edu/aat/300055647": "width_cm",
    "http://vocab.getty.edu/aat/300072633": "depth_cm",
    "http://vocab.getty.edu/aat/300055624": "diameter_cm",
}
# Getty AAT 300379098, 300379097 and 300379099.
_CENTIMETRES = {
    "cm": 1.0,
    "mm": 0.1,
    "m": 100.0,
    "http://vocab.getty.edu/aat/300379098": 1.0,
    "http://vocab.getty.edu/aat/300379097": 0.1,
    "http://vocab.getty.edu/aat/300379099": 100.0,
}
_number = re.compile(r"\d+(?:[.,]\d+)?").fullmatch


def fill_dimensions(columns: dict[str, Any], record: Node) -> None:
    """Fill in ``dimensions``, ``dimension_details``, and the first of each side in centimetres."""
    details: list[dict[str, Any]] = []
    dimensions: list[str] = []
    columns["dimensions"], columns["dimension_details"] = dimensions, details
    columns["height_cm"] = columns["width_cm"] = None
    columns["depth_cm"] = columns["diameter_cm"] = None
    for node in nodes(record, "crm:P43_has_dimension"):
        if written := text(node.get("crm:P90_has_value")):
            kind, kind_id = _named(node, "crm:P2_has_type")
            unit, unit_id = _named(node, "crm:P91_has_unit")
            value, centimetres = _size(written, unit, unit_id)
            detail = {
                "kind": kind,
                "kind_id": kind_id,
                "value": value,
                "text": written,
                "unit": unit,
                "unit_id": unit_id,
            }
            details.append(detail)
            dimensions.append(" ".join(filter(None, (kind, written, unit))))
            side = _side(kind, kind_id)
            if side and columns[side] is None:
                columns[side] = centimetres


def _named(node: Node, name: str) -> tuple[str | None, str | None]:
    """Return the first label and the first URI of the nodes under *name*."""
    value = node.get(name)
    if type(value) is dict:
        return text(value.get("rdfs:label")), uri_of(value)
    found = nodes(node, name)
    return first_label(found), first_id(found)


@lru_cache(maxsize=4096)
def _size(written: str, unit: str | None, unit_id: str | None) -> tuple[float | None, float | None]:
    """Return a size as a number, and in centimetres if its unit is known."""
    match = _number(written)
    value = float(match[0].replace(",", ".")) if match else None
    factor = _CENTIMETRES.get((unit or "").lower()) or _CENTIMETRES.get(unit_id or "")
    return value, round(value * factor, 4) if value is not None and factor else None


@lru_cache(maxsize=1024)
def _side(kind: str | None, kind_id: str | None) -> str | None:
    """Return the column for the size of a side."""
    return _SIDES.get((kind or "").lower()) or _SIDES.get(kind_id or "")
