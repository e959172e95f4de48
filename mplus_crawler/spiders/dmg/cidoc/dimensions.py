"""Measurements of an object (CIDOC-CRM E54 Dimension): as text, as numbers, in centimetres."""

from __future__ import annotations

import re
from typing import Any

from mplus_crawler.spiders.dmg.cidoc.jsonld import (
    Node,
    first_label,
    ids,
    label,
    nodes,
    text,
    uri_of,
)

# By Getty AAT 300055644, 300055647, 300072633 and 300055624, or the museum's word. The word counts
# first: the museum types its "breedte" as 300055645, which is Getty's length.
_SIDES = {
    "hoogte": "height",
    "breedte": "width",
    "diepte": "depth",
    "diameter": "diameter",
    "http://vocab.getty.edu/aat/300055644": "height",
    "http://vocab.getty.edu/aat/300055647": "width",
    "http://vocab.getty.edu/aat/300072633": "depth",
    "http://vocab.getty.edu/aat/300055624": "diameter",
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


def dimension_columns(record: Node) -> dict[str, Any]:
    """Return ``dimensions``, ``dimension_details``, and the first of each side in centimetres."""
    found = nodes(record, "crm:P43_has_dimension")
    details = [detail for detail in map(_detail, found) if detail["text"]]
    sizes: dict[str, float] = {}
    for detail in details:
        side = _looked_up(_SIDES, detail["kind"], detail["kind_id"])
        factor = _looked_up(_CENTIMETRES, detail["unit"], detail["unit_id"])
        if side and factor and detail["value"] is not None:
            sizes.setdefault(side, round(detail["value"] * factor, 4))
    return {
        "dimensions": [
            " ".join(filter(None, (detail["kind"], detail["text"], detail["unit"])))
            for detail in details
        ],
        "dimension_details": details,
        **{f"{side}_cm": sizes.get(side) for side in ("height", "width", "depth", "diameter")},
    }


def _detail(node: Node) -> dict[str, Any]:
    kind, kind_id = _named(node.get("crm:P2_has_type"))
    unit, unit_id = _named(node.get("crm:P91_has_unit"))
    written = text(node.get("crm:P90_has_value"))
    match = _number(written) if written else None
    return {
        "kind": kind,
        "kind_id": kind_id,
        "value": float(match[0].replace(",", ".")) if match else None,
        "text": written,
        "unit": unit,
        "unit_id": unit_id,
    }


def _named(value: Any) -> tuple[str | None, str | None]:
    """Return the first label and the first URI of a node, or of several."""
    if type(value) is dict:
        return label(value), uri_of(value)
    several = value if type(value) is list else []
    found = [one for one in several if type(one) is dict]
    return first_label(found), next(iter(ids(found)), None)


def _looked_up(table: dict[str, Any], label: str | None, uri: str | None) -> Any:
    return table.get((label or "").lower()) or table.get(uri or "")
