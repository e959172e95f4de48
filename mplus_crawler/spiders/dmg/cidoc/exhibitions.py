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
    references,
    unique,
    uri_of,
)
from mplus_crawler.spiders.dmg.cidoc.plan import Columns, Plan, Property, links, names

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
        **_PLAN.columns(record, canonical),
        "same_as": references(record.get("owl:sameAs"), canonical),
    }


def _dates(spans: list[Node], _: Canonical) -> Columns:
    dates = [crm.dates(span) for span in spans]
    return {
        "date_begin": min((begin for begin, _ in dates if begin), default=None),
        "date_end": max((end for _, end in dates if end), default=None),
        "date_label": first_label(spans),
    }


def _documents(about: list[Node], _: Canonical) -> Columns:
    manifest, others = crm.manifest_among(about)
    publications = [node for node in others if has_type(node, PUBLICATION)]
    return {
        "media": ids([node for node in others if node not in publications]),
        "publications": unique(crm.citation(node, uri_of(node)) for node in publications),
        "iiif_manifest": manifest,
    }


_PLAN = Plan(
    crm.DESCRIPTIONS,
    names("types", "type_ids", "crm:P2_has_type"),
    Property(crm.TIME_SPAN, _dates, scalars=("date_begin", "date_end", "date_label")),
    links("objects", "crm:P16_used_specific_object"),
    names("curators", "curator_ids", "crm:P14_carried_out_by"),
    Property(
        "crm:P65_shows_visual_item",
        lambda found, _: {"poster": first(ids(found))},
        scalars=("poster",),
    ),
    Property(
        "crm:P138i_has_representation",
        lambda found, _: {"images": ids(found)},
        lists=("images",),
    ),
    Property(
        "crm:P129i_is_subject_of",
        _documents,
        lists=("media", "publications"),
        scalars=("iiif_manifest",),
    ),
)
