"""The search backend: the documents that a body finds in an index."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any
from zlib import crc32

from mplus_crawler.sandbox.facts.mplus import ENGLISH, FACTS, LANGUAGES
from mplus_crawler.sandbox.mplus.data import Collection, Document, tags
from mplus_crawler.sandbox.mplus.views import is_maker, slug, slug_of

Clause = tuple[str, Any]


@dataclass(frozen=True)
class Body:
    """A search without its index, which the key of the cache therefore lacks."""

    page: int | None
    size: int | None
    clauses: tuple[Clause, ...]
    sort: tuple[str, str, str] = ("id", "asc", ENGLISH)

    def fits(self, window: float) -> bool:
        """Whether the backend accepts it: page and size are numbers within the window."""
        if self.page is None or self.size is None:
            return False
        return (self.page + 1) * self.size <= window


@dataclass(frozen=True)
class Hits:
    """The result of a search; *total* is None where the backend's is not a number."""

    documents: list[Document]
    total: int | None


class Backend:
    """Searches the indexes, with a window like that of Elasticsearch."""

    def __init__(self, collection: Collection, window: int) -> None:
        self._collection = collection
        self._window = window
        self.forget()

    def forget(self) -> None:
        """Reload the indexes after a change of records."""
        self._public = {index: self._collection.public(index) for index in _TESTS}
        self._by_id = {
            index: {document.id: document for document in documents}
            for index, documents in self._public.items()
        }

    def search(self, index: str, body: Body, windowed: bool) -> Hits | None:
        """The documents of one page; None where the backend fails.

        Look-ups by id are not *windowed*: they fit any real window, but not a small one of tests.
        """
        if not body.fits(self._window if windowed else inf) or not _is_sortable(index, *body.sort):
            return None
        found = self._matching(index, body.clauses)
        start = (body.page or 0) * (body.size or 0)
        ordered = _ordered(found, body)
        return Hits(ordered[start : start + (body.size or 0)], len(found))

    def _matching(self, index: str, clauses: Iterable[Clause]) -> list[Document]:
        found: Iterable[Document] = self._public[index]
        required = dict(clauses)
        if "ids" in required:
            known = self._by_id[index]
            found = [known[id_] for id_ in sorted(set(required["ids"])) if id_ in known]
        if "exhibition" in required:
            shown = self._by_id["exhibitions"].get(required["exhibition"])
            ids = shown.made_up["objects"] if shown else ()
            found = [document for document in found if document.id in ids]
        for name, value in required.items():
            if test := _TESTS[index].get(name):
                found = [document for document in found if test(document, value)]
        return list(found)


def _is_sortable(index: str, field: str, order: str, _: str) -> bool:
    if field in ("shuffle", "score"):
        return True
    return field in FACTS["sort"][index]["works"] and order in ("asc", "desc")


def _ordered(found: list[Document], body: Body) -> list[Document]:
    field, order, language = body.sort
    backwards = order == "desc"
    if field == "id":
        return found[::-1] if backwards else found
    if field == "score":
        return sorted(found, key=lambda one: -_score(one, dict(body.clauses)["keyword"]))
    if field == "shuffle":
        return sorted(found, key=lambda one: crc32(f"{order}:{one.id}".encode()))
    # As in Elasticsearch, equal values come in any order and missing ones last.
    mixed = sorted(found, key=lambda one: crc32(str(one.id).encode()))
    values = {one.id: _value(one, field, language) for one in found}
    there = [one for one in mixed if values[one.id] is not None]
    there.sort(key=lambda one: values[one.id], reverse=backwards)
    return there + [one for one in mixed if values[one.id] is None]


def _value(document: Document, field: str, language: str) -> Any:
    record = document.record | document.made_up
    value = record.get(field, record.get("classification", {}).get(field))
    if field in ("popularCount", "artInt"):
        return value or 0
    if isinstance(value, Mapping):
        value = value.get(language if language in LANGUAGES else ENGLISH)
    return min(value, default=None) if isinstance(value, list) else value


