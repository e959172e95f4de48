"""JSON objects together with the bytes that they were read from.

Parsing may round a decimal, and it keeps only the last value of a repeated name. Columns are
therefore made from the parsed values, while feeds and rejected files hold the source's bytes.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from functools import cache
from math import isinf
from typing import Any, Protocol, Self, cast

import msgspec
import orjson

# A string, which may contain what looks like a number, or a number. One without an end is matched
# too, and quantifiers are possessive, so that no byte is read twice.
_STRING_OR_NUMBER = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|-?[0-9]++(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?', re.DOTALL
)

# A brace, or a string with the colon after it, which makes it a name.
_NAME_OR_BRACE = re.compile(
    rb'[{}]|(?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+")(?P<colon>\s*+:)?', re.DOTALL
)


class SourceRecord(dict[str, Any]):
    """A JSON object, and :attr:`raw`, its bytes, with line breaks replaced by spaces.

    :attr:`as_written` is true if orjson is known to write the same bytes for it.
    """

    __slots__ = ("_repeated", "as_written", "raw")
    raw: bytes
    as_written: bool
    _repeated: tuple[str, ...] | None

    def __init__(
        self, members: Mapping[str, Any], raw: bytes, repeated: tuple[str, ...] | None = None
    ) -> None:
        super().__init__(members)
        self.raw = raw
        self.as_written = False
        self._repeated = repeated

    @property
    def repeated(self) -> tuple[str, ...]:
        """The names that an object in it repeats, which makes its values ambiguous."""
        if self._repeated is None:
            self._repeated = _repeated(self.raw, self)
        return self._repeated

    @classmethod
    def joined(cls, **records: Self) -> Self:
        """Return the object that has *records* under their names."""
        raw = b",".join(b'"%s":%s' % (name.encode(), one.raw) for name, one in records.items())
        repeated = tuple(name for one in records.values() for name in one.repeated)
        return cls(records, b"{%s}" % raw, repeated)

    def part(self, name: str) -> Any:
        """Return the value under *name*: a :class:`SourceRecord`, a list of them, or as parsed."""
        value = self.get(name)
        if isinstance(value, list):
            raws = self._members(name, value)
            return [self._source(*pair) for pair in zip(value, raws, strict=True)]
        if isinstance(value, dict):
            return self._source(value, bytes(_decoder(name, msgspec.Raw).decode(self.raw).part))
        return value

    def _members(self, name: str, values: list[Any]) -> list[bytes]:
        """Return the bytes of each member of the list under *name*."""
        if self._repeated is None:
            # Most servers write JSON as orjson does. If so, this has also proved that no name is
            # repeated, in a third of the time.
            try:
                written = [orjson.dumps(value) for value in values]
                whole = {**self, name: orjson.Fragment(b"[%s]" % b",".join(written))}
                if orjson.dumps(whole) == self.raw:
                    self._repeated, self.as_written = (), True
                    return written
            except TypeError:  # an integer over 64 bits, or deep nesting
                pass
        return [*map(bytes, _decoder(name, list[msgspec.Raw]).decode(self.raw).part)]

    def _source(self, value: Any, raw: bytes) -> Any:
        if not isinstance(value, dict):
            return value
        record = SourceRecord(value, raw, None if self.repeated else ())
        record.as_written = self.as_written
        return record


def parse(body: bytes) -> Any:
    """Return the JSON value in *body*; an object is a :class:`SourceRecord`.

    Integers are exact up to 4,300 digits; a number beyond that, or beyond a float, is None. Raise
    ValueError if *body* is not JSON, or is nested more deeply than Python's stack allows (about
    900 levels).
    """
    text = body.removeprefix(codecs.BOM_UTF8)
    try:
        value = _value(text)
    except RecursionError:
        raise ValueError("too many nested levels") from None
    # Inside a string a line break is escaped, so these stand between tokens.
    raw = text.replace(b"\n", b" ").replace(b"\r", b" ")
    return SourceRecord(value, raw) if isinstance(value, dict) else value


def _value(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.ValidationError:  # valid JSON with a number that is out of range
        return msgspec.json.decode(_STRING_OR_NUMBER.sub(_in_range, text))


def _in_range(token: re.Match[bytes]) -> bytes:
    huge = not token[0].startswith(b'"') and isinf(float(token[0]))
    return b"null" if huge else token[0]


def fragment(value: Any) -> orjson.Fragment:
    """Return the bytes of a :class:`SourceRecord`; the ``default`` of :func:`orjson.dumps`."""
    if isinstance(value, SourceRecord):
        return orjson.Fragment(value.raw)
    raise TypeError(f"{type(value).__name__} is not JSON serializable")


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
    objects: list[set[str]] = []  # the names in each object that is open
    for token in _NAME_OR_BRACE.finditer(raw):
        if token[0] == b"{":
            objects.append(set())
        elif token[0] == b"}":
            objects.pop()
        elif token["colon"]:
            string = token["string"]
            name = json.loads(string) if b"\\" in string else string[1:-1].decode()
            if name in objects[-1]:
                found.append(name)
            objects[-1].add(name)
    return tuple(found)


class _Part(Protocol):
    part: Any


@cache
def _decoder(name: str, kind: Any) -> msgspec.json.Decoder[_Part]:
    """Return a decoder that reads the bytes under *name* and skips all other members."""
    struct = msgspec.defstruct("Part", [("part", kind)], rename={"part": name})
    return cast("msgspec.json.Decoder[_Part]", msgspec.json.Decoder(struct))
