"""Columns of named things: labels, URIs and equivalent URIs, parallel by position."""

from __future__ import annotations

from mplus_crawler.records.batch import SEVERAL
from mplus_crawler.spiders.dmg.cidoc.jsonld import (
    Canonical,
    Node,
    label_or_tail,
    references,
)

Columns = dict[str, list[str]]


def name_columns(names: str, uris: str, some: list[Node], canonical: Canonical) -> Columns:
    """Return the columns *names* and *uris* of nodes, each pair once.

    A missing value is an empty string, so that positions agree.
    """
    labels: list[str] = []
    ids: list[str] = []
    for label, uri in dict.fromkeys([_pair(node, canonical) for node in some]):
        if label or uri:
            labels.append(label)
            ids.append(uri)
    return {names: labels, uris: ids}


def term_columns(
    terms: str, uris: str, same_as: str, some: list[Node], canonical: Canonical
) -> Columns:
    """Return the columns *terms*, *uris* and *same_as* of terms of the thesaurus.

    The last has the URIs that the record gives for the term elsewhere, such as in Getty's AAT.
    """
    found: dict[tuple[str, str], str] = {}
    for node in some:
        key, elsewhere = _pair(node, canonical), node.get("owl:sameAs") or ""
        if type(elsewhere) is not str:
            elsewhere = SEVERAL.join(references(elsewhere))
        found[key] = found.get(key) or elsewhere
    labels: list[str] = []
    ids: list[str] = []
    same: list[str] = []
    for (label, uri), elsewhere in found.items():
        if label or uri:
            labels.append(label)
            ids.append(uri)
            same.append(elsewhere)
    return {terms: labels, uris: ids, same_as: same}


def _pair(node: Node, canonical: Canonical) -> tuple[str, str]:
    """Return the node's label and URI; most are plain, and a record has a dozen."""
    label, uri = node.get("rdfs:label"), node.get("@id")
    if type(label) is not str or not label.isprintable() or not (label := label.strip()):
        label = label_or_tail(node) or ""
    return label, canonical(uri) if type(uri) is str and uri else ""
