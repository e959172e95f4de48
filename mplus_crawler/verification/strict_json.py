"""JSON as defined by RFC 8259, without Python's extensions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BufferedReader
from math import isinf
from typing import Any

MAX_LINE = 32 << 20
# Python refuses to convert longer ones.
_MOST_DIGITS = 4300


def parse(text: bytes, **options: Any) -> Any:
    """Parse JSON in UTF-8; raises ValueError. A number of any length is valid.

    One beyond a float is None, as the crawler's columns and schemas have it.
    """
    numbers = {"parse_int": integer, "parse_float": decimal}
    return json.loads(text.decode(), parse_constant=_no_constant, **{**numbers, **options})


def integer(digits: str) -> int | float | None:
    """Return the number; a float, or None, if Python refuses so many digits."""
    return int(digits) if len(digits) <= _MOST_DIGITS else decimal(digits)


def decimal(digits: str) -> float | None:
    """Return the number; None if no float can hold it."""
    value = float(digits)
    return None if isinf(value) else value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number in JSON")


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's members, for ``object_pairs_hook``; ValueError for a repeated name."""
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {doubled} is repeated")
    return members


def lines(file: BufferedReader) -> Iterator[bytes]:
    """Yield lines; one that is too long for a record comes in pieces, to bound memory."""
    while line := file.readline(MAX_LINE):
        yield line


def is_object(line: bytes) -> bool:
    """Return whether *line* is one JSON object."""
    try:
        return isinstance(parse(line), dict)
    except (ValueError, RecursionError):
        return False
