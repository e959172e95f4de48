"""M+ without the network: the response to every call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from mplus_crawler.sandbox.facts.mplus import CHINESE, ENGLISH, FACTS, MESSAGE, Json
from mplus_crawler.sandbox.mplus.aggregates import Aggregates
from mplus_crawler.sandbox.mplus.cache import Cache
from mplus_crawler.sandbox.mplus.calls import CallRequest, UnreadableCallError, read_call
from mplus_crawler.sandbox.mplus.data import Collection, Document
from mplus_crawler.sandbox.mplus.execution import Operation
from mplus_crawler.sandbox.mplus.faults import Faults
from mplus_crawler.sandbox.mplus.roots import Call, Roots
from mplus_crawler.sandbox.mplus.schema import RefusedError
from mplus_crawler.sandbox.mplus.search import Backend
from mplus_crawler.sandbox.options import Options
from mplus_crawler.sandbox.responses import JSON, Response, error_page, tagged

_HEADERS: dict[str, str] = FACTS["headers"]
_MAY_FALL_BACK = {
    "objects": ("displayDate", "dimension", "medium", "creditLine"),
    "constituents": ("name", "alphaSortName", "displayBio", "gender", "nationality"),
}


class Museum:
    """The API over one collection."""

    def __init__(self, options: Options) -> None:
        self.collection = Collection(options.mplus_data)
        self.faults = Faults(self.collection, options.seed, options.mplus_faults)
        self.cache = Cache(options.mplus_cache)
        self._backend = Backend(self.collection, options.mplus_window)
        counts = Aggregates(self.collection)
        self._roots = Roots(self._backend, counts, self.cache, self.faults)

    def operation(self, asked: CallRequest) -> Operation | Response:
        """The operation of a request, or the error response."""
        if asked.method not in ("GET", "HEAD", "POST"):
            response = _errors(405, [{"message": MESSAGE["method"]}])
            response.headers["Allow"] = "GET, POST"
            return response
        try:
            return Operation(*read_call(asked))
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
