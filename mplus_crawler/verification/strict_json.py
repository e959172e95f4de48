"""JSON as RFC 8259 has it, without what Python lets pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BufferedReader
from typing import Any

LONGEST_LINE = 32 << 20


def parse(text: bytes, **options: Any) -> Any:
    """JSON in UTF-8, and nothing that only Python takes for JSON; raises ValueError."""
    return json.loads(text.decode(), parse_constant=_no_constant, **options)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The members of an object, for ``object_pairs_hook``; ValueError where a name stands twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it names {doubled} twice")
    return members


def lines(file: BufferedReader) -> Iterator[bytes]:
    """Lines; what is too long for any record comes in pieces, so that it fits into memory."""
    while line := file.readline(LONGEST_LINE):
        yield line


def is_object(line: bytes) -> bool:
    """Whether *line* is one JSON object."""
    try:
        return isinstance(parse(line), dict)
    except (ValueError, RecursionError):
        return False
