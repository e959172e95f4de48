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
# A node without label and URI.
_NOTHING = ("", "")


def name_columns(names: str, uris: str, some: list[Node], canonical: Canonical) -> Columns:
    """Return the columns *names* and *uris* of nodes, each pair once.

    What a node lacks is an empty text, so that positions agree.
    """
    found = dict.fromkeys([_pair(node, canonical) for node in some]) if some else {}
    found.pop(_NOTHING, None)
    labels, ids = zip(*found, strict=True) if found else ((), ())
    return {names: list(labels), uris: list(ids)}


def term_columns(term: str, some: list[Node], canonical: Canonical) -> Columns:
    """Return ``{term}s``, ``{term}_ids`` and ``{term}_same_as`` of terms of the thesaurus.

    The last has the URIs that the record gives for the term elsewhere, such as in Getty's AAT.
    """
    found: dict[tuple[str, str], str] = {}
    for node in some:
        key, same = _pair(node, canonical), node.get("owl:sameAs")
        elsewhere = SEVERAL.join(references(same)) if same else ""
        found[key] = found.get(key) or elsewhere
    found.pop(_NOTHING, None)
    labels, ids = zip(*found, strict=True) if found else ((), ())
    return {
        f"{term}s": list(labels),
        f"{term}_ids": list(ids),
        f"{term}_same_as": list(found.values()),
    }


def _pair(node: Node, canonical: Canonical) -> tuple[str, str]:
    """Return the node's label and URI; most are plain, and a record has a dozen."""
    label, uri = node.get("rdfs:label"), node.get("@id")
    if type(label) is not str or not label.isprintable() or not (label := label.strip()):
        label = label_or_tail(node) or ""
    return label, canonical(uri) if uri and type(uri) is str else ""
