"""Calls: several operations in one request, and what each of their aliases has brought."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from mplus_crawler.errors import InvalidResponseError
from mplus_crawler.protocols.graphql.questions import Operation


def call(operations: Iterable[Operation]) -> bytes:
    """The body of one request for all *operations*; their aliases and variables get a prefix."""
    # Its import takes as long as a page of records, and every command would wait for it.
    from mplus_crawler.protocols.graphql.composition import compose

    operations = list(operations)
    variables = {
        f"{operation.prefix}{name}": value
        for operation in operations
        for name, value in operation.variables.items()
    }
    return orjson.dumps({"query": compose(operations), "variables": variables})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came, by alias; the aliases that failed, with the words for it."""

    data: Mapping[str, Any]
    errors: Mapping[str, str]

    def rows(self, alias: str) -> list[dict[str, Any]] | None:
        """The records under *alias*; ``None`` where they failed."""
        rows = self.data.get(alias)
        if alias in self.errors or not isinstance(rows, list):
            return None
        return [row for row in rows if isinstance(row, dict)]


def read_answer(body: bytes) -> Answer:
    """The answer in *body*; raises :class:`InvalidResponseError` where it is none."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        what = "HTML" if body.lstrip()[:1] == b"<" else f"no whole JSON ({error})"
        raise InvalidResponseError(f"the answer is {what}") from None
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        said = first_error(body) or "the answer has no data"
        raise InvalidResponseError(said)
    errors: dict[str, str] = {}
    told = document.get("errors")
    for fault in told if isinstance(told, list) else [told] if told else []:
        path = fault.get("path") if isinstance(fault, dict) else None
        if not isinstance(path, list) or not path:
            raise InvalidResponseError(first_error(body) or "the answer has errors")
        errors.setdefault(str(path[0]), str(fault.get("message")))
    return Answer(data, errors)


def first_error(body: bytes) -> str:
    """The message of the first of the ``errors`` in *body*; empty where there is none."""
    try:
        errors = orjson.loads(body)["errors"]
        return str(errors[0]["message"])
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return ""
