"""Patterns of CIDOC-CRM that records of several kinds share."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from mplus_crawler.spiders.dmg.cidoc.ids import pid
from mplus_crawler.spiders.dmg.cidoc.jsonld import (
    Canonical,
    Localized,
    Node,
    first_label,
    has_type,
    is_a,
    label,
    literals,
    nodes,
    text,
    texts,
    uri_of,
    year,
)

# Of titles and descriptions.
LANGUAGES = ("nl", "fr", "en")
IDENTIFIER = "crm:E42_Identifier"
# Getty AAT 300080091, "description": the type of texts about a thing.
DESCRIPTION = "http://vocab.getty.edu/aat/300080091"
# The museum's placeholder for an unknown title.
NO_TITLE = "unknown"
TIME_SPAN = "crm:P4_has_time-span"
BEGIN = "crm:P82a_begin_of_the_begin"
END = "crm:P82b_end_of_the_end"

_iso_date = re.compile(r"-?\d{4,6}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?").fullmatch


def identity(
    record: Node, canonical: Canonical, known_id: str | None, names: Iterable[str]
) -> dict[str, Any]:
    """Return ``id``, ``url``, ``label`` and ``modified`` of *record*.

    *known_id* is for a record without ``@id``. The label is the museum's, unless that is
    "unknown", then a title, then the PID.
    """
    raw = uri_of(record)
    uri = canonical(raw) if raw else known_id
    labels = [said for _, said in literals(record.get("rdfs:label"))]
    known = [said for said in (*labels, *names) if said != NO_TITLE] or labels
    return {
        "id": uri,
        "url": uri,
        "label": known[0] if known else uri and pid(uri),
        "modified": text(record.get("prov:generatedAtTime")),
    }


def identifiers(record: Node) -> tuple[list[Node], list[Node]]:
    """Return the nodes of ``crm:P1_is_identified_by``: names, and numbers."""
    names: list[Node] = []
    numbers: list[Node] = []
    for node in nodes(record, "crm:P1_is_identified_by"):
        (numbers if is_a(node, IDENTIFIER) else names).append(node)
    return names, numbers


def titles(names: Iterable[Node]) -> dict[str, str]:
    """Return the first known title in each language."""
    found: dict[str, str] = {}
    for code, title in texts(names):
        if code and title != NO_TITLE:
            found.setdefault(code, title)
    return found


def descriptions(record: Node) -> dict[str, str]:
    """Return the descriptions in each language."""
    said = nodes(record, "crm:P67i_is_referred_to_by")
    return joined_by_language(texts([node for node in said if _describes(node)]))


def _describes(node: Node) -> bool:
    return has_type(node, DESCRIPTION) or not node.get("crm:P2_has_type")


def first_by_language(said: Iterable[Localized]) -> dict[str, str]:
    """Return the first text in each language."""
    found: dict[str, str] = {}
    for code, one in said:
        if code:
            found.setdefault(code, one)
    return found


def joined_by_language(said: Iterable[Localized]) -> dict[str, str]:
    """Return all texts in each language, joined as paragraphs."""
    found: dict[str, str] = {}
    for code, one in said:
        if code:
            found[code] = f"{found[code]}\n\n{one}" if code in found else one
    return found


def in_languages(column: str, found: dict[str, str]) -> dict[str, str | None]:
    """Return the columns ``{column}_nl``, ``_fr`` and ``_en``."""
    return {f"{column}_{code}": found.get(code) for code in LANGUAGES}


def dates(span: Node) -> tuple[str | None, str | None]:
    """Return begin and end as ISO 8601 dates, from a label such as ``1930-03-01/1930-06-30``.

    Where the label isn't that (``ca. 1900``, ``1872/..``), the years of P82a and P82b.
    """
    begin, slash, end = (label(span) or "").partition("/")
    return (
        _date(begin) or _date(text(span.get(BEGIN))),
        _date(end if slash else begin) or _date(text(span.get(END))),
    )


def _date(written: str | None) -> str | None:
    return written if written and _iso_date(written) else None


def years(some: Iterable[Node]) -> tuple[int | None, int | None]:
    """Return the first and last year of time-spans: P82a and P82b, else those in the labels."""
    first_year = last_year = None
    for span in some:
        begin, end = year(span.get(BEGIN)), year(span.get(END))
        if begin is None:
            begin = year(dates(span)[0])
        if end is None:
            end = year(dates(span)[1])
        if first_year is None or (begin is not None and begin < first_year):
            first_year = begin
        if last_year is None or (end is not None and end > last_year):
            last_year = end
    return first_year, last_year


def manifest_among(about: list[Node]) -> tuple[str | None, list[Node]]:
    """Return the address of the IIIF manifest, and the other documents *about* the thing.

    Both stand in ``crm:P129i_is_subject_of``; the manifest is the one without a type.
    """
    manifest: str | None = None
    others: list[Node] = []
    for node in about:
        if manifest is None and not node.get("crm:P2_has_type"):
            manifest = uri_of(node)
        else:
            others.append(node)
    return manifest, others


def citation(node: Node, page: str | None) -> str | None:
    """Return title, date and address of a document or an activity; unknown parts are left out."""
    title = first_label(nodes(node, "crm:P102_has_title")) or label(node)
    date = first_label(nodes(node, TIME_SPAN))
    return ", ".join(filter(None, (title, date, page))) or None
