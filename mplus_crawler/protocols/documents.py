"""JSON responses: an object, and values inside it by JSON pointers."""

from __future__ import annotations

import codecs
from functools import cache
from typing import Any

import msgspec

from mplus_crawler.errors import InvalidResponseError, UnreadableResponseError
from mplus_crawler.protocols.source import SourceRecord, parse

# Values of a response as commas count them: in the museums' responses one has some 40 bytes, and
# parsing takes 3 to 6 times the size of the body. Many short ones would take 30 times as much.
_MANY_VALUES = 10_000
_LEAST_BYTES_PER_VALUE = 16
# Rows of a page: so many times the requested number, and so many more.
_MOST_ROWS, _MORE_ROWS = 10, 100


def read_document(body: bytes) -> SourceRecord:
    """Return the JSON object in *body*; raise :class:`InvalidResponseError` for anything else."""
    _count_values(body)
    return _parsed(body)


def read_rows(body: bytes, pointer: str, requested: int) -> SourceRecord:
    """Return the JSON object in *body*, whose list at *pointer* should have *requested* rows.

    Raise :class:`InvalidResponseError` for anything else, and for far more rows: they are counted
    before any of them is parsed.
    """
    most = _MOST_ROWS * requested + _MORE_ROWS
    if _count_values(body) >= most:
        _check_rows(body, pointer, requested, most)
    return _parsed(body)


def _parsed(body: bytes) -> SourceRecord:
    try:
        document = parse(body)
    except ValueError as error:
        text = body.strip()
        if text[:1] == b"{" and text[-1:] == b"}":
            raise UnreadableResponseError(f"the response is not valid JSON ({error})") from None
        what = "HTML" if text[:1] == b"<" else f"not complete JSON ({error})"
        raise InvalidResponseError(f"the response is {what}") from None
    if not isinstance(document, SourceRecord):
        raise InvalidResponseError("the response is not a JSON object")
    return document


def _check_rows(body: bytes, pointer: str, requested: int, most: int) -> None:
    try:
        rows = _list_decoder(pointer).decode(body.removeprefix(codecs.BOM_UTF8))
        for _ in pointer.split("/")[1:]:
            rows = rows.part
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return  # parsing reports the error
    if len(rows) > most:
        raise InvalidResponseError(f"the page has {len(rows)} records; {requested} were requested")


@cache
def _list_decoder(pointer: str) -> msgspec.json.Decoder[Any]:
    """Return a decoder of the list at *pointer*, each member as its bytes."""
    kind: Any = list[msgspec.Raw]
    for token in reversed(pointer.split("/")[1:]):
        name = token.replace("~1", "/").replace("~0", "~")
        kind = msgspec.defstruct("Part", [("part", kind)], rename={"part": name})
    return msgspec.json.Decoder(kind)


def _count_values(body: bytes) -> int:
    """Return the number of values in *body*, as commas count them; refuse many short ones."""
    values = body.count(b",")
    if values > _MANY_VALUES and values * _LEAST_BYTES_PER_VALUE > len(body):
        raise InvalidResponseError(f"the response has {values:,} values in {len(body):,} bytes")
    return values


def value_at(document: Any, pointer: str) -> Any:
    """Return the value at *pointer* (RFC 6901) in *document*, ``None`` if there is none.

    Below a :class:`.SourceRecord`, objects have their source bytes as well.
    """
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(document, SourceRecord):
            document = document.part(name)
        elif isinstance(document, dict):
            document = document.get(name)
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def members_at(document: SourceRecord, *pointers: str) -> list[Any]:
    """Return the members of the lists at *pointers*, objects with their source bytes.

    Raise :class:`InvalidResponseError` if a list is missing, or if an object outside the members
    repeats a name: a list of that name may have been dropped.
    """
    members: list[Any] = []
    for pointer in pointers:
        if not isinstance(listed := value_at(document, pointer), list):
            raise InvalidResponseError(f"the response has no list of members at {pointer}")
        members += listed
    inside = sum(len(one.repeated) for one in members if isinstance(one, SourceRecord))
    if len(document.repeated) > inside:
        raise InvalidResponseError(f"the response repeats the name {document.repeated[-1]}")
    return members
