"""Columns of exhibitions (CIDOC-CRM E7 Activity)."""

from __future__ import annotations

from typing import Any

from mplus_crawler.spiders.dmg.cidoc import crm
from mplus_crawler.spiders.dmg.cidoc.jsonld import (
    Canonical,
    Node,
    first,
    first_label,
    has_type,
    ids,
    nodes,
    references,
    unique,
    uri_of,
)
from mplus_crawler.spiders.dmg.cidoc.terms import name_columns

# Getty AAT 300048715: the museum's type of books and articles about an exhibition.
PUBLICATION = "http://vocab.getty.edu/aat/300048715"


def exhibition_columns(
    record: Node, canonical: Canonical, known_id: str | None = None
) -> dict[str, Any]:
    """Return the columns of ``schemas/exhibition.schema.json``, except those of every record."""
    titles = crm.titles(crm.identifiers(record)[0])
    return {
        **crm.identity(record, canonical, known_id, titles.values()),
        **crm.in_languages("title", titles),
        **crm.in_languages("description", crm.descriptions(record)),
        **name_columns("types", "type_ids", nodes(record, "crm:P2_has_type"), canonical),
        **_dates(record),
        "objects": ids(nodes(record, "crm:P16_used_specific_object"), canonical),
        **name_columns(
            "curators", "curator_ids", nodes(record, "crm:P14_carried_out_by"), canonical
        ),
        "poster": first(ids(nodes(record, "crm:P65_shows_visual_item"))),
        "images": ids(nodes(record, "crm:P138i_has_representation")),
        **_documents(record),
        "same_as": references(record.get("owl:sameAs"), canonical),
    }


def _dates(record: Node) -> dict[str, str | None]:
    spans = nodes(record, crm.TIME_SPAN)
    dates = [crm.dates(span) for span in spans]
    return {
        "date_begin": min((begin for begin, _ in dates if begin), default=None),
        "date_end": max((end for _, end in dates if end), default=None),
        "date_label": first_label(spans),
    }


def _documents(record: Node) -> dict[str, Any]:
    manifest, others = crm.subjects(record)
    publications = [node for node in others if has_type(node, PUBLICATION)]
    return {
        "media": ids([node for node in others if node not in publications]),
        "publications": unique(crm.citation(node, uri_of(node)) for node in publications),
        "iiif_manifest": manifest,
    }
