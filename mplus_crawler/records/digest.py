"""Digests of rows: two rows have one digest if, and only if, their content is the same.

A digest is the SHA-256 of a row's canonical JSON: names sorted by code point, no blanks, UTF-8,
numbers as the feed writes them. Columns that the schema marks ``volatile`` are left out.
:mod:`mplus_crawler.verification` computes it with separate code.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable
from typing import Any

import msgspec
import orjson

from mplus_crawler.protocols.source import SourceRecord
from mplus_crawler.records.batch import Row, json_line

_SORTED = orjson.OPT_SORT_KEYS
# Keeps the spelling of a decimal; integers have one spelling, but for a negative zero.
_decode = msgspec.json.Decoder(float_hook=orjson.Fragment).decode
_NEGATIVE_ZERO = re.compile(rb"-0(?![.eE0-9])")
# No record can contain it.
_NUMBER = secrets.token_hex()
_MARKED = re.compile(rf'"{_NUMBER}([^"]*)"')


def digest(row: Row, volatile: Iterable[str]) -> str | None:
    """Return the digest of *row* without its *volatile* columns, in hexadecimal.

    None for a row that is nested more deeply than Python's stack allows.
    """
    content = row.copy()  # faster than selecting the other columns
    for name in volatile:
        content.pop(name, None)
    try:
        text = orjson.dumps(
            content, default=_fragment, option=_SORTED | orjson.OPT_PASSTHROUGH_SUBCLASS
        )
    except (orjson.JSONEncodeError, ValueError):  # an integer over 64 bits, or deep nesting
        try:
            text = _canonical(json_line(content))
        except RecursionError:
            return None
    return hashlib.sha256(text).hexdigest()


def _fragment(value: Any) -> orjson.Fragment:
    """Return the canonical JSON of a :class:`.SourceRecord`; ``default`` of :func:`orjson.dumps`.

    Raises ValueError where :func:`_canonical` is needed.
    """
    if not isinstance(value, SourceRecord):
        raise TypeError(f"{type(value).__name__} is not JSON serializable")
    if value.as_written or orjson.dumps(value) == value.raw:
        return orjson.Fragment(orjson.dumps(value, option=_SORTED))
    if _NEGATIVE_ZERO.search(value.raw):
        raise ValueError("the spelling of a number would be lost")
    return orjson.Fragment(orjson.dumps(_decode(value.raw), option=_SORTED))


def _canonical(text: bytes) -> bytes:
    """Return any JSON *text* in its canonical form; raises RecursionError."""
    value = json.loads(text, parse_int=_mark, parse_float=_mark)
    written = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return _MARKED.sub(r"\1", written).encode()


def _mark(number: str) -> str:
    return _NUMBER + number
