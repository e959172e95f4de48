"""Reads JSON-LD: one value or many, plain or value objects, with labels or without.

No function fails on an unknown shape; the schemas reject those.
Terms are those of JSON-LD 1.1. ``type(x) is`` instead of ``isinstance`` because JSON has no
subclasses and a record is read some three hundred times.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Protocol

from mplus_crawler.records.batch import json_line
from mplus_crawler.records.text import line_breaks

Node = dict[str, Any]
Canonical = Callable[[str], str]
# A text and the ISO 639 code of its language, where it has one.
Localized = tuple[str | None, str]


class Flatten(Protocol):
    """Makes the columns of one record; *known_id* is the id of a record without ``@id``."""

    def __call__(
        self, record: Node, canonical: Canonical, known_id: str | None = None
    ) -> dict[str, Any]: ...


# The EU Publications Office's authority for languages; other codes are its last segments.
_AUTHORITY = "http://publications.europa.eu/resource/authority/language/"
_CODES = {_AUTHORITY + "NLD": "nl", _AUTHORITY + "FRA": "fr", _AUTHORITY + "ENG": "en"}

_leading_year = re.compile(r"(-?\d{1,6})(?!\d)").match


def nodes(node: Node, name: str) -> list[Node]:
    """Return the nodes under *name*: one, many or none."""
    value = node.get(name)
    if type(value) is dict:
        return [value] if value else []
    found: list[Node] = []
    if type(value) is list:
        for one in value:
            if type(one) is dict:
                found.append(one)  # noqa: PERF401  # a comprehension costs a call here
    return found


def each(some: Iterable[Node], name: str) -> list[Node]:
    """Return the nodes that all of *some* have under *name*."""
    found: list[Node] = []
    for node in some:
        value = node.get(name)
        if type(value) is dict:
            found.append(value)
        elif type(value) is list:
            found += [one for one in value if type(one) is dict]
    return found


def as_list(value: Any) -> list[Any]:
    """Return the values of a property that holds one, many or none."""
    if type(value) is list:
        return value
    return [] if value is None else [value]


def first(values: Iterable[str | None]) -> str | None:
    """Return the first value that is not empty."""
    return next(filter(None, values), None)


def unique(values: Iterable[str | None]) -> list[str]:
    """Return the values that are not empty, each once, in order."""
    return list(filter(None, dict.fromkeys(values)))


def text(value: Any) -> str | None:
    """Return a literal as text: the first that is not empty; numbers as they are written."""
    if type(value) is dict:
        value = value.get("@value")
        if type(value) in (dict, list):
            return None
    if type(value) is str:
        return (value.strip() if value.isprintable() else line_breaks(value.strip())) or None
    if type(value) is list:
        return first([None if type(one) is list else text(one) for one in value])
    return str(value) if type(value) in (int, float) else None


def label(node: Node) -> str | None:
    """Return a node's ``rdfs:label``."""
    return text(node.get("rdfs:label"))


def first_label(some: Iterable[Node]) -> str | None:
    """Return the first label of the nodes."""
    for node in some:
        if found := text(node.get("rdfs:label")):
            return found
    return None


def uri_of(node: Node) -> str | None:
    """Return a node's ``@id``, unchanged."""
    uri = node.get("@id")
    return uri if type(uri) is str else None


def first_id(some: list[Node], canonical: Canonical = str) -> str | None:
    """Return the first canonical ``@id`` of the nodes."""
    for node in some:
        uri = node.get("@id")
        if uri and type(uri) is str:
            return canonical(uri)
    return None


def tail(node: Node) -> str | None:
    """Return the end of a node's ``@id``."""
    uri = uri_of(node)
    return uri.rstrip("/").rpartition("/")[2] if uri else None


def ids(some: list[Node], canonical: Canonical = str) -> list[str]:
    """Return the canonical ``@id`` of the nodes that have one, each once."""
    if not some:
        return []
    found: dict[str, None] = {}
    for node in some:
        uri = node.get("@id")
        if uri and type(uri) is str:
            found[canonical(uri)] = None
    return list(found)


def links(node: Node, name: str, canonical: Canonical = str) -> list[str]:
    """Return the canonical ``@id`` of the nodes under *name* that have one, each once."""
    return ids(nodes(node, name), canonical) if name in node else []


def references(value: Any, canonical: Canonical = str) -> list[str]:
    """Return the URIs in a property that holds URIs, nodes with ``@id``, or both, each once."""
    found: dict[str, None] = {}
    for one in as_list(value):
        uri = uri_of(one) if type(one) is dict else one
        if uri and type(uri) is str:
            found[canonical(uri)] = None
    return list(found)


def statement(value: Any) -> str:
    """Return a URI, a label or a literal, else the whole value as JSON, so that nothing is lost."""
    said = value
    if type(value) is dict:
        said = uri_of(value) or value.get("rdfs:label") or value.get("@value")
    return said.strip() if type(said) is str and said.strip() else json_line(value).decode().strip()


def is_a(node: Node, cls: str) -> bool:
    """Return whether a node is of the class *cls*, perhaps among others."""
    value = node.get("@type")
    return value == cls or (type(value) is list and cls in value)


def has_type(node: Node, uri: str) -> bool:
    """Return whether *uri* is among a node's ``crm:P2_has_type``."""
    value = node.get("crm:P2_has_type")
    if type(value) is dict:
        return bool(value.get("@id") == uri)
    return uri in links(node, "crm:P2_has_type")


def language(node: Node) -> str | None:
    """Return the ISO 639 code of a node's ``crm:P72_has_language``, a URI or a label (``nl``)."""
    for one in nodes(node, "crm:P72_has_language"):
        if name := uri_of(one) or label(one):
            return _CODES.get(name) or name.rpartition("/")[2].lower()
    return None


def literals(value: Any, default: str | None = None) -> list[Localized]:
    """Return each literal with its language; *default* where it has none."""
    if type(value) is str:
        plain = line_breaks(value.strip())
        return [(default, plain)] if plain else []
    return [(_tag(one) or default, said) for one in as_list(value) if (said := text(one))]


def _tag(literal: Any) -> str | None:
    tag = literal.get("@language") if type(literal) is dict else None
    return tag.lower().partition("-")[0] if type(tag) is str else None


def texts(some: Iterable[Node]) -> list[Localized]:
    """Return each label of the nodes with its language."""
    found: list[Localized] = []
    for node in some:
        said, code = node.get("rdfs:label"), language(node)
        if type(said) is str and said.isprintable() and (plain := said.strip()):
            found.append((code, plain))  # as most are
        else:
            found += literals(said, code)
    return found


def year(value: Any) -> int | None:
    """Return the year at the start of a date: ``1872``, ``"-0450"``, ``"1872-03-01"``."""
    written = text(value)
    return _year(written) if written else None


@lru_cache(maxsize=4096)
def _year(written: str) -> int | None:
    match = _leading_year(written)
    return int(match[1]) if match else None
