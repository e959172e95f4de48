"""Columns of the indexes: types, materials, nationalities and colours, and how much has each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from mplus_crawler.spiders.dmg.cidoc.ids import pid
from mplus_crawler.spiders.dmg.cidoc.jsonld import Canonical, Node, label, text, uri_of
from mplus_crawler.spiders.dmg.cidoc.objects import object_columns

# The filter that finds a colour's objects tells which of the two palettes it is of.
PALETTES = {"color": "base", "cssColor": "css"}
# Narrows what is counted; the term is the same with it and without.
_NARROWING = "onDisplay="


def object_entry_columns(
    record: Node, canonical: Canonical, known_id: str | None = None
) -> dict[str, Any]:
    """The columns of ``type`` and ``material``: a term, and how many objects have it."""
    return {
        **_identity(record, canonical, known_id, label(record)),
        "object_count": record.get("object_count"),
    }


def agent_entry_columns(
    record: Node, canonical: Canonical, known_id: str | None = None
) -> dict[str, Any]:
    """The columns of ``nationality``: a country, and how many agents are of it."""
    return {
        **_identity(record, canonical, known_id, label(record)),
        "agent_count": record.get("agent_count"),
    }


def color_columns(
    record: Node, canonical: Canonical, known_id: str | None = None
) -> dict[str, Any]:
    """The columns of ``color``; ``dominant_objects`` stand in answers of their own."""
    identity = _identity(record, canonical, known_id, text(record.get("value")))
    return {
        **identity,
        "palette": palette(identity["id"]),
        "hex": text(record.get("hex")),
        "object_count": record.get("object_count"),
        "collection_share_pct": record.get("collection_share_pct"),
        "avg_dominance_pct": record.get("avg_dominance_pct"),
        "dominant_objects": None,
    }


def palette(color: str | None) -> str | None:
    """The palette that a colour is of, by its id; ``None`` where that is no colour's."""
    return PALETTES.get(_query(color).partition("=")[0])


def dominant_objects(records: Iterable[Node], canonical: Canonical) -> list[dict[str, Any]]:
    """The dominant objects of a colour; :mod:`mplus_crawler.records.rights` names the licences."""
    return [_dominant_object(record, canonical) for record in records]


def _dominant_object(record: Node, canonical: Canonical) -> dict[str, Any]:
    columns = object_columns(record, canonical)
    rights: dict[str, Any] = next(iter(columns["image_rights"]), {})
    return {
        "id": columns["id"],
        "label": columns["label"],
        "dominance_pct": record.get("dominance_pct"),
        "image": columns["image"],
        "image_licence": None,
        "image_licence_uri": rights.get("licence_uri"),
        "image_attribution": rights.get("attribution"),
        "iiif_manifest": columns["iiif_manifest"],
    }


def _identity(
    record: Node, canonical: Canonical, known_id: str | None, name: str | None
) -> dict[str, Any]:
    """What an entry goes by: its concept's URI, else the filter that finds what it counts."""
    uri, written = uri_of(record), record.get("filter")
    filter_ = canonical(written) if type(written) is str else None
    id_ = canonical(uri) if uri else filter_ and _widened(filter_)
    id_ = id_ or known_id
    term = _query(filter_).partition("&")[0].partition("=")[2]
    return {
        "id": id_,
        "url": canonical(uri) if uri else None,
        "label": name or unquote(term) or (pid(id_) if id_ else None),
        "modified": None,
        "filter": filter_,
    }


def _query(url: str | None) -> str:
    return (url or "").partition("?")[2]


def _widened(filter_: str) -> str:
    place, mark, query = filter_.partition("?")
    kept = [pair for pair in query.split("&") if not pair.startswith(_NARROWING)]
    return f"{place}{mark}{'&'.join(kept)}"
