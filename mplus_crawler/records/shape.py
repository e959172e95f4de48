"""The shape of a museum's records: their fields, with types and URI patterns.

A field is a path: the names that lead to a value, joined by dots. A list has the shape of its
elements, so a single value and a list of one are alike. Names at the top of a record are counted
in every record. Reading what is below takes longer, so it is done for a sample of some hundred
records, chosen by id: nearly the same records in each harvest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from zlib import crc32

SAMPLE = 200  # records that are read below the top
# Bounds for hostile records; of large ones, a part is read.
_MOST_FIELDS = 1000
_MOST_NAMES = 500  # of one object
_MOST_VALUES = 5000  # of one record
_MOST_ELEMENTS = 8  # of one list
_DEEPEST = 20
_LONGEST_NAME = 100
_MOST_PLANS = 200  # of one field
_MOST_PATTERNS = 12  # of one field
_MOST_STARTS = 2000  # of one field
_MOST_TOPS = 5000

_TYPES = {str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
# Neither is a value: a field that never has another counts as missing.
NO_VALUE = frozenset({"null", "empty"})
OTHER = "other:"  # URIs without a pattern, or with a rare one
_VALUED = "valued"  # counts the records in which a field has a value


@dataclass(slots=True, eq=False)
class _Field:
    """A field: the fields below it, and its known types and patterns, by number."""

    path: str
    depth: int
    below: dict[str, _Field] = field(default_factory=dict)
    facts: dict[str, int] = field(default_factory=dict)
    plans: dict[tuple[Any, ...], _Plan] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    patterns: int = 0


@dataclass(frozen=True, slots=True)
class _Plan:
    """How to read the objects of one structure: facts about their members, and where to look."""

    facts: frozenset[int]
    texts: tuple[tuple[str, _Field], ...]
    objects: tuple[tuple[str, _Field], ...]
    lists: tuple[tuple[str, _Field], ...]


class Shape:
    """Counts the fields of records; bounded in size whatever the records contain."""

    def __init__(self) -> None:
        self.records = 0
        self._read = 0
        self._bounded = False  # whether there are too many fields
        self._root = _Field("", 0)
        self._fields = 0
        self._tops: Counter[tuple[str, ...]] = Counter()
        self._names: Counter[str] = Counter()
        self._facts: list[tuple[_Field, str]] = []
        self._counts: Counter[int] = Counter()
        self._left = 0

    def add(self, record_id: str | None, record: Any, expected: int | None) -> None:
        """Count a *record*; *expected* is how many records there are, if that is known."""
        if not isinstance(record, dict):
            return
        self.records += 1
        if len(record) > _MOST_NAMES:
            record = dict(islice(record.items(), _MOST_NAMES))
        self._tops[tuple(record)] += 1
        if len(self._tops) > _MOST_TOPS:
            self._count_names()
        if expected is None:
            expected = SAMPLE if self.records <= SAMPLE else 16 * SAMPLE
        if expected <= SAMPLE or crc32((record_id or "").encode()) * expected < SAMPLE << 32:
            self._read += 1
            self._left = _MOST_VALUES
            seen: set[int] = set()
            self._read_object(self._root, record, seen)
            self._counts.update(seen)

    def document(self) -> dict[str, Any]:
        """Return the shape for the certificate; ``docs/contract.md`` explains its keys."""
        self._count_names()
        paths: dict[str, dict[str, Any]] = {
            name: {"records": count, "types": {}, "uris": {}} for name, count in self._names.items()
        }
        for number, (place, fact) in enumerate(self._facts):
            entry = paths.setdefault(place.path, {"records": 0, "types": {}, "uris": {}})
            if fact != _VALUED:
                entry["uris" if ":" in fact else "types"][fact] = self._counts[number]
            elif place.depth > 1:
                entry["records"] = self._counts[number]
        return {
            "records": self.records,
            "read": self._read,
            "bounded": self._bounded,
            "paths": {_clean(path): _without_empty(paths[path]) for path in sorted(paths)},
        }

    def _count_names(self) -> None:
        for names, records in self._tops.items():
            for name in names:
                if len(name) > _LONGEST_NAME:
                    continue
                if name in self._names or len(self._names) < _MOST_FIELDS:
                    self._names[name] += records
                else:
                    self._bounded = True
        self._tops.clear()

    def _read_object(self, place: _Field, value: dict[str, Any], seen: set[int]) -> None:
        self._left -= len(value) + 1
        if self._left < 0:
            return
        structure = (*value, *map(type, value.values()))
        plan = place.plans.get(structure)
        if plan is None:
            plan = self._plan(place, value)
            if len(place.plans) < _MOST_PLANS and len(value) <= _MOST_NAMES:
                place.plans[structure] = plan
        seen |= plan.facts
        for name, below in plan.texts:
            text = value[name]
            if text[:4] == "http":
                seen.add(self._uri(below, text))
        for name, below in plan.objects:
            self._read_object(below, value[name], seen)
        for name, below in plan.lists:
            self._read_list(below, value[name], seen)

    def _read_list(self, place: _Field, values: list[Any], seen: set[int]) -> None:
        if not values:
            seen.add(self._fact(place, "empty"))
        for value in values[:_MOST_ELEMENTS]:
            if isinstance(value, dict):
                seen.update(self._type(place, "object"))
                self._read_object(place, value, seen)
            elif isinstance(value, list):
                seen.update(self._type(place, "array"))
            else:
                seen.update(self._type(place, _TYPES.get(type(value), "other")))
                if isinstance(value, str) and value.startswith("http"):
                    seen.add(self._uri(place, value))

    def _plan(self, place: _Field, value: dict[str, Any]) -> _Plan:
        facts: set[int] = set()
        texts, objects, lists = [], [], []
        for name, one in islice(value.items(), _MOST_NAMES):
            below = self._below(place, name)
            if below is None:
                continue
            if isinstance(one, list):
                lists.append((name, below))
            elif isinstance(one, dict):
                facts.update(self._type(below, "object"))
                objects.append((name, below))
            else:
                facts.update(self._type(below, _TYPES.get(type(one), "other")))
                if isinstance(one, str):
                    texts.append((name, below))
        return _Plan(frozenset(facts), tuple(texts), tuple(objects), tuple(lists))

    def _below(self, place: _Field, name: str) -> _Field | None:
        found = place.below.get(name)
        if found is None:
            if place.depth > _DEEPEST or len(name) > _LONGEST_NAME:
                return None  # in every harvest
            if self._fields >= _MOST_FIELDS:
                self._bounded = True
                return None
            self._fields += 1
            path = f"{place.path}.{name}" if place.path else name
            found = place.below[name] = _Field(path, place.depth + 1)
        return found

    def _type(self, place: _Field, name: str) -> Iterator[int]:
        yield self._fact(place, name)
        if name not in NO_VALUE:
            yield self._fact(place, _VALUED)

    def _fact(self, place: _Field, fact: str) -> int:
        number = place.facts.get(fact)
        if number is None:
            number = place.facts[fact] = len(self._facts)
            self._facts.append((place, fact))
        return number

    def _uri(self, place: _Field, uri: str) -> int:
        """Return the number of *uri*'s pattern; a field has a dozen, and one for all others."""
        start = uri[: uri.rfind("/") + 1]
        number = place.starts.get(start)
        if number is None:
            pattern = uri_pattern(start)
            if pattern not in place.facts:
                place.patterns += 1
                pattern = pattern if place.patterns <= _MOST_PATTERNS else OTHER
            number = self._fact(place, pattern)
            if len(place.starts) < _MOST_STARTS:
                place.starts[start] = number
        return number


def uri_pattern(start: str) -> str:
    """Return the pattern of the URIs that begin with *start*, which ends with a slash.

    Segments of the path that have a digit or an escape are ``*``, and so is what follows *start*;
    versions such as ``v2`` stay.
    """
    scheme, separator, rest = _clean(start[:500]).partition("://")
    if not separator:
        return OTHER
    host, _, path = rest.partition("/")
    segments = ["*" if _VARIABLE.fullmatch(part) else part for part in path.split("/") if part]
    return "/".join((f"{scheme}://{host}", *segments, "*"))


_VARIABLE = re.compile(r"(?!v\d{1,2}$).*[0-9%].*", re.DOTALL)


def _clean(text: str) -> str:
    """Return *text* without half surrogates, which no file can hold."""
    return text.encode("utf-8", "replace").decode()


def _without_empty(entry: dict[str, Any]) -> dict[str, Any]:
    uris = {"uris": dict(sorted(entry["uris"].items()))} if entry["uris"] else {}
    return {"records": entry["records"], "types": dict(sorted(entry["types"].items())), **uris}
