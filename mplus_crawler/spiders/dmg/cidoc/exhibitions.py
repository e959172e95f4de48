"""Columns of exhibitions (CIDOC-CRM E7 Activity)."""

from __future__ import annotations

from typing import Any

from mplus_crawler.spiders.dmg.cidoc import crm
from mplus_crawler.spiders.dmg.cidoc.jsonld import (
    Canonical,
    Node,
    first_id,
    first_label,
    has_type,
    ids,
    links,
    nodes,
    references,
    unique,
    uri_of,
)
from mplus_crawler.spiders.dmg.cidoc.terms import terms

# Getty AAT 300048715: the museum's type of books and articles about an exhibition.
PUBLICATION = "http://vocab.getty.edu/aat/300048715"


def exhibition_columns(
    record: Node, canonical: Canonical, known_id: str | None = None
) -> dict[str, Any]:
    """Return the columns of ``schemas/exhibition.schema.json``, except those of every record."""
    titles = crm.titles(crm.identifiers(record)[0])
    types, type_ids, _ = terms(nodes(record, "crm:P2_has_type"), canonical)
    curators, curator_ids, _ = terms(nodes(record, "crm:P14_carried_out_by"), canonical)
    spans = nodes(record, crm.TIME_SPAN)
    dates = [crm.dates(span) for span in spans]
    manifest, documents = crm.manifest_among(nodes(record, "crm:P129i_is_subject_of"))
    publications = [node for node in documents if has_type(node, PUBLICATION)]
    return {
        **crm.identity(record, canonical, known_id, titles.values()),
        **crm.in_languages("title", titles),
        **crm.in_languages("description", crm.descriptions(record)),
        "types": types,
        "type_ids": type_ids,
        "date_begin": min((begin for begin, _ in dates if begin), default=None),
        "date_end": max((end for _, end in dates if end), default=None),
        "date_label": first_label(spans),
        "objects": links(record, "crm:P16_used_specific_object", canonical),
        "curators": curators,
        "curator_ids": curator_ids,
        "poster": first_id(nodes(record, "crm:P65_shows_visual_item")),
        "images": links(record, "crm:P138i_has_representation"),
        "media": ids([node for node in documents if node not in publications]),
        "publications": unique(crm.citation(node, uri_of(node)) for node in publications),
        "iiif_manifest": manifest,
        "same_as": references(record.get("owl:sameAs"), canonical),
    }
