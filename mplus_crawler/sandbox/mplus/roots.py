"""The root queries: from arguments to searches, and from hits to records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mplus_crawler.sandbox.facts.mplus import ENGLISH, FACTS, LIMIT, MESSAGE, Json
from mplus_crawler.sandbox.mplus.aggregates import Aggregates
from mplus_crawler.sandbox.mplus.cache import Cache
from mplus_crawler.sandbox.mplus.data import Document
from mplus_crawler.sandbox.mplus.execution import UNFIT
from mplus_crawler.sandbox.mplus.faults import Faults
from mplus_crawler.sandbox.mplus.search import Backend, Body, Clause, Hits
from mplus_crawler.sandbox.mplus.views import ResolverError, constituents_of, view
from mplus_crawler.sandbox.schema_changes import SchemaChanges

_PUBLIC: Clause = ("publicAccess", True)
# Arguments that become clauses, in the order of the body.
_CLAUSES: Mapping[str, tuple[str, ...]] = {
    "objects": (
        *("id", "ids", "publicAccess", "objectNumber", "category", "area", "archivalLevel"),
        *("fonds", "title", "displayDate", "beginDate", "endDate", "medium", "tags"),
        *("constituents", "exhibition", "keyword", "slug"),
    ),
    "constituents": (
        *("id", "ids", "publicAccess", "name", "role", "gender", "beginDate", "endDate"),
        *("nationality", "keyword", "isMaker", "slug"),
    ),
    "exhibitions": ("id", "ids", "type", "title", "keyword"),
}
# Roots whose bodies are equal; those of exhibitions have no clause of public access.
_MIXED_UP_WITH = {"objects": "constituents", "constituents": "objects"}
_IN_A_LANGUAGE = ("title", "medium", "area", "category", "alphaSortName")
# What a failing storage leaves out.
_STORED = ("images", "color")
_OF_OBJECTS = ("category", "area", "medium")


@dataclass(slots=True)
class Call:
    """One call: its number, the seconds its slowest search hangs, and its writes."""

    number: int
    wait: float = 0.0
    writes: int = 0


class Roots:
    """Resolvers of all root queries."""

    def __init__(
        self,
        backend: Backend,
        counts: Aggregates,
        cache: Cache,
        faults: Faults,
        schema: SchemaChanges,
    ) -> None:
        self._backend = backend
        self._schema = schema
        self._counts = counts
        self._cache = cache
        self._faults = faults

    def resolve(self, name: str, arguments: Json, call: Call) -> Any:
        """The value of a root: records, a record or None; raise ResolverError on failure."""
        if name in ("objects", "constituents", "exhibitions"):
            return self._list(name, arguments, call)
        if name in _SINGLE:
            return _SINGLE[name](self, arguments, call)
        return self._aggregate(name, arguments, call)

    def _list(self, index: str, given: Json, call: Call) -> list[Json]:
        page = _number(given, "page", 0)
        body = Body(
            page, _number(given, "per_page", FACTS["per_page"][index]), *_query(index, given)
        )
        return self._records(index, index, body, given["lang"], call)

    def _object(self, given: Json, call: Call) -> Json | None:
        found = self._one("object", "objects", given, call)
        call.writes += found is not None
        return found

    def _constituent(self, given: Json, call: Call) -> Json | None:
        own = {name: value for name, value in given.items() if name not in _OF_OBJECTS}
        found = self._one("constituent", "constituents", own, call)
        if found is None:
            return None
        return found | {"objects": self._objects_of("constituent", given, found["id"], call)}

    def _exhibition(self, given: Json, call: Call) -> Json | None:
        found = self._one(
            "exhibition", "exhibitions", {"id": given["id"], "lang": given["lang"]}, call
        )
        if found is None:
            return None
        return found | {"objects": self._objects_of("exhibition", given, found["id"], call)}

    def _one(self, root: str, index: str, given: Json, call: Call) -> Json | None:
        body = Body(0, FACTS["per_page"]["objects"], *_query(index, given))
        found = self._records(root, index, body, given["lang"], call)
        return found[0] if found else None

    def _objects_of(self, root: str, given: Json, id_: int, call: Call) -> list[Json]:
        link = {"constituents": [id_]} if root == "constituent" else {"exhibition": id_}
        wanted = {name: given[name] for name in _OF_OBJECTS if name in given} | link
        size = _number(given, "per_page", FACTS["per_page"][root])
        body = Body(_number(given, "page", 0), size, *_query("objects", wanted))
        return self._records(root, "objects", body, given["lang"], call)

    def _records(self, root: str, index: str, body: Body, lang: str, call: Call) -> list[Json]:
        hits = self._search(root, index, body, call)
        if hits is None or not hits.documents:
            return []
        people = self._nested(root, hits.documents, call) if index == "objects" else []
        rows = self.views(index, hits.documents, people, lang)
        if self._faults.of_search("thin", root, body.page or 0):
            rows = [row | {name: None for name in _STORED if name in row} for row in rows]
        rows[0] = rows[0] | {"_sys": {"pagination": _pagination(body, hits.total)}}
        return rows

    def views(
        self, index: str, documents: Sequence[Document], people: Iterable[Document], lang: str
    ) -> list[Json]:
        """Documents as records; those of objects nest their constituents out of *people*."""
        rows = [view(document, index, lang) for document in documents]
        if index == "objects":
            known = {document.id: document for document in people}
            nested = [constituents_of(document, known, lang) or None for document in documents]
            rows = [row | {"constituents": n} for row, n in zip(rows, nested, strict=True)]
        return self._schema.applied(f"mplus_{index}", rows)

    def _nested(self, root: str, documents: Sequence[Document], call: Call) -> list[Document]:
        """The constituents of all objects of a page, from one look-up of at most 200."""
        ids = sorted({id_ for document in documents for id_ in document.links})
        body = Body(0, LIMIT["nested"], (_PUBLIC, ("ids", tuple(ids))))
        hits = self._search(root, "constituents", body, call, "nested") if ids else None
        return hits.documents if hits else []

    def _search(
        self, root: str, index: str, body: Body, call: Call, kind: str = "backend"
    ) -> Hits | None:
        """The hits from the cache or the backend; failures are cached, too."""
        kept = self._cache.get(body, call.number) if _is_cached(index, body) else None
        if kept is not None:
            found: Hits | None = kept[0]
            return found
        page = body.page or 0
        if failure := self._faults.of_search(kind, root, page):
            call.wait = max(call.wait, failure.options["seconds"])
            hits = None
        else:
            if kind == "backend" and self._faults.of_search("crosstalk", root, page):
                index = _MIXED_UP_WITH.get(index, index)
            hits = self._backend.search(index, body, kind == "backend" and root == index)
        if hits and kind == "backend" and self._faults.of_search("total", root, page):
            hits = Hits(hits.documents, None)
        if _is_cached(index, body):
            self._cache.put(body, call.number, hits)
        return hits

    def _aggregate(self, name: str, given: Json, call: Call) -> list[Json]:
        key = (name, *sorted((k, _frozen(v)) for k, v in given.items() if k != "page"))
        kept = self._cache.get(key, call.number)
        if kept is None:
            failure = self._faults.of_search("backend", name, 0)
            call.wait = max(call.wait, failure.options["seconds"] if failure else 0)
            kept = (None if failure else self._counts.rows(name, given),)
            self._cache.put(key, call.number, kept[0])
        if kept[0] is None:
            raise ResolverError(MESSAGE["failed_aggregate"])
        found: list[Json] = kept[0]
        return found


_SINGLE: Mapping[str, Callable[[Roots, Json, Call], Any]] = {
    "hello": lambda *_: "world",
    "object": Roots._object,
    "constituent": Roots._constituent,
    "exhibition": Roots._exhibition,
}


def _number(given: Json, name: str, default: int) -> int | None:
    """A number as M+'s code reads it: negative ones are the default, null is None."""
    value: int | None = given.get(name, default)
    return default if value is not None and value < 0 else value


