"""Columns of named things: labels, URIs and equivalent URIs, parallel by position."""

from __future__ import annotations

from mplus_crawler.records.batch import SEVERAL
from mplus_crawler.spiders.dmg.cidoc.jsonld import Canonical, Node, references, tail, text


def terms(some: list[Node], canonical: Canonical) -> tuple[list[str], list[str], list[str]]:
    """Return the labels, the URIs and the equivalent URIs of nodes, each pair of the first once.

    The last are the URIs that the record gives for a term elsewhere, such as in Getty's AAT.
    A missing label is the end of the URI. A missing value is an empty string, so that positions
    agree.
    """
    if not some:
        return [], [], []
    labels: list[str] = []
    uris: list[str] = []
    same_as: list[str] = []
    places: dict[tuple[str, str], int] = {}
    for node in some:
        uri, elsewhere = node.get("@id"), node.get("owl:sameAs") or ""
        if type(elsewhere) is not str:
            elsewhere = SEVERAL.join(references(elsewhere))
        label = text(node.get("rdfs:label")) or tail(node) or ""
        uri = canonical(uri) if uri and type(uri) is str else ""
        if not label and not uri:
            continue
        place = places.setdefault((label, uri), len(labels))
        if place < len(labels):
            same_as[place] = same_as[place] or elsewhere
        else:
            labels.append(label)
            uris.append(uri)
            same_as.append(elsewhere)
    return labels, uris, same_as
