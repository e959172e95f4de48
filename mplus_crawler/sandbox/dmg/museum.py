"""The museum's API without the network: a response for every path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

import orjson

from mplus_crawler.sandbox.dmg.data import AgentRow, Collection, ObjectRow
from mplus_crawler.sandbox.dmg.filters import Selector
from mplus_crawler.sandbox.dmg.images import picture
from mplus_crawler.sandbox.dmg.indexes import Indexes, catalogue, description
from mplus_crawler.sandbox.dmg.listing import Listing
from mplus_crawler.sandbox.dmg.query import Query, RefusedError, read_query
from mplus_crawler.sandbox.dmg.records import Records
from mplus_crawler.sandbox.dmg.responses import (
    linked_data,
    page_of_html,
    plain_json,
    validators,
)
from mplus_crawler.sandbox.dmg.retired import retired
from mplus_crawler.sandbox.dmg.routes import (
    COLLECTIONS,
    INDEXES,
    KINDS,
    PRIVATE,
    ROOT,
    Place,
    locate,
)
from mplus_crawler.sandbox.dmg.version1 import Version1
from mplus_crawler.sandbox.facts.dmg import BASE, FACTS, Json, context, iri
from mplus_crawler.sandbox.responses import Response
from mplus_crawler.sandbox.schema_changes import SchemaChanges

_SERVER_ERROR = {"error": "Internal Server Error"}


@dataclass(slots=True)
class Page:
    """One page of a collection before it is serialised, so that faults can change it."""

    head: Json
    query: Query
    total: int
    members: list[bytes]
    view: dict[str, str]
    links: dict[str, str]

    def address(self, number: int) -> str:
        """Return the URL of another page of the same query."""
        return f"{self.head['@id']}?{self.query.link(number)}"

    def respond(self) -> Response:
        """Return the page as a response."""
        view = {"@id": self.view["@id"], "@type": "hydra:PartialCollectionView", **self.view}
        head = orjson.dumps({**self.head, "hydra:totalItems": self.total, "hydra:view": view})
        body = head[:-1] + b',"hydra:member":[' + b",".join(self.members) + b"]}"
        link = ", ".join(f'<{url}>; rel="{rel}"' for rel, url in self.links.items())
        return linked_data(200, body, {"Link": link} if link else {})


class Museum:
    """All responses of the API, for a path and the request's headers."""

    stamp = "prov:generatedAtTime"

    def __init__(self, rows: Collection, schema: SchemaChanges, private_key: str, v1: str) -> None:
        self.base = BASE
        self._rows = rows
        self._records = Records(rows, schema)
        self._selector = Selector(rows)
        self._indexes = Indexes(rows)
        self._private_key = private_key
        self._v1 = v1
        self._version1 = Version1(rows)

    def respond(
        self, place: Place, headers: Mapping[str, str], change: Callable[[Page], None]
    ) -> Response:
        """Return the response; *change* is applied to a page of a collection."""
        try:
            if place.name in COLLECTIONS:
                page = self._page(place, headers)
                change(page)
                return page.respond()
            return self._other(place, headers)
        except RefusedError as refusal:
            return linked_data(refusal.status, refusal.body, refusal.headers)

    def failing(self, place: Place) -> Response:
        """Return the response while the database is down: a 404 for most single records."""
        if place.name == PRIVATE:
            return linked_data(401, {"error": FACTS["message"]["unauthorised"]})
        if place.name in KINDS and place.name != "object":
            return linked_data(404, {"error": f"{place.name.capitalize()} not found"})
        return linked_data(500, _SERVER_ERROR)

    def listing(self, name: str) -> Listing:
        """Return the rows of a collection; call :meth:`forget` after changing them."""
        return self._rows.listings[name]

    def forget(self) -> None:
        """Drop selections and counts, because rows were added or removed."""
        self._selector.forget()
        self._indexes.forget()

    def truth(self) -> Json:
        """Return the content of a perfect harvest of each collection, by canonical id."""
        truth = {name: _truth(listing) for name, listing in self._rows.listings.items()}
        objects = self._rows.listings["objects"]
        fates = {key: self._rows.fate(key) for key in range(objects.numbered)}
        removed = [key for key, fate in fates.items() if fate == "removed"]
        removed += sorted(objects.gone.difference(removed))
        truth["objects"]["removed"] = [_id(objects, key) for key in removed]
        return truth

    def contents(self, name: str) -> dict[str, bytes]:
        """Return the listed records by canonical id."""
        listing = self._rows.listings[name]
        return {_id(listing, key): self._records.full(name, key, True) for key in listing.keys}

    def single(self, name: str, id_: str) -> tuple[int, str | None]:
        """Return the status of a single record, and the canonical id that it redirects to."""
        kind = self._rows.listings[name].kind
        path = f"{FACTS['record'][kind][0]}/{id_.rpartition('/')[2]}"
        response = self.respond(locate(f"{ROOT}{path}"), {}, lambda _: None)
        if response.status != 301:
            return response.status, None
        target = locate(urlsplit(response.headers["Location"]).path)
        return 301, iri(kind, quote(target.pid, safe=""))

    def knows(self, name: str, id_: str) -> bool:
        """Return whether there is such a record, listed or not."""
        return self.single(name, id_)[0] == 200

    def _page(self, place: Place, headers: Mapping[str, str]) -> Page:
        if place.name == PRIVATE:
            self._check_key(place, headers)
        query = read_query(place.name, place.query)
        keys = self._selector.keys(place.name, query)
        start = (query.page - 1) * query.size
        page = self._frame(place.name, query, len(keys))
        page.members = self._members(place.name, query, keys[start : start + query.size])
        return page

    def _check_key(self, place: Place, headers: Mapping[str, str]) -> None:
        key = headers.get("x-api-key") or _last(place.query, "apiKey")
        if key != self._private_key:
            raise RefusedError(401, {"error": FACTS["message"]["unauthorised"]})

    def _members(self, name: str, query: Query, keys: Sequence[int]) -> list[bytes]:
        if not query.is_true("fullRecord"):
            return [orjson.dumps(self._records.stub(name, key, self.base)) for key in keys]
        if not self._rows.listings[name].poison.isdisjoint(keys):
            raise RefusedError(500, _SERVER_ERROR)
        colours = query.is_true("colors")
        return [self._records.full(name, key, colours) for key in keys]

    def _frame(self, name: str, query: Query, total: int) -> Page:
        facts = FACTS["collection"][name]
        head = {
            "@context": context(*facts["context"]),
            "@id": f"{self.base}{facts['path']}",
            "@type": "hydra:Collection",
        }
        page = Page(head, query, total, [], {}, {})
        unknown = total == 0 and "conceptSearch" in query.values
        numbers = {"first": 1, "last": 1 if unknown else -(-total // query.size)}
        if query.page > 1:
            numbers["prev"] = query.page - 1
        if query.page < numbers["last"]:
            numbers["next"] = query.page + 1
        links = {rel: page.address(number) for rel, number in numbers.items()}
        page.view["@id"] = page.address(query.page)
        page.view |= {
            f"hydra:{'previous' if rel == 'prev' else rel}": u for rel, u in links.items()
        }
        page.links = {} if unknown else links
        return page

    def _other(self, place: Place, headers: Mapping[str, str]) -> Response:
        match place.name:
            case "catalogue":
                return linked_data(200, catalogue(self.base))
            case "description":
                return plain_json(200, description(self.base))
            case "v1" if self._v1 == "gone":
                return retired(headers.get("Accept", "*/*"))
            case "v1" if self._v1 == "live":
                return self._version1.respond(place)
            case "image":
                return picture(self._rows, place.path)
            case "undecodable":
                return page_of_html(400, f"URIError: Failed to decode param '{place.pid}'")
            case name if name in INDEXES:
                return linked_data(200, self._indexes.respond(name, place.query, self.base))
            case name if name in KINDS:
                return self._record(place)
        return page_of_html(404, f"Cannot GET {place.target.partition('?')[0]}")

    def _record(self, place: Place) -> Response:
        name = f"{place.name}s"
        listing = self._rows.listings[name]
        key = listing.find(place.pid)
        if name == "objects":
            self._check_fate(listing, place.pid, key)
        if key is None:
            raise RefusedError(404, {"error": f"{place.name.capitalize()} not found"})
        if key in listing.poison or (name == "exhibitions" and key in listing.bare):
            error = {"error": f"Error fetching {place.name} data"}
            raise RefusedError(500, _SERVER_ERROR if name == "objects" else error)
        row = self._rows.row(listing.kind, key)
        dated = isinstance(row, ObjectRow | AgentRow)
        headers = validators(row.pid, row.modified) if dated else {}
        colours = _last(place.query, "colors") == "true"
        return linked_data(200, self._records.full(name, key, colours), headers)

    def _check_fate(self, listing: Listing, pid: str, key: int | None) -> None:
        if pid in listing.former:
            raise self._moved(listing.pid(listing.former[pid]))
        fate = None if key is None else self._rows.fate(key)
        if pid == "REMOVED" or fate == "removed" or key in listing.gone:
            raise RefusedError(410, {"error": FACTS["message"]["removed"]})
        if fate == "unhealthy":
            raise self._moved("UNHEALTHY")
        if key in listing.merged:
            raise self._moved(listing.pid(listing.merged[key]))

    def _moved(self, pid: str) -> RefusedError:
        address = iri("object", pid, self.base)
        message = f"This object has been merged into {pid}."
        body = {"message": message, "resolved": address}
        return RefusedError(301, body, {"Location": quote(address, safe="%/:?#[]@!$&'()*+,;=")})


def _last(query_string: str, name: str) -> str:
    return parse_qs(query_string).get(name, [""])[-1]


def _id(listing: Listing, key: int) -> str:
    return iri(listing.kind, quote(listing.pid(key), safe=""))


def _truth(listing: Listing) -> Json:
    def ids(keys: Iterable[int]) -> list[str]:
        return sorted(_id(listing, key) for key in keys)

    listed = set(listing.keys)
    return {
        "total": len(listing.keys),
        "ids": ids(listing.keys),
        "invalid": ids(listed & listing.invalid.keys()),
        # Rows without linked data have no @id; exhibitions have one, and no @type.
        "null": ids(listed & listing.bare if listing.kind != "exhibition" else ()),
        "untyped": ids(listed & listing.bare if listing.kind == "exhibition" else ()),
        "poison": ids(listed & listing.poison),
        "merged": ids(listed & listing.merged.keys()),
    }
