"""M+ without the network: the response to every call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from mplus_crawler.sandbox.facts.mplus import (
    CHINESE,
    ENGLISH,
    FACTS,
    LANGUAGES,
    MESSAGE,
    Json,
)
from mplus_crawler.sandbox.mplus.aggregates import Aggregates
from mplus_crawler.sandbox.mplus.cache import Cache
from mplus_crawler.sandbox.mplus.calls import CallRequest, UnreadableCallError, read_call
from mplus_crawler.sandbox.mplus.data import Collection, Document
from mplus_crawler.sandbox.mplus.days import age
from mplus_crawler.sandbox.mplus.execution import Operation
from mplus_crawler.sandbox.mplus.faults import Faults
from mplus_crawler.sandbox.mplus.roots import Call, Roots
from mplus_crawler.sandbox.mplus.schema import RefusedError
from mplus_crawler.sandbox.mplus.search import Backend
from mplus_crawler.sandbox.options import Options
from mplus_crawler.sandbox.responses import JSON, Response, error_page, tagged
from mplus_crawler.sandbox.schema_changes import SchemaChanges

_HEADERS: dict[str, str] = FACTS["headers"]
_MAY_FALL_BACK = {
    "objects": ("displayDate", "dimension", "medium", "creditLine"),
    "constituents": ("name", "alphaSortName", "displayBio", "gender", "nationality"),
}


class Museum:
    """The API over one collection."""

    stamp = ""  # M+'s API doesn't say when a record was changed

    def __init__(self, options: Options, faults: Faults | None = None) -> None:
        self.collection = Collection(options.mplus_data)
        age(self.collection, options.day, options.seed)
        if faults:
            faults.follow(self.collection)
        self.faults = faults or Faults(self.collection, options.seed, options.mplus_faults)
        self._schema = SchemaChanges(options.schema_changes, options.day)
        self.cache = Cache(options.mplus_cache)
        self._backend = Backend(self.collection, options.mplus_window)
        counts = Aggregates(self.collection)
        self._roots = Roots(self._backend, counts, self.cache, self.faults, self._schema)

    def operation(self, request: CallRequest) -> Operation | Response:
        """The operation of a request, or the error response."""
        if request.method not in ("GET", "HEAD", "POST"):
            response = _errors(405, [{"message": MESSAGE["method"]}])
            response.headers["Allow"] = "GET, POST"
            return response
        try:
            return Operation(*read_call(request))
        except UnreadableCallError as problem:
            return error_page(problem.status, problem.text, "default-src 'self'")
        except RefusedError as refusal:
            return _errors(refusal.status, refusal.errors)

    def execute(self, operation: Operation, call: Call) -> Response:
        """The API's response; errors of resolvers don't change its status."""
        body = operation.execute(lambda name, given: self._roots.resolve(name, given, call))
        return _json(200, body)

    def forget(self) -> None:
        """Reload the collection after a change of records; the cache stays."""
        self._backend.forget()

    def truth(self) -> Json:
        """The contents of a perfect harvest: ids, and texts in the other language."""
        return {index: self._truth(index) for index in self.collection.indexes}

    def contents(self, index: str) -> dict[int, bytes]:
        """Return the public records in both languages by id."""
        documents, people = self.collection.public(index), self.collection.public("constituents")
        languages = [self._roots.views(index, documents, people, one) for one in LANGUAGES]
        return {one["id"]: orjson.dumps([one, two]) for one, two in zip(*languages, strict=True)}

    def single(self, index: str, id_: int) -> tuple[int, int | None]:
        """Return 200 for a public record, else 404, and the id that has its object number now."""
        found = self._document(index, id_)
        if found and found.public:
            return 200, None
        return 404, found.successor if found else None

    def knows(self, index: str, id_: int) -> bool:
        """Return whether there is such a record, public or not."""
        return self._document(index, id_) is not None

    def _document(self, index: str, id_: int) -> Document | None:
        return next((one for one in self.collection.indexes[index] if one.id == id_), None)

    def _truth(self, index: str) -> Json:
        documents = self.collection.public(index)
        hidden = [one.id for one in self.collection.indexes[index] if not one.public]
        return {
            "total": len(documents),
            "ids": _ids(documents),
            "hidden": hidden,
            "poison": _ids(one for one in documents if one.poison),
            "english_for_chinese": _fallbacks(documents, index, CHINESE, ENGLISH),
            "chinese_for_english": _fallbacks(documents, index, ENGLISH, CHINESE),
        }


def refused(status: int, message: str) -> Response:
    """An error response from in front of the API."""
    return _errors(status, [{"message": message}])


def _fallbacks(documents: Iterable[Document], index: str, missing: str, there: str) -> Json:
    """Ids of records by field whose text exists in one language only."""
    documents = list(documents)
    found: Json = {}
    for name in _MAY_FALL_BACK.get(index, ()):
        texts = ((one.id, one.record[name]) for one in documents)
        ids = [id_ for id_, text in texts if text[missing] is None and text[there] is not None]
        if ids:
            found[name] = ids
    return found


def _ids(documents: Iterable[Document]) -> list[int]:
    return [document.id for document in documents]


def _errors(status: int, errors: list[Any]) -> Response:
    return _json(status, {"errors": errors})


def _json(status: int, body: Json) -> Response:
    content = orjson.dumps(body)
    return tagged(Response(status, content, {"Content-Type": JSON, **_HEADERS}))