def _text(document: Document) -> str:
    record = document.record
    parts: list[Any] = [record.get("objectNumber"), *(record.get("roles") or ())]
    for name in ("title", "name", "medium", "creditLine", "displayBio"):
        parts += (record.get(name) or {}).values()
    return " ".join(part for part in parts if part).lower()


def _score(document: Document, keyword: str) -> int:
    return sum(_text(document).count(word) for word in keyword.lower().split())


def is_one_of(*path: str) -> Callable[[Document, Any], bool]:
    """A test whether a field, in either language, or its slug, is one of some values."""

    def test(document: Document, required: Any) -> bool:
        texts: Any = document.record
        for name in path:
            texts = texts.get(name) or {}
        names = {name for text in texts.values() for name in _listed(text)}
        names |= {slug(name) for name in names}
        return not required or not names.isdisjoint(_listed(required))

    return test


def _listed(value: Any) -> Iterable[str]:
    return value if isinstance(value, list | tuple) else () if value is None else (value,)


def _contains(*names: str) -> Callable[[Document, Any], bool]:
    """A test whether a text, in either language, holds all words of another."""

    def test(document: Document, required: Any) -> bool:
        texts = [document.record.get(name) or {} for name in names]
        whole = " ".join(str(text) for one in texts for text in one.values() if text).lower()
        return all(word in whole for text in _listed(required) for word in text.lower().split())

    return test


def _equals(name: str) -> Callable[[Document, Any], bool]:
    return lambda document, required: document.record.get(name) == required


def _has_colour(document: Document, required: tuple[str, float, str]) -> bool:
    colour, threshold, source = required
    shares = document.record["color"]["search"].get(source) or ()
    return any(s["color"] == colour and s["value"] >= threshold for s in shares)


def _has_hue(document: Document, required: tuple[tuple[int, ...], ...]) -> bool:
    *ranges, (reach,) = required
    return any(
        all(
            any(abs(have - one) <= reach for one in some)
            for have, some in zip(hls, ranges, strict=True)
        )
        for shade in document.record["color"]["predominant"] or ()
        for hls in [_hls(shade["color"])]
    )


def _hls(code: str) -> tuple[float, float, float]:
    red, green, blue = (int(code[place : place + 2], 16) / 255 for place in (1, 3, 5))
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    return hue * 360, light * 100, saturation * 100


_DATES: Mapping[str, Callable[[Document, Any], bool]] = {
    "beginDate": lambda one, year: (one.record["beginDate"] or -9999) >= year,
    "endDate": lambda one, year: (one.record["endDate"] or 9999) <= year,
}
_COMMON: Mapping[str, Callable[[Document, Any], bool]] = {
    # Non-public records are never returned, even if only they are requested.
    "publicAccess": lambda _, required: bool(required),
    "keyword": lambda one, words: all(word in _text(one) for word in words.lower().split()),
    "id": lambda one, id_: one.id == id_,
    "slug": lambda one, text: slug_of(one) == text,
}
_TESTS: Mapping[str, Mapping[str, Callable[[Document, Any], bool]]] = {
    "objects": {
        **_COMMON,
        **_DATES,
        "objectNumber": _equals("objectNumber"),
        "category": is_one_of("classification", "category"),
        "area": is_one_of("classification", "area"),
        "archivalLevel": is_one_of("classification", "archivalLevel"),
        "fonds": lambda one, fonds: one.fonds == fonds,
        "title": _contains("title"),
        # The filter is documented, but searches a field without text.
        "displayDate": lambda _, __: False,
        "medium": is_one_of("medium"),
        "tags": lambda one, required: not required or not set(tags(one)).isdisjoint(required),
        "constituents": lambda one, ids: not set(one.links).isdisjoint(ids),
        "color": _has_colour,
        "hue": _has_hue,
    },
    "constituents": {
        **_COMMON,
        **_DATES,
        "name": _contains("name"),
        "role": lambda one, role: role in one.record["roles"],
        "gender": is_one_of("gender"),
        "nationality": is_one_of("nationality"),
        "isMaker": lambda one, required: is_maker(one) == required,
    },
    "exhibitions": {
        **_COMMON,
        "type": _equals("type"),
        "title": _contains("title"),
    },
}
