"""Aggregates: the values of a field and their counts, over all objects, public or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from mplus_crawler.sandbox.facts.mplus import LANGUAGES, LIMIT, Json
from mplus_crawler.sandbox.mplus.data import Collection, Document, tags
from mplus_crawler.sandbox.mplus.search import is_one_of
from mplus_crawler.sandbox.mplus.views import is_maker

_FIELDS = {"areas": "area", "categories": "category", "archivalLevels": "archivalLevel"}
_FILTERS = ("area", "category")


class Aggregates:
    """The rows of areas, categories, archivalLevels, mediums, tags, fonds and makertypes."""

    def __init__(self, collection: Collection) -> None:
        self._indexes = collection.indexes

    def rows(self, name: str, given: Json) -> list[Json]:
        """All rows of one aggregate, by descending count unless sorted by title."""
        if name == "makertypes":
            return [{"title": role} for role in self._makers()]
        language = given.get("lang")
        if language not in LANGUAGES:
            return []
        values = (value for one in self._selected(given) for value in _values(name, one, language))
        counts = Counter(v for v in values if v and len(v) <= LIMIT["indexed_title"])
        rows: list[Json] = [
            {"title": title, "count": count} for title, count in sorted(counts.items())
        ]
        field, order = given.get("sort_field"), given.get("sort")
        if not order or field not in ("title", "count"):
            field, order = "count", "desc"
        rows.sort(key=lambda row: row[field], reverse=order == "desc")
        rows = rows[: _size(given.get("per_page"))]
        if name == "fonds" and rows:
            rows[0] = rows[0] | {"_sys": {"total": counts.total(), "totalRows": len(counts)}}
        return rows

    def _selected(self, given: Json) -> Iterator[Document]:
        for one in self._indexes["objects"]:
            fits = all(
                is_one_of("classification", name)(one, given[name])
                for name in _FILTERS
                if given.get(name)
            )
            seen = one.public or not given.get("publicAccess")
            if fits and seen and given.get("fonds") in (None, one.fonds):
                yield one

    def _makers(self) -> list[str]:
        """The roles of makers, in both languages."""
        people = self._indexes["constituents"]
        roles = Counter(role for one in people if is_maker(one) for role in one.record["roles"])
        return [role for role, _ in roles.most_common()]


def _values(name: str, document: Document, language: str) -> Iterable[str]:
    if name == "fonds":
        return (document.fonds or "",)
    if name == "tags":
        return tags(document)
    if name == "mediums":
        return (document.record["medium"].get(language) or "",)
    values: Any = document.record["classification"][_FIELDS[name]].get(language)
    return values or ()


def _size(required: int | None) -> int:
    return LIMIT["aggregate"] if required is None or required < 0 else required
