"""Repairs JSON-LD so that a strict reader drops nothing."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlsplit

PREFIXES: Mapping[str, str] = tomllib.loads(
    (files(__package__) / "prefixes.toml").read_text("utf-8")
)
# Characters that no IRI contains (RFC 3987), and a percent sign that escapes nothing.
_FORBIDDEN = re.compile(r'[\x00-\x20<>"{}|\\^`\x7f-\x9f]|%(?![0-9A-Fa-f]{2})')
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")

Json = dict[str, Any]


class Repairs:
    """Repairs the records of one museum, and counts what was repaired in :attr:`count`.

    *spelling* returns the canonical spelling of a URI. A URI is replaced by it if *is_record* finds
    a record with that id, so that references lead to the record.
    """

    def __init__(self, spelling: Callable[[str], str], is_record: Callable[[str], bool]) -> None:
        self.count: Counter[str] = Counter()
        self._spelling = spelling
        self._is_record = is_record

    def document(self, record: Mapping[str, Any], subject: str) -> Json:
        """Return *record* as a document about the IRI *subject*, without blank nodes.

        A node without ``@id`` gets one that is derived from its place and content. Equal records
        get equal ids, whatever the order of their members.
        """
        own = self._terms(record.get("@context"))
        if record.get("@id") != subject:
            self.count["subject"] += 1
        members = {name: value for name, value in record.items() if name != "@context"}
        prefixes = {**PREFIXES, **own}
        return {"@context": prefixes, **self._node({**members, "@id": subject}, subject, own)}

    def iri(self, text: str) -> str:
        """Return *text* as an IRI: spelled as the museum's ids, forbidden characters escaped."""
        spelled = self._spelling(text)
        if spelled != text and self._is_record(spelled):
            self.count["spelling"] += 1
            return spelled
        escaped = escape(text)
        if escaped != text:
            self.count["characters"] += 1
        return escaped

    def _terms(self, context: Any) -> dict[str, str]:
        """Return the terms of a record's own context; remote contexts are not fetched."""
        found: dict[str, str] = {}
        for part in context if isinstance(context, list) else [context]:
            if isinstance(part, dict):
                terms = {name: iri for name, iri in part.items() if _is_term(name, iri)}
                self.count["context"] += len(part) - len(terms)
                found |= terms
            elif part is not None:
                self.count["context"] += 1
        return found

    def _value(self, value: Any, place: str, own: Mapping[str, str]) -> Any:
        if isinstance(value, list):
            return [self._value(one, place, own) for one in value]
        if not isinstance(value, dict):
            return value
        if "@value" in value:
            return self._literal(value)
        if "@set" in value:
            return self._value(value["@set"], place, own)
        if "@list" in value:
            return self._list(value["@list"], place, own)
        return self._node(value, place, own)

    def _list(self, values: Any, place: str, own: Mapping[str, str]) -> Json:
        """Return a list as the nodes that it stands for, which have IRIs here."""
        members = values if isinstance(values, list) else [values]
        rest: Json = {"@id": f"{_RDF}nil"}
        for number, one in reversed(list(enumerate(members))):
            id_ = skolem(place, {"@list": members, "number": number})
            first = self._value(one, _below(place, id_, "first"), own)
            rest = {"@id": id_, f"{_RDF}first": first, f"{_RDF}rest": rest}
        return rest

    def _node(self, node: Mapping[str, Any], place: str, own: Mapping[str, str]) -> Json:
        found: Json = {"@id": self._id(node, place)}
        for name, value in node.items():
            if name == "@type":
                if types := self._types(value):
                    found[name] = types
            elif name.startswith("@") and name not in ("@graph", "@included"):
                self.count["keyword"] += name != "@id"
            else:
                prefix, colon, _ = name.partition(":")
                self.count["prefix"] += bool(colon) and prefix in PREFIXES and prefix not in own
                found[name] = self._value(value, _below(place, found["@id"], name), own)
        return found

    def _id(self, node: Mapping[str, Any], place: str) -> str:
        given = node.get("@id")
        if isinstance(given, str) and given and not given.startswith("_:"):
            return self.iri(given)
        if given is not None:
            self.count["id"] += 1
        return skolem(place, node)

    def _types(self, value: Any) -> list[str]:
        types = value if isinstance(value, list) else [value]
        texts = [one for one in types if isinstance(one, str) and one and one[:2] != "_:"]
        self.count["type"] += len(types) - len(texts)
        return [self.iri(text) for text in texts]

    def _literal(self, given: Mapping[str, Any]) -> Json | str | None:
        """Return a value object that JSON-LD allows."""
        value = given["@value"]
        if isinstance(value, list | dict):
            self.count["value"] += 1
            return json.dumps(value, ensure_ascii=False, sort_keys=True)
        found: Json = {"@value": value}
        if isinstance(type_ := given.get("@type"), str):
            found["@type"] = self.iri(type_)
        elif isinstance(language := given.get("@language"), str) and isinstance(value, str):
            tag = language.strip().replace("_", "-")
            if _LANGUAGE.fullmatch(tag):
                found["@language"] = tag
        self.count["literal"] += found != given
        return found


def _below(place: str, node: str, name: str) -> str:
    """Return the place of a value: the record, the *node* that refers to it, the property."""
    record = place.partition("\n")[0]
    return f"{record}\n{node}\n{name}"


def _is_term(name: str, value: Any) -> bool:
    """Return whether *value* is an IRI, or that of a keyword such as ``@language``."""
    return isinstance(value, str) and (name.startswith("@") or bool(_ABSOLUTE.match(value)))


@lru_cache(maxsize=4096)  # few types, materials and places are named by many records
def escape(text: str) -> str:
    """Return *text*, escaping the characters that an IRI cannot contain."""
    text = _FORBIDDEN.sub(lambda found: quote(found[0]), text.strip())
    if "[" not in text and "]" not in text:
        return text
    try:
        host = urlsplit(text).netloc
    except ValueError:  # brackets that are no address
        host = ""
    before, _, after = text.partition(host) if host else ("", "", text)
    return before + host + after.replace("[", "%5B").replace("]", "%5D")


def skolem(place: str, node: Mapping[str, Any]) -> str:
    """Return the IRI of a *node* that has none (RDF 1.1, section 3.5).

    *place* is where it is, see :func:`_below`; the IRI is at the host of the record.
    """
    content = json.dumps(node, ensure_ascii=False, sort_keys=True)
    digest = hashlib.sha256(f"{place}\n{content}".encode("utf-8", "surrogatepass")).hexdigest()
    parts = urlsplit(place.partition("\n")[0])
    return f"{parts.scheme}://{parts.netloc}/.well-known/genid/{digest[:32]}"
