"""JSON objects together with the bytes that they were read from.

Parsing may round a decimal, and it keeps only the last value of a repeated name. Columns are
therefore made from the parsed values, while feeds and rejected files hold the source's bytes.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol, Self, cast

import msgspec
import orjson


class SourceRecord(dict[str, Any]):
    """A JSON object, and :attr:`raw`, the bytes of it in one line.

    :attr:`repeated` are names that an object in it repeats (RFC 8259 section 4 leaves open what
    that means, so such a record is rejected); empty as a rule.
    """

    __slots__ = ("raw", "repeated")
    raw: bytes
    repeated: tuple[str, ...]

    def __init__(
        self, members: Mapping[str, Any], raw: bytes, repeated: tuple[str, ...] = ()
    ) -> None:
        super().__init__(members)
        # Inside a string a line break is escaped, so these stand between tokens.
        self.raw = raw.replace(b"\n", b" ").replace(b"\r", b" ") if _breaks(raw) else raw
        self.repeated = repeated

    @classmethod
    def joined(cls, **records: Self) -> Self:
        """Return the object that has *records* under their names."""
        raw = b",".join(b'"%s":%s' % (name.encode(), one.raw) for name, one in records.items())
        repeated = tuple(name for one in records.values() for name in one.repeated)
        return cls(records, b"{%s}" % raw, repeated)

    def part(self, name: str) -> Any:
        """Return the value under *name*: a :class:`SourceRecord`, a list of them, or as parsed."""
        value = self.get(name)
        if not isinstance(value, dict | list):
            return value
        raw = _named_part(name, msgspec.Raw).decode(self.raw).part
        if isinstance(value, dict):
            return self._source(value, raw)
        raws = _named_part(name, list[msgspec.Raw]).decode(self.raw).part
        return [self._source(one, part) for one, part in zip(value, raws, strict=True)]

    def _source(self, value: Any, raw: msgspec.Raw) -> Any:
        if not isinstance(value, dict):
            return value
        text = bytes(raw)
        return SourceRecord(value, text, _repeated(text, value) if self.repeated else ())


def parse(body: bytes) -> Any:
    """Return the JSON value in *body*; an object is a :class:`SourceRecord`.

    Integers are exact whatever their length. Raise ValueError if *body* is not JSON, or is nested
    more deeply than Python's stack allows (about 900 levels).
    """
    raw = body.removeprefix(codecs.BOM_UTF8)
    try:
        value = msgspec.json.decode(raw)
        return SourceRecord(value, raw, _repeated(raw, value)) if isinstance(value, dict) else value
    except RecursionError:
        raise ValueError("too many nested levels") from None


def fragment(value: Any) -> orjson.Fragment:
    """Return the bytes of a :class:`SourceRecord`; the ``default`` of :func:`orjson.dumps`."""
    if isinstance(value, SourceRecord):
        return orjson.Fragment(value.raw)
    raise TypeError(f"{type(value).__name__} is not JSON serializable")


def _breaks(raw: bytes) -> bool:
    return b"\n" in raw or b"\r" in raw


def _repeated(raw: bytes, value: Any) -> tuple[str, ...]:
    """Return the names that an object in *raw*, parsed as *value*, repeats.

    A repeated name and its value are missing from *value*, so *raw* has more quotation marks.
    Counting them is cheap; only if the counts differ is every object looked at.
    """
    try:
        written = orjson.dumps(value)
    except TypeError:  # an integer over 64 bits, or deep nesting
        written = b""
    if written == raw:
        return ()
    if written and raw.count(b'"') == written.count(b'"') and b"\\u0022" not in raw:
        return ()
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            found.extend(name for name in dict.fromkeys(names) if names.count(name) > 1)

    json.loads(raw, object_pairs_hook=look, parse_int=str, parse_float=str)
    return tuple(found)


class _Part(Protocol):
    part: Any


@cache
def _named_part(name: str, kind: Any) -> msgspec.json.Decoder[_Part]:
    """Return a decoder that reads the bytes under *name* and skips all other members."""
    struct = msgspec.defstruct("Part", [("part", kind)], rename={"part": name})
    return cast("msgspec.json.Decoder[_Part]", msgspec.json.Decoder(struct))
