"""Columns of what a record names: labels, URIs and other URIs, parallel by position."""

from __future__ import annotations

from mplus_crawler.records.batch import SEVERAL
from mplus_crawler.spiders.dmg.cidoc.jsonld import (
    Canonical,
    Node,
    label_or_tail,
    references,
    uri_of,
)

Columns = dict[str, list[str]]


def name_columns(names: str, uris: str, some: list[Node], canonical: Canonical) -> Columns:
    """Return the columns *names* and *uris* of nodes, each pair once.

    What a node lacks is an empty text, so that positions agree.
    """
    if not some:
        return {names: [], uris: []}
    found = {(label_or_tail(node) or "", _uri(node, canonical)): None for node in some}
    found.pop(("", ""), None)
    return {names: [name for name, _ in found], uris: [uri for _, uri in found]}


def term_columns(term: str, some: list[Node], canonical: Canonical) -> Columns:
    """Return ``{term}s``, ``{term}_ids`` and ``{term}_same_as`` of terms of the thesaurus.

    The last has the URIs that the record gives for the term elsewhere, such as in Getty's AAT.
    """
    columns = name_columns(f"{term}s", f"{term}_ids", some, canonical)
    elsewhere: dict[tuple[str, str], list[str]] = {}
    for node in some:
        if "owl:sameAs" in node:
            key = (label_or_tail(node) or "", _uri(node, canonical))
            elsewhere.setdefault(key, []).extend(references(node["owl:sameAs"]))
    columns[f"{term}_same_as"] = [
        SEVERAL.join(dict.fromkeys(elsewhere.get(pair, ())))
        for pair in zip(columns[f"{term}s"], columns[f"{term}_ids"], strict=True)
    ]
    return columns


def _uri(node: Node, canonical: Canonical) -> str:
    uri = uri_of(node)
    return canonical(uri) if uri else ""
