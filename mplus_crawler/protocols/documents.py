"""JSON responses: an object, and values inside it by JSON pointers."""

from __future__ import annotations

from typing import Any

from mplus_crawler.errors import InvalidResponseError
from mplus_crawler.protocols.source import SourceRecord, parse


def read_document(body: bytes) -> SourceRecord:
    """Return the JSON object in *body*; raise :class:`InvalidResponseError` for anything else."""
    try:
        document = parse(body)
    except ValueError as error:
        what = "HTML" if body.lstrip()[:1] == b"<" else f"no whole JSON ({error})"
        raise InvalidResponseError(f"the answer is {what}") from None
    if not isinstance(document, SourceRecord):
        raise InvalidResponseError("the answer is no JSON object")
    return document


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
