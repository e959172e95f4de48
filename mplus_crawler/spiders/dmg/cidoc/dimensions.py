"""Measurements of an object (CIDOC-CRM E54 Dimension): as text, as numbers, in centimetres."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from mplus_crawler.spiders.dmg.cidoc.jsonld import (
    Canonical,
    Node,
    first_label,
    ids,
    nodes_in,
    text,
    uri_of,
)
from mplus_crawler.spiders.dmg.cidoc.plan import Columns, Property

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


def _dimensions(found: list[Node], _: Canonical) -> Columns:
    """Return ``dimensions``, ``dimension_details``, and the first of each side in centimetres."""
    details = [detail for node in found if (detail := _detail(node))["text"]]
    columns: Columns = {**dict.fromkeys(_IN_CENTIMETRES), "dimension_details": details}
    columns["dimensions"] = [
        " ".join(filter(None, (detail["kind"], detail["text"], detail["unit"])))
        for detail in details
    ]
    for detail in reversed(details):  # the first of a side is set last
        side = _side(detail["kind"], detail["kind_id"])
        factor = _factor(detail["unit"], detail["unit_id"])
        if side and factor and detail["value"] is not None:
            columns[side] = round(detail["value"] * factor, 4)
    return columns


def _detail(node: Node) -> dict[str, Any]:
    kind, kind_id = _named(node.get("crm:P2_has_type"))
    unit, unit_id = _named(node.get("crm:P91_has_unit"))
    written = text(node.get("crm:P90_has_value"))
    return {
        "kind": kind,
        "kind_id": kind_id,
        "value": _value(written) if written else None,
        "text": written,
        "unit": unit,
        "unit_id": unit_id,
    }


def _named(value: Any) -> tuple[str | None, str | None]:
    """Return the first label and the first URI of a node, or of several."""
    if type(value) is dict:
        return text(value.get("rdfs:label")), uri_of(value)
    found = nodes_in(value)
    return first_label(found), next(iter(ids(found)), None)


@lru_cache(maxsize=4096)
def _value(written: str) -> float | None:
    match = _number(written)
    return float(match[0].replace(",", ".")) if match else None


@lru_cache(maxsize=1024)
def _side(kind: str | None, kind_id: str | None) -> str | None:
    """Return the column for the size of a side."""
    return _SIDES.get((kind or "").lower()) or _SIDES.get(kind_id or "")


@lru_cache(maxsize=1024)
def _factor(unit: str | None, unit_id: str | None) -> float | None:
    return _CENTIMETRES.get((unit or "").lower()) or _CENTIMETRES.get(unit_id or "")


_IN_CENTIMETRES = ("height_cm", "width_cm", "depth_cm", "diameter_cm")

DIMENSIONS = Property(
    "crm:P43_has_dimension",
    _dimensions,
    lists=("dimensions", "dimension_details"),
    scalars=_IN_CENTIMETRES,
)
