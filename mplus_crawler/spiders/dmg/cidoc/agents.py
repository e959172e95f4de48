"""Columns of persons, groups and other actors (CIDOC-CRM E21, E74, E39)."""

from __future__ import annotations

from typing import Any

from mplus_crawler.records.batch import SEVERAL
from mplus_crawler.spiders.dmg.cidoc import crm
from mplus_crawler.spiders.dmg.cidoc.ids import pid
from mplus_crawler.spiders.dmg.cidoc.jsonld import (
    Canonical,
    Node,
    as_list,
    each,
    first,
    first_id,
    first_label,
    is_a,
    links,
    nodes,
    references,
    texts,
    unique,
    uri_of,
)
from mplus_crawler.spiders.dmg.cidoc.terms import terms

AGENT_TYPES = {"crm:E21_Person": "person", "crm:E74_Group": "group", "crm:E39_Actor": "actor"}
# The EU vocabulary of human sexes; the last segment of its URIs is the term.
HUMAN_SEX = "http://publications.europa.eu/resource/authority/human-sex/"
# Properties with the source page of a text: since June 2026, before, and in version 1.
_PAGES = ("crm:P129i_is_subject_of", "crm:P67_refers_to", "dcterms:source")
# The meaning of each relation whose node has no type.
RELATIONS = {
    "crm:P152i_is_parent_of": "parent of",
    "crm:P152_has_parent": "child of",
    "crm:P107_has_current_or_former_member": "has member",
    "crm:P107i_is_current_or_former_member_of": "member of",
}


def agent_columns(
    record: Node, canonical: Canonical, known_id: str | None = None
) -> dict[str, Any]:
    """Return the columns of ``schemas/agent.schema.json``, except those of every record."""
    known_as = unique(name for _, name in texts(crm.identifiers(record)[0]))
    biographies = _biographies(record)
    return {
        **crm.identity(record, canonical, known_id, known_as),
        "agent_type": _agent_type(record),
        "names": known_as,
        "gender": _gender(record),
        **_birth(record, canonical),
        **_death(record, canonical),
        **_belonging(record, canonical),
        **crm.in_languages("biography", _first_in_language(biographies)),
        "biographies": biographies,
        "thumbnail": _thumbnail(record),
        "exhibitions": links(record, "crm:P12i_was_present_at", canonical),
        "same_as": references(record.get("owl:sameAs"), canonical),
    }


def _agent_type(record: Node) -> str | None:
    return first(name for cls, name in AGENT_TYPES.items() if is_a(record, cls))


def _gender(record: Node) -> str | None:
    uris = links(record, "crm:P2_has_type")
    return first(uri.removeprefix(HUMAN_SEX).lower() for uri in uris if uri.startswith(HUMAN_SEX))


def _birth(record: Node, canonical: Canonical) -> dict[str, Any]:
    events = nodes(record, "crm:P98i_was_born")
    spans = each(events, crm.TIME_SPAN)
    return {
        "born": first_label(spans),
        "birth_year": crm.years(spans)[0],
        **_place("birth_place", each(events, "crm:P7_took_place_at"), canonical),
    }


def _death(record: Node, canonical: Canonical) -> dict[str, Any]:
    events = nodes(record, "crm:P100i_died_in")
    spans = each(events, crm.TIME_SPAN)
    return {
        "died": first_label(spans),
        "death_year": crm.years(spans)[1],
        **_place("death_place", each(events, "crm:P7_took_place_at"), canonical),
    }


def _place(column: str, places: list[Node], canonical: Canonical) -> dict[str, str | None]:
    """Return the name and the URI of the first place that has a name, else of the first."""
    named = [place for place in places if first_label([place])] or places
    return {column: first_label(named[:1]), f"{column}_id": first_id(named[:1], canonical)}


def _belonging(record: Node, canonical: Canonical) -> dict[str, list[str]]:
    """Return relations to other agents, and nationalities, which older records list among them."""
    countries = nodes(record, "person:citizenship")
    related: list[str] = []
    relations: list[str] = []
    for name, usual in RELATIONS.items():
        for node in nodes(record, name):
            uri = canonical(uri_of(node) or "")
            stated = first_label(nodes(node, "crm:P2_has_type"))
            if "/id/agent/" in uri:
                related.append(uri)
                relations.append(f"{stated or usual} {pid(uri)}")
            elif uri and not stated:
                countries.append(node)
    nationalities, nationality_ids, _ = terms(countries, canonical)
    return {
        "nationalities": nationalities,
        "nationality_ids": nationality_ids,
        "related_agents": unique(related),
        "relations": unique(relations),
    }


def _biographies(record: Node) -> list[dict[str, str | None]]:
    """Return every text; :mod:`mplus_crawler.records.rights` fills in the licences.

    Until June 2026 those of Wikipedia stood in ``crm:P67_refers_to``, under their pages' ``@id``.
    """
    found = []
    for node in nodes(record, "crm:P67i_is_referred_to_by"):
        found += _biography(node, _pages(node))
    for node in nodes(record, "crm:P67_refers_to"):
        found += _biography(node, _pages(node) or references(node))
    return found


def _biography(node: Node, pages: list[str]) -> list[dict[str, str | None]]:
    rights = {
        "source": SEVERAL.join(pages) or None,
        "licence": None,
        "licence_uri": SEVERAL.join(references(node.get("dcterms:license"))) or None,
    }
    return [{"text": said, "language": code, **rights} for code, said in texts([node])]


def _pages(node: Node) -> list[str]:
    """Return the pages that a text was taken from."""
    return references([page for name in _PAGES for page in as_list(node.get(name))])


def _first_in_language(biographies: list[dict[str, str | None]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for biography in biographies:
        code, said = biography["language"], biography["text"]
        if code and said:
            found.setdefault(code, said)
    return found


def _thumbnail(record: Node) -> str | None:
    bare = references(record.get("thumbnail"))
    return first(bare + links(record, "crm:P65_shows_visual_item"))
