"""The API's view of a document in one language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from mplus_crawler.sandbox.facts.mplus import ENGLISH, FACTS, LANGUAGES, MESSAGE, Json, other
from mplus_crawler.sandbox.mplus.data import Document

_OTHERS = frozenset(FACTS["roles"]["others"])
_SEPARATORS = re.compile(r"[\s/_–—]+")  # noqa: RUF001  # the dashes are meant
_DROPPED = re.compile(r"[^a-z0-9-]")


class ResolverError(Exception):
    """An exception in a resolver: 200, ``errors``, and null for the whole root."""


def view(document: Document, root: str, language: str) -> Json:
    """A document as a record of *root*, possibly out of another index."""
    language = language if language in LANGUAGES else ENGLISH
    key = (root, language)
    if key not in document.views:
        document.views[key] = _VIEWS[root](document, language)
    if root == "objects" and document.poison:
        raise ResolverError(MESSAGE["broken_record"])
    return document.views[key]


def text_in(texts: Mapping[str, Any] | None, language: str) -> Any:
    """The text in *language*, else in English, else in any other language."""
    texts = texts or {}
    found = (texts.get(one) for one in (language, ENGLISH, *texts))
    return next((text for text in found if text is not None), None)


def constituents_of(document: Document, found: Mapping[int, Document], language: str) -> list[Json]:
    """The constituents nested in an object that were found, one for each role."""
    language = language if language in LANGUAGES else ENGLISH
    return [
        {
            **view(found[link["id"]], "constituents", language),
            "role": text_in(link["role"], language),
            "isMakerOfObject": link["role"].get(ENGLISH) not in _OTHERS,
            "objects": None,
        }
        for link in document.record.get("constituents") or ()
        if link["id"] in found
    ]


def slug(text: str) -> str:
    """A text as part of a URL."""
    return _DROPPED.sub("", _SEPARATORS.sub("-", text.lower().strip()))


def slug_of(document: Document) -> str:
    """The record's part of its page's URL: an object's title and number, or a name."""
    record = document.record
    name = text_in(record.get("title") or record.get("name"), ENGLISH) or ""
    return slug(f"{name} {record.get('objectNumber', '')}").strip("-")


def is_maker(document: Document) -> bool:
    """Whether a constituent's first role makes it a maker."""
    return not _OTHERS.issuperset(document.record.get("roles", ())[:1])


def _object(document: Document, language: str) -> Json:
    record = document.record
    if "images" not in record or "color" not in record:
        raise ResolverError(MESSAGE["broken_record"])
    kinds = record["classification"]
    title, dated = record["title"], record["displayDate"]
    number = record["objectNumber"]
    own = {
        "objectNumber": number,
        "sortNumber": record["sortNumber"],
        "classification": {name: text_in(kinds[name], language) for name in kinds},
        # Titles are stored with both keys, so that a missing one is null.
        "title": title.get(language),
        "titleOther": _other(title, language, title.get(language)),
        "displayDate": text_in(dated, language),
        "displayDateOther": _other(dated, language, text_in(dated, language)),
        "dimension": text_in(record["dimension"], language),
        "dimensionDetails": _dimensions(record["dimensionDetails"]),
        "fonds": document.fonds,
        "medium": text_in(record["medium"], language),
        "creditLine": text_in(record["creditLine"], language),
        "images": _images(record["images"], language),
        "color": _colours(record["color"]),
        "archivalLevelSlugs": _slugs(kinds["archivalLevel"]),
        "areasSlugs": _slugs(kinds["area"]),
        "categorySlugs": _slugs(kinds["category"]),
        "mediumSlug": slug(text) if (text := text_in(record["medium"], ENGLISH)) else None,
        "objectNumberSlug": slug(number),
        "titleSlug": slug_of(document),
    }
    return _common(document) | own


def _constituent(document: Document, language: str) -> Json:
    record = document.record
    names = record.get("name")
    roles = record.get("roles")
    own = {
        "name": text_in(names, language),
        "nameOther": _other(names or {}, language, text_in(names, language)),
        "alphaSortName": text_in(record.get("alphaSortName"), language),
        "type": record.get("type"),
        "roles": roles,
        "isMaker": None if roles is None else is_maker(document),
        "displayBio": text_in(record.get("displayBio"), language),
        "gender": text_in(record.get("gender"), language),
        "nationality": text_in(record.get("nationality"), language),
        "objectCountPublic": document.made_up.get("objectCountPublic"),
    }
    return _common(document) | own


def _exhibition(document: Document, language: str) -> Json:
    record = document.record
    # An empty Chinese list wins over the English one, and is null in the end.
    venues = record["venues"].get(language) or None
    names = ("id", "beginDate", "endDate", "artInt")
    return {name: record[name] for name in names} | {"venues": venues, "_sys": None}


_VIEWS: Mapping[str, Callable[[Document, str], Json]] = {
    "objects": _object,
    "constituents": _constituent,
    "exhibitions": _exhibition,
}


def _common(document: Document) -> Json:
    return {
        "id": document.id,
        "slug": slug_of(document),
        "publicAccess": document.public,
        "beginDate": document.record.get("beginDate"),
        "endDate": document.record.get("endDate"),
        "_sys": None,
    }


def _other(texts: Mapping[str, Any], language: str, own: Any) -> Any:
    """The text in the other language, unless it is the same."""
    text = texts.get(other(language))
    return None if text == own else text


def _dimensions(details: Json | None) -> list[Json] | None:
    return [{**details, "rank": "1"}] if details else None


def _images(images: list[Json] | None, language: str) -> list[Json] | None:
    if images is None:
        return None
    texts = (image["altText"] for image in images)
    return [{"altText": text_in(t, language) if isinstance(t, dict) else t} for t in texts]


def _colours(colour: Json) -> Json:
    google = colour["search"]["google"]
    search = {"google": google, "cloudinary": google and google[:1]}
    return {"predominant": colour["predominant"], "search": search}


def _slugs(names: Mapping[str, Any]) -> str | None:
    """A JSON string of a map of both languages' names to the English name's slug."""
    english = names.get(ENGLISH)
    if not english:
        return None
    pairs = {
        name: slug(first)
        for one in names.values()
        for first, name in zip(english, one or (), strict=False)
    }
    return orjson.dumps(pairs).decode()
