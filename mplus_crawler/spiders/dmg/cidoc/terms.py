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

    What a node lacks is an empty text, so that positions agree.
    """
    if not some:
        return {names: [], uris: []}
    found = dict.fromkeys([_pair(node, canonical) for node in some])
    found.pop(("", ""), None)
    return {names: [name for name, _ in found], uris: [uri for _, uri in found]}


def term_columns(term: str, some: list[Node], canonical: Canonical) -> Columns:
    """Return ``{term}s``, ``{term}_ids`` and ``{term}_same_as`` of terms of the thesaurus.

    The last has the URIs that the record gives for the term elsewhere, such as in Getty's AAT.
    """
    found: dict[tuple[str, str], str] = {}
    for node in some:
        key = _pair(node, canonical)
        elsewhere = SEVERAL.join(references(same)) if (same := node.get("owl:sameAs")) else ""
        found[key] = found.get(key) or elsewhere
    found.pop(("", ""), None)
    return {
        f"{term}s": [name for name, _ in found],
        f"{term}_ids": [uri for _, uri in found],
        f"{term}_same_as": list(found.values()),
    }


def _pair(node: Node, canonical: Canonical) -> tuple[str, str]:
    """Return the node's label and URI; most are plain, and a record has a dozen."""
    label, uri = node.get("rdfs:label"), node.get("@id")
    if type(label) is not str or not label.isprintable() or not (label := label.strip()):
        label = label_or_tail(node) or ""
    return label, canonical(uri) if uri and type(uri) is str else ""
