"""Columns of version 1's records, for the known shapes; everything else is in ``record``."""

from __future__ import annotations

from typing import Any

from mplus_crawler.protocols.uris import normalized
from mplus_crawler.records.batch import SEVERAL
from mplus_crawler.spiders.dmg.cidoc import crm, pid
from mplus_crawler.spiders.dmg.cidoc.jsonld import (
    Localized,
    Node,
    as_list,
    each,
    first,
    literals,
    nodes,
    references,
    text,
    unique,
    uri_of,
)

_TITLES = ("MaterieelDing.titel", "MensgemaaktObject.titel", "title", "skos:prefLabel")
_NUMBERS = ("Object.identificator", "Persoon.identificator")
# Placeholders for a missing title or image.
_NO_TITLE = ("unknown", "title unknown")
_NO_IMAGE = "no image"


def columns(record: Node) -> dict[str, Any]:
    """Return the columns of ``schemas/v1_record.schema.json``, except those of every record."""
    id_ = normalized(uri) if (uri := uri_of(record)) else None
    titles = _titles(record)
    number = _number(record) or (pid(id_.rstrip("/")) if id_ else None)
    texts = _texts(record)
    return {
        "id": id_,
        "url": id_,
        "label": first(said for _, said in titles) or number,
        "type": text(record.get("@type")),
        "number": number,
        **crm.in_languages("title", crm.first_by_language(titles)),
        **crm.in_languages("description", crm.joined_by_language(_said(record, "description"))),
        "biographies": texts,
        "image": _image(record),
        "colors": unique(map(text, as_list(record.get("ex:colorNames")))),
        "color_codes": unique(map(text, as_list(record.get("ex:colors")))),
    }


def _said(record: Node, name: str) -> list[Localized]:
    """Return the texts under *name*; those without a language are in Dutch."""
    return literals(record.get(name), "nl")


def _titles(record: Node) -> list[Localized]:
    found = [pair for name in _TITLES for pair in _said(record, name)]
    for node in nodes(record, "cidoc:P1_is_identified_by"):
        found += _said(node, "inhoud")
    return [pair for pair in found if pair[1] not in _NO_TITLE]


def _number(record: Node) -> str | None:
    numbers = [node for name in _NUMBERS for node in nodes(record, name)]
    return first(text(node.get("Identificator.identificator")) for node in numbers)


def _image(record: Node) -> str | None:
    shown = each([record], "cidoc:P129i_is_subject_of")
    return first(uri for uri in map(uri_of, shown) if uri != _NO_IMAGE)


def _texts(record: Node) -> list[dict[str, str | None]]:
    """Return texts about an agent; :mod:`mplus_crawler.records.rights` fills in the licences."""
    found = []
    for node in nodes(record, "crm:P3_has_note"):
        rights = {
            "source": SEVERAL.join(references(node.get("dcterms:source"))) or None,
            "licence": None,
            "licence_uri": SEVERAL.join(references(node.get("dcterms:license"))) or None,
        }
        found += [{"text": said, "language": code, **rights} for code, said in literals(node)]
    return found
