"""JSON responses: an object, and values inside it by JSON pointers."""

from __future__ import annotations

from typing import Any

import orjson

from mplus_crawler.errors import InvalidResponseError


def read_document(body: bytes) -> dict[str, Any]:
    """The JSON object in *body*; raises :class:`InvalidResponseError` for anything else."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        what = "HTML" if body.lstrip()[:1] == b"<" else f"no whole JSON ({error})"
        raise InvalidResponseError(f"the answer is {what}") from None
    if not isinstance(document, dict):
        raise InvalidResponseError("the answer is no JSON object")
    return document


def value_at(document: Any, pointer: str) -> Any:
    """The value at *pointer* (RFC 6901) in *document*; ``None`` where there is none."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(name)
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document
