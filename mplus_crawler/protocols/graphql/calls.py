"""Requests that carry several operations, and the results by alias in their responses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from mplus_crawler.errors import InvalidResponseError
from mplus_crawler.protocols.graphql.queries import Operation


def request_body(operations: Iterable[Operation]) -> bytes:
    """The body of one request for all *operations*."""
    # Importing it takes as long as a page of records, and every command would wait for it.
    from mplus_crawler.protocols.graphql.composition import compose

    operations = list(operations)
    variables = {
        f"{operation.prefix}{name}": value
        for operation in operations
        for name, value in operation.variables.items()
    }
    return orjson.dumps({"query": compose(operations), "variables": variables})


@dataclass(frozen=True, slots=True)
class Results:
    """Data by alias, and error messages by alias."""

    data: Mapping[str, Any]
    errors: Mapping[str, str]

    def rows(self, alias: str) -> list[dict[str, Any]] | None:
        """The records under *alias*; ``None`` where they failed."""
        rows = self.data.get(alias)
        if alias in self.errors or not isinstance(rows, list):
            return None
        return [row for row in rows if isinstance(row, dict)]


def read_results(body: bytes) -> Results:
    """The results in *body*; raise :class:`InvalidResponseError` where it holds none."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        what = "HTML" if body.lstrip()[:1] == b"<" else f"not valid JSON ({error})"
        raise InvalidResponseError(f"the response is {what}") from None
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        raise InvalidResponseError(first_error(body) or "the response has no data")
    errors: dict[str, str] = {}
    reported = document.get("errors")
    for problem in reported if isinstance(reported, list) else [reported] if reported else []:
        path = problem.get("path") if isinstance(problem, dict) else None
        if not isinstance(path, list) or not path:
            raise InvalidResponseError(first_error(body) or "the response has errors")
        errors.setdefault(str(path[0]), str(problem.get("message")))
    return Results(data, errors)


def first_error(body: bytes) -> str:
    """The message of the first of the ``errors`` in *body*; empty where there is none."""
    try:
        errors = orjson.loads(body)["errors"]
        return str(errors[0]["message"])
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return ""
