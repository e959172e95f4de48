"""Web links as RFC 8288 writes them in the ``Link`` header."""

from __future__ import annotations

import re
from collections.abc import Iterable

# RFC 8288 section 3: "<" target ">" *( ";" name [ "=" ( token / quoted-string ) ] )
_TARGET = re.compile(r"<([^>]*)>")
_PARAMETER = re.compile(r'\s*;\s*([^\s=;,"]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?')
_NEXT_VALUE = re.compile(r"\s*(?:;\s*)*,|\s*(?:;\s*)*$")


def parse_links(headers: Iterable[str]) -> dict[str, str]:
    """The targets of ``Link`` headers by relation type, in lower case.

    *headers* are the field values, one for each header line. A link with several
    relations stands under each; of several links with one relation the first counts
    (RFC 8288 section 3.3), and only a link's first ``rel`` parameter does. What is
    malformed is passed over up to the next link.
    """
    links: dict[str, str] = {}
    for header in headers:
        position = 0
        while match := _TARGET.search(header, position):
            relations, position = _relations(header, match.end())
            for relation in relations:
                links.setdefault(relation, match[1].strip())
    return links


def _relations(header: str, position: int) -> tuple[list[str], int]:
    """The relation types of the link whose target ends at *position*, and where the next starts."""
    relations: list[str] | None = None
    while match := _PARAMETER.match(header, position):
        position = match.end()
        if match[1].lower() == "rel" and relations is None:
            value = match[2] if match[2] is not None else match[3] or ""
            relations = re.sub(r"\\(.)", r"\1", value).lower().split()
    if match := _NEXT_VALUE.match(header, position):
        return relations or [], match.end()
    return [], position
