"""A museum that answers GraphQL as M+ does: errors swallowed, failures cached, roots mixed up.

It serves what a test hands it; faults are by the number of the call, counted from 1.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any

from graphql import build_schema, graphql_sync

from tests.wire import Answer

SCHEMA = build_schema("""
type Pagination { page: Int perPage: Int total: Int maxPage: Int }
type Sys { pagination: Pagination }
type Classification { area: [String] category: [String] archivalLevel: [String] }
type Dimension { unit: String element: String rank: String width: Float height: Float depth: Float }
type LevelTwoConstituent {
  id: Int slug: String publicAccess: Boolean name: String nameOther: String alphaSortName: String
  type: String role: String roles: [String] isMaker: Boolean isMakerOfObject: Boolean
  displayBio: String gender: String beginDate: Int endDate: Int nationality: String
  objectCountPublic: Int
}
type LevelThreeConstituent {
  id: Int slug: String publicAccess: Boolean name: String nameOther: String alphaSortName: String
  type: String roles: [String] isMaker: Boolean displayBio: String gender: String beginDate: Int
  endDate: Int nationality: String objectCountPublic: Int _sys: Sys
}
type Image { altText: String }
type Colour { color: String value: Float }
type Search { google: [Colour] cloudinary: [Colour] }
type ColorInfo { predominant: [Colour] search: Search }
type LevelOneObject {
  id: Int slug: String sortNumber: String publicAccess: Boolean objectNumber: String
  classification: Classification title: String titleOther: String displayDate: String
  displayDateOther: String beginDate: Int endDate: Int dimension: String
  dimensionDetails: [Dimension] fonds: String medium: String creditLine: String
  constituents: [LevelTwoConstituent] images: [Image] color: ColorInfo archivalLevelSlugs: String
  areasSlugs: String categorySlugs: String mediumSlug: String objectNumberSlug: String
  titleSlug: String _sys: Sys
}
type Venue { title: String beginDate: String endDate: String }
type LevelThreeExhibition {
  id: Int beginDate: String endDate: String venues: [Venue] artInt: Int _sys: Sys
}
type Term { title: String count: Int }
type Query {
  hello: String
  objects(page: Int, per_page: Int, ids: [Int], lang: String = "en", sort: String,
    sort_field: String, publicAccess: Boolean, category: [String], area: [String],
    archivalLevel: [String]): [LevelOneObject]
  constituents(page: Int, per_page: Int, lang: String = "en", sort: String, sort_field: String,
    ids: [Int], publicAccess: Boolean): [LevelThreeConstituent]
  exhibitions(page: Int, per_page: Int = 500, ids: [Int], lang: String = "en", sort: String,
    sort_field: String): [LevelThreeExhibition]
  areas(per_page: Int, lang: String = "en"): [Term]
  categories(per_page: Int, lang: String = "en"): [Term]
  mediums(per_page: Int, lang: String = "en"): [Term]
  archivalLevels(per_page: Int, lang: String = "en"): [Term]
  fonds(per_page: Int, lang: String = "en"): [Term]
  tags(per_page: Int, lang: String = "en"): [Term]
  makertypes(lang: String = "en"): [Term]
}
""")

_BY_LANGUAGE = ("title", "displayDate", "dimension", "medium", "creditLine")
_OF_PEOPLE = ("name", "alphaSortName", "displayBio", "gender", "nationality")


def told(value: Any, language: str) -> Any:
    """What the API makes of a field: its own language, else English, with no mark."""
    if not isinstance(value, Mapping) or not value:
        return value
    return value.get(language, value.get("en", next(iter(value.values()))))


@dataclass
class Museum:
    """Records of the published data set by index, as the search backend holds them."""

    objects: list[dict[str, Any]]
    constituents: list[dict[str, Any]] = field(default_factory=list)
    exhibitions: list[dict[str, Any]] = field(default_factory=list)
    window: int = 10_000
    nested: int = 200
    failing: set[int] = field(default_factory=set)
    poor: set[int] = field(default_factory=set)
    poison: set[int] = field(default_factory=set)
    changes: dict[int, Any] = field(default_factory=dict)
    gate: Any = None
    calls: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    searches: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    sessions: int = 0
    cache: dict[str, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def answer(self, body: bytes, headers: dict[str, str]) -> Answer:
        with self.lock:
            self.times.append(monotonic())
            self.headers.append(headers)
            number = len(self.times)
            session = []
            if "connect.sid" not in headers.get("cookie", ""):
                self.sessions += 1
                session = [("Set-Cookie", f"connect.sid=s{self.sessions}; Path=/; HttpOnly")]
            if self.gate and (refused := self.gate(number)):
                return refused
            call = json.loads(body)
            self.calls.append(call)
            if change := self.changes.get(number):
                change(self)
            result = graphql_sync(
                SCHEMA, call["query"], _Root(self, number), variable_values=call.get("variables")
            )
            status = 400 if result.data is None else 200
            return (
                status,
                [("Content-Type", "application/json"), *session],
                json.dumps(result.formatted).encode(),
            )

    def search(self, index: str, number: int, body: dict[str, Any], *, inner: bool) -> list[Any]:
        """Rows and total; the cache knows the body alone, whatever the index."""
        key = json.dumps(body)
        if key not in self.cache:
            self.searches.append((index, body))
            failed = number in (self.poor if inner else self.failing)
            self.cache[key] = [[], None] if failed else self.found(index, body)
        return json.loads(json.dumps(self.cache[key]))

    def found(self, index: str, body: dict[str, Any]) -> list[Any]:
        if body["from"] + body["size"] > self.window:
            return [[], None]
        rows = [r for r in getattr(self, index) if body["ids"] is None or r["id"] in body["ids"]]
        rows.sort(key=lambda row: row["id"], reverse=body["sort"] == "desc")
        return [rows[body["from"] : body["from"] + body["size"]], len(rows) or None]


class _Root:
    """The resolvers."""

    def __init__(self, museum: Museum, number: int) -> None:
        self._museum, self._number = museum, number

    def _page(self, index: str, given: dict[str, Any]) -> list[dict[str, Any]]:
        size, page = given.get("per_page", 50), given.get("page", 0)
        sort = given["sort"] if given.get("sort_field") == "id" and "sort" in given else "asc"
        filters = {k: v for k, v in given.items() if k in ("publicAccess", "area", "category")}
        body = {"from": page * size, "size": size, "sort": sort, "ids": given.get("ids"), **filters}
        rows, total = self._museum.search(index, self._number, body, inner=False)
        if any(row["id"] in self._museum.poison for row in rows) and index == "objects":
            raise ValueError('"undefined" is not valid JSON')
        if rows:
            rows[0]["_sys"] = {"pagination": {"page": page, "perPage": size, "total": total}}
        return rows

    def objects(self, info: object, lang: str, **given: Any) -> list[dict[str, Any]]:
        rows = self._page("objects", given)
        ids = list(dict.fromkeys(p["id"] for row in rows for p in row.get("constituents") or []))
        body = {"from": 0, "size": self._museum.nested, "sort": "asc", "ids": ids}
        found: list[Any] = []
        if ids:
            found, _ = self._museum.search("constituents", self._number, body, inner=True)
        people = {person["id"]: self._person(person, lang) for person in found}
        for row in rows:
            other = "en" if lang != "en" else "zh-hant"
            for name in ("title", "displayDate"):
                value = row.get(name) or {}
                row[f"{name}Other"] = (
                    value.get(other) if told(value, lang) != value.get(other) else None
                )
            for name in _BY_LANGUAGE:
                row[name] = told(row.get(name), lang)
            levels = row.get("classification") or {}
            row["classification"] = {name: told(value, lang) for name, value in levels.items()}
            row["slug"] = f"object-{row['id']}"
            row["dimensionDetails"] = [d] if (d := row.get("dimensionDetails")) else None
            row["constituents"] = [
                {**people[p["id"]], "role": told(p["role"], lang), "isMakerOfObject": True}
                for p in row.get("constituents") or []
                if p["id"] in people
            ] or None
        return rows

    def constituents(self, info: object, lang: str, **given: Any) -> list[dict[str, Any]]:
        return [self._person(row, lang) for row in self._page("constituents", given)]

    def exhibitions(self, info: object, lang: str, **given: Any) -> list[dict[str, Any]]:
        rows = self._page("exhibitions", given)
        return rows if lang == "en" else [{**row, "venues": None} for row in rows]

    def _person(self, row: dict[str, Any], lang: str) -> dict[str, Any]:
        return {**row, **{name: told(row.get(name), lang) for name in _OF_PEOPLE}}

    def _terms(self, name: str, lang: str) -> list[dict[str, Any]]:
        if self._number in self._museum.failing:
            raise ValueError("Cannot read properties of undefined (reading 'results')")
        return [{"title": f"{name} {lang} {place}", "count": place} for place in range(3)]

    def areas(self, info: object, lang: str, **_: Any) -> list[dict[str, Any]]:
        return self._terms("area", lang)

    def categories(self, info: object, lang: str, **_: Any) -> list[dict[str, Any]]:
        return self._terms("category", lang)

    def mediums(self, info: object, lang: str, **_: Any) -> list[dict[str, Any]]:
        return self._terms("medium", lang)

    def archivalLevels(self, info: object, lang: str, **_: Any) -> list[dict[str, Any]]:  # noqa: N802
        return self._terms("level", lang)

    def fonds(self, info: object, lang: str, **_: Any) -> list[dict[str, Any]]:
        return self._terms("CA", "")

    def tags(self, info: object, lang: str, **_: Any) -> list[dict[str, Any]]:
        return []

    def makertypes(self, info: object, lang: str, **_: Any) -> list[dict[str, Any]]:
        return [{"title": "Artist"}, {"title": "藝術家"}]


@contextmanager
def opened(museum: Museum) -> Iterator[Museum]:
    """*museum* on loopback, at ``museum.url``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answered, content = museum.answer(body, headers)
            self.send_response(status)
            for name, value in answered:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        museum.url = f"http://127.0.0.1:{server.server_address[1]}/graphql"
        yield museum
        server.shutdown()
