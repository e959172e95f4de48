"""Columns of the indexes: terms, periods and colours, and how many records have each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from mplus_crawler.spiders.dmg.cidoc.ids import pid
from mplus_crawler.spiders.dmg.cidoc.jsonld import Canonical, Node, label, text, uri_of, year
from mplus_crawler.spiders.dmg.cidoc.objects import object_columns

# The parameter of a colour's filter tells its palette.
PALETTES = {"color": "base", "cssColor": "css"}
# Parameters that select what is counted; the term stays the same.
_SELECTING = ("onDisplay=", "q=")


def object_entry_columns(
    record: Node, canonical: Canonical, known_id: str | None = None
) -> dict[str, Any]:
    """Return the columns of ``type`` and ``material``: a term, and how many objects have it."""
    return {
        **_identity(record, canonical, known_id, label(record)),
        "object_count": record.get("object_count"),
    }


def agent_entry_columns(
    record: Node, canonical: Canonical, known_id: str | None = None
) -> dict[str, Any]:
    """Return the columns of ``nationality`` and ``role``: a term, and how many agents have it."""
    return {
        **_identity(record, canonical, known_id, label(record)),
        "agent_count": record.get("agent_count"),
    }


def production_columns(
    record: Node, canonical: Canonical, known_id: str | None = None
) -> dict[str, Any]:
    """Return the columns of ``production``: a period, and what was made and acquired in it.

    The museum's filter names the period, as in ``date=1960/1969``; the id is that of the filter
    without ``onDisplay``.
    """
    identity = _identity(record, canonical, known_id, None)
    numbers = ("weight", "share_pct", "object_count", "exact_count")
    acquired = ("acquired", "acquired_pct", "spread_factor")
    return {
        **identity,
        "year": record.get("year"),
        "year_end": year((identity["label"] or "").partition("/")[2]),
        **{name: record.get(name) for name in numbers + acquired},
    }


def color_columns(
    record: Node, canonical: Canonical, known_id: str | None = None
) -> dict[str, Any]:
    """Return the columns of ``color``; ``dominant_objects`` come in separate responses."""
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
    """Return the palette of the colour with this id; ``None`` for any other id."""
    return PALETTES.get(_query(color).partition("=")[0])


def dominant_objects(records: Iterable[Node], canonical: Canonical) -> list[dict[str, Any]]:
    """Return a colour's objects; :mod:`mplus_crawler.records.rights` fills in the licences."""
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
    """Return id, label and filter; the id is the concept's URI, else the filter's URL."""
    uri, written = uri_of(record), record.get("filter")
    filter_ = canonical(written) if type(written) is str else None
    whole = filter_ and _widened(filter_)
    id_ = (canonical(uri) if uri else whole) or known_id
    term = _query(whole).partition("&")[0].partition("=")[2]
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
    kept = [pair for pair in query.split("&") if not pair.startswith(_SELECTING)]
    return f"{place}{mark}{'&'.join(kept)}"
