"""Columns of the thesaurus (CIDOC-CRM E55 Type, with SKOS labels and relations)."""

from __future__ import annotations

from typing import Any

from mplus_crawler.spiders.dmg.cidoc import crm
from mplus_crawler.spiders.dmg.cidoc.jsonld import (
    Canonical,
    Node,
    as_list,
    literals,
    references,
    unique,
)

BROADER = ("skos:broader", "crm:P127_has_broader_term")
NARROWER = ("skos:narrower", "crm:P127i_has_narrower_term")


def concept_columns(
    record: Node, canonical: Canonical, known_id: str | None = None
) -> dict[str, Any]:
    """Return the columns of ``schemas/concept.schema.json``, except those of every record."""
    terms = crm.first_by_language(literals(record.get("skos:prefLabel")))
    notes = crm.joined_by_language(literals(record.get("skos:scopeNote")))
    identity = crm.identity(record, canonical, known_id, terms.values())
    home = (identity["id"] or "").rpartition("/")[0]
    return {
        **identity,
        **crm.in_languages("label", terms),
        **crm.in_languages("scope_note", notes),
        "broader": _related(record, BROADER, canonical, home),
        "narrower": _related(record, NARROWER, canonical, home),
        "same_as": references(record.get("owl:sameAs"), canonical),
    }


def _related(record: Node, names: tuple[str, ...], canonical: Canonical, home: str) -> list[str]:
    values = (value for name in names for value in as_list(record.get(name)))
    return unique(_own(value, canonical, home) for value in values)


def _own(value: Any, canonical: Canonical, home: str) -> str | None:
    """Return the museum's URI of a related concept, perhaps in ``owl:sameAs``, else any URI."""
    uris = references(value, canonical)
    if type(value) is dict:
        uris = uris + references(value.get("owl:sameAs"), canonical)
    own = (uri for uri in uris if uri.rpartition("/")[0] == home)
    return next(own, uris[0] if uris else None)