def _query(index: str, given: Json) -> tuple[tuple[Clause, ...], tuple[str, str, str]]:
    """The clauses and the sort of a body."""
    given = dict(given)
    if given.get("constituent") is not None:
        given["constituents"] = [given["constituent"]]
    clauses = [(n, _frozen(given[n])) for n in _CLAUSES[index] if given.get(n) is not None]
    if index == "objects":
        clauses += _colours(given)
    if index != "exhibitions":
        clauses.insert(0, _PUBLIC)
    return tuple(clauses), _sort(index, given)


def _colours(given: Json) -> list[Clause]:
    clauses: list[Clause] = []
    if given.get("color") is not None:
        wanted = given["color"], given["color_threshold"] or 0, given["color_source"]
        clauses.append(("color", wanted))
    if given.get("hue") is not None:
        if given.get("luminosity") is None or given.get("saturation") is None:
            raise ResolverError(MESSAGE["hue_alone"])
        ranges = (_frozen(given[name]) for name in ("hue", "luminosity", "saturation"))
        clauses.append(("hue", (*ranges, (given["hsl_range"] or 0,))))
    return clauses


def _sort(index: str, given: Json) -> tuple[str, str, str]:
    """The sort of a body: relevance, a field, or the id unless both arguments are given."""
    field, order = given.get("sort_field", ""), given.get("sort")
    if field is None:
        raise ResolverError(MESSAGE["null_sort_field"])
    if given.get("keyword"):
        return "score", "desc", ENGLISH
    if given.get("shuffle"):
        return "shuffle", given.get("shuffleSeed") or "", ENGLISH
    if not field or not order or field in FACTS["sort"][index]["ignored"]:
        return "id", "asc", ENGLISH
    return field, order.lower(), given["lang"] if field in _IN_A_LANGUAGE else ENGLISH


def _pagination(body: Body, total: int | None) -> Json:
    size = body.size or 0
    last = None if total is None else -(-total // size) - 1
    found = UNFIT if total is None else total
    return {"page": body.page, "perPage": size, "total": found, "maxPage": last}


def _is_cached(index: str, body: Body) -> bool:
    if any(name in FACTS["cache"]["never"] for name, _ in body.clauses):
        return False
    return len(body.clauses) <= int(FACTS["cache"]["clauses"][index])


def _frozen(value: Any) -> Any:
    """A value as part of a cache key, without nulls in lists."""
    if isinstance(value, list):
        return tuple(one for one in value if one is not None)
    return value
