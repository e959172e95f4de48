"""M+ behind its API: the answer to every call, without any network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from mplus_crawler.sandbox.answers import JSON, Answer, error_page, tagged
from mplus_crawler.sandbox.facts.mplus import CHINESE, ENGLISH, FACTS, MESSAGE, Json
from mplus_crawler.sandbox.mplus.aggregates import Aggregates
from mplus_crawler.sandbox.mplus.cache import Cache
from mplus_crawler.sandbox.mplus.calls import Asked, UnreadableCallError, read_call
from mplus_crawler.sandbox.mplus.data import Collection, Document
from mplus_crawler.sandbox.mplus.execution import Operation
from mplus_crawler.sandbox.mplus.faults import Faults
from mplus_crawler.sandbox.mplus.roots import Call, Roots
from mplus_crawler.sandbox.mplus.schema import RefusedError
from mplus_crawler.sandbox.mplus.search import Backend
from mplus_crawler.sandbox.options import Options

_HEADERS: dict[str, str] = FACTS["headers"]
_FALLING_BACK = {
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

    def operation(self, asked: Asked) -> Operation | Answer:
        """What a request wants to be executed, or why it can't be."""
        if asked.method not in ("GET", "HEAD", "POST"):
            answer = _errors(405, [{"message": MESSAGE["method"]}])
            answer.headers["Allow"] = "GET, POST"
            return answer
        try:
            return Operation(*read_call(asked))
        except UnreadableCallError as problem:
            return error_page(problem.status, problem.text, "default-src 'self'")
        except RefusedError as refusal:
            return _errors(refusal.status, refusal.errors)

    def execute(self, operation: Operation, call: Call) -> Answer:
        """The answer of the API; errors of resolvers don't change its status."""
        body = operation.execute(lambda name, given: self._roots.resolve(name, given, call))
        return _json(200, body)

    def forget(self) -> None:
        """Read the collection anew, because records came or went; the cache goes on."""
        self._backend.forget()

    def truth(self) -> Json:
        """What a perfect harvest holds: ids, and where a language stands in for the other."""
        return {index: self._truth(index) for index in self.collection.indexes}

    def _truth(self, index: str) -> Json:
        documents = self.collection.public(index)
        hidden = [one.id for one in self.collection.indexes[index] if not one.public]
        return {
            "total": len(documents),
            "ids": _ids(documents),
            "hidden": hidden,
            "poison": _ids(one for one in documents if one.poison),
            "english_for_chinese": _standing_in(documents, index, CHINESE, ENGLISH),
            "chinese_for_english": _standing_in(documents, index, ENGLISH, CHINESE),
        }


def refused(status: int, message: str) -> Answer:
    """An answer from in front of the API."""
    return _errors(status, [{"message": message}])


def _standing_in(documents: Iterable[Document], index: str, missing: str, there: str) -> Json:
    """Fields that have a text in one language only, and in which records."""
    documents = list(documents)
    found: Json = {}
    for name in _FALLING_BACK.get(index, ()):
        texts = ((one.id, one.record[name]) for one in documents)
        ids = [id_ for id_, text in texts if text[missing] is None and text[there] is not None]
        if ids:
            found[name] = ids
    return found


def _ids(documents: Iterable[Document]) -> list[int]:
    return [document.id for document in documents]


def _errors(status: int, errors: list[Any]) -> Answer:
    return _json(status, {"errors": errors})


def _json(status: int, body: Json) -> Answer:
    content = orjson.dumps(body)
    return tagged(Answer(status, content, {"Content-Type": JSON, **_HEADERS}))
