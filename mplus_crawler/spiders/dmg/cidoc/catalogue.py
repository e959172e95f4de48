"""Columns of the museum's catalogue (DCAT, with Dublin Core) and of its data sets."""

from __future__ import annotations

from typing import Any

from mplus_crawler.spiders.dmg.cidoc import crm
from mplus_crawler.spiders.dmg.cidoc.jsonld import (
    Canonical,
    Node,
    first,
    is_a,
    links,
    literals,
    nodes,
    references,
    text,
    unique,
    uri_of,
)

CLASSES = {"dcat:Catalog": "catalogue", "dcat:Dataset": "data set"}


def dataset_columns(
    record: Node, canonical: Canonical, known_id: str | None = None
) -> dict[str, Any]:
    """Return the columns of ``schemas/dataset.schema.json``, except those of every record."""
    titles = crm.first_by_language(literals(record.get("dct:title")))
    notes = crm.joined_by_language(literals(record.get("dct:description")))
    publishers = nodes(record, "dct:publisher")
    distributions = nodes(record, "dcat:distribution")
    return {
        **crm.identity(record, canonical, known_id, titles.values()),
        "modified": None,
        "part": first(name for cls, name in CLASSES.items() if is_a(record, cls)),
        **crm.in_languages("title", titles),
        **crm.in_languages("description", notes),
        "about": references(record.get("dct:type")),
        "endpoint": first(references(record.get("dcat:endpointURL"), canonical)),
        "documentation": first(references(record.get("dcat:endpointDescription"))),
        "formats": unique(
            text(node.get(name))
            for node in distributions
            for name in ("dcat:mediaType", "dct:format")
        ),
        "publishers": [text(node.get("foaf:name")) or "" for node in publishers],
        "publisher_ids": [uri_of(node) or "" for node in publishers],
        "homepage": first(references(record.get("foaf:homepage"))),
        "language_ids": references(record.get("dct:language")),
        "stated_licence": first(references(record.get("dct:license"))),
        "conforms_to": references(record.get("dct:conformsTo")),
        "datasets": links(record, "dcat:dataset", canonical),
    }
