"""Requests that carry several operations, and the results by alias in their responses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from mplus_crawler.errors import InvalidResponseError, UnreadableResponseError, one_line
from mplus_crawler.protocols.graphql.queries import Operation
from mplus_crawler.protocols.source import SourceRecord, parse

# Values, as commas count them, of a record in one language, and of a response beside its records.
# M+'s records have 90 on average.
_VALUES_PER_ROW = 500
_VALUES = 10_000
# Python parses no integer of more than 4,300 digits: such an id is read as a text.
_LONG_NUMBER = re.compile(rb'(?<![\d."eE+-])-?\d{4300,}(?![\d.eE])')
_LONG_DIGITS = b"0" * 4300
_DIGITS = bytes(48 if 48 <= byte <= 57 else 32 for byte in range(256))


class _Error(msgspec.Struct):
    message: Any


class _Errors(msgspec.Struct):
    errors: list[_Error]


_ERRORS = msgspec.json.Decoder(_Errors)


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

    data: SourceRecord
    errors: Mapping[str, str]

    def rows(self, alias: str) -> list[SourceRecord] | None:
        """The records under *alias* with their source bytes; ``None`` where they failed."""
        if alias in self.errors or not isinstance(self.data.get(alias), list):
            return None
        return [row for row in self.data.part(alias) if isinstance(row, SourceRecord)]


def read_results(body: bytes, rows: int) -> Results:
    """The results in *body*, of which at most *rows* records were requested.

    Raise :class:`InvalidResponseError` where it holds none, or far too many values to be parsed.
    """
    values = body.count(b",")
    if values > _VALUES_PER_ROW * rows + _VALUES:
        raise InvalidResponseError(f"the response has {values:,} values for at most {rows} records")
    document = _parsed(body)
    data = document.part("data") if isinstance(document, SourceRecord) else None
    if not isinstance(data, SourceRecord):
        raise InvalidResponseError(first_error(body) or "the response has no data")
    errors: dict[str, str] = {}
    reported = document.get("errors")
    for problem in reported if isinstance(reported, list) else [reported] if reported else []:
        path = problem.get("path") if isinstance(problem, dict) else None
        if not isinstance(path, list) or not path:
            raise InvalidResponseError(first_error(body) or "the response has errors")
        errors.setdefault(str(path[0]), one_line(str(problem.get("message"))))
    return Results(data, errors)


def _parsed(body: bytes) -> Any:
    if _LONG_DIGITS in body.translate(_DIGITS):
        body = _LONG_NUMBER.sub(rb'"\g<0>"', body)
    try:
        return parse(body)
    except ValueError as error:
        text = body.strip()
        if text[:1] == b"{" and text[-1:] == b"}":
            raise UnreadableResponseError(f"the response is not valid JSON ({error})") from None
        what = "HTML" if text[:1] == b"<" else f"not valid JSON ({error})"
        raise InvalidResponseError(f"the response is {what}") from None


def first_error(body: bytes) -> str:
    """The message of the first of the ``errors`` in *body*; empty where there is none.

    All other values are skipped, however many.
    """
    try:
        return one_line(str(_ERRORS.decode(body).errors[0].message))
    except (msgspec.MsgspecError, UnicodeError, RecursionError, IndexError):
        return ""
