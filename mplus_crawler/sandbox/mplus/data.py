"""The search backend's records: the published data set, and what that leaves out."""

from __future__ import annotations

import lzma
import re
from bisect import insort
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from operator import attrgetter
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson

from mplus_crawler.protocols.archive import ArchiveError, is_archive, members
from mplus_crawler.sandbox.facts.mplus import CHINESE, ENGLISH, FACTS, Json

_MADE_UP: Json = FACTS["made_up"]
_FOLDERS = {"objects": "objects_JSON", "constituents": "constituents_JSON"}
_ID = attrgetter("id")


@dataclass(slots=True, eq=False)
class Document:
    """One record in an index; *views* are its API records by root and language."""

    index: str
    id: int
    record: Json
    public: bool = True
    poison: bool = False
    successor: int | None = None  # the id that has its number now
    made_up: Json = field(default_factory=dict)
    views: dict[tuple[str, str], Json] = field(default_factory=dict)

    @property
    def links(self) -> list[int]:
        """The constituents that an object names."""
        return [link["id"] for link in self.record.get("constituents") or ()]

    @property
    def fonds(self) -> str | None:
        """The fonds (archive) of an object: the first part of its number."""
        found = re.match(r"CA\d+", self.record.get("objectNumber") or "")
        return found[0] if found else None


class Collection:
    """All documents by index and id, sorted by id; ValueError if *place* holds no data set."""

    def __init__(self, place: str = "") -> None:
        self.indexes: dict[str, list[Document]] = {"objects": [], "constituents": []}
        for index, record in _records(place):
            self.indexes[index].append(Document(index, record["id"], dict(record)))
        if not self.indexes["objects"]:
            raise ValueError(f"mplus-data: {place} holds no objects_JSON")
        for documents in self.indexes.values():
            documents.sort(key=_ID)
        self._hide_some()
        self.indexes["exhibitions"] = list(_exhibitions(self.public("objects")))
        self.count_objects()

    def public(self, index: str) -> list[Document]:
        """The public documents of an index, by ascending id."""
        return [document for document in self.indexes[index] if document.public]

    def count_objects(self) -> None:
        """Count, for each constituent, the objects that name it."""
        every, seen = Counter[int](), Counter[int]()
        for document in self.indexes["objects"]:
            every.update(set(document.links))
            if document.public:
                seen.update(set(document.links))
        for person in self.indexes["constituents"]:
            counts = {"objectCount": every[person.id], "objectCountPublic": seen[person.id]}
            if person.made_up != counts:
                person.made_up = counts
                person.views.clear()

    def insert(self, index: str, at: int) -> None:
        """Insert a new record after the public record at a position, 1 being the first."""
        rows = self.public(index)
        self.add_like(rows[min(max(at, 1), len(rows)) - 1])

    def add_like(self, model: Document) -> Document:
        """Add a public copy of a record under the next free id."""
        taken = {document.id for document in self.indexes[model.index]}
        new = next(id_ for id_ in range(model.id + 1, max(taken) + 2) if id_ not in taken)
        return self._add(model, new, public=True)

    def withdraw(self, index: str, at: int) -> None:
        """Make the public record at a position non-public."""
        rows = self.public(index)
        if 0 < at <= len(rows):
            rows[at - 1].public = False
            self.count_objects()

    def _add(self, model: Document, id_: int, *, public: bool) -> Document:
        record = {**model.record, "id": id_, "publicAccess": public}
        if "objectNumber" in record:
            record["objectNumber"] = f"{record['objectNumber']}.{id_}"
        new = replace(model, id=id_, record=record, public=public, poison=False, views={})
        insort(self.indexes[model.index], new, key=_ID)
        if public:
            self.count_objects()
        return new

    def _hide_some(self) -> None:
        """Insert non-public objects between the public ones."""
        taken = {document.id for document in self.indexes["objects"]}
        for model in self.indexes["objects"][:: _MADE_UP["hidden"]]:
            if model.id + 1 not in taken:
                self._add(model, model.id + 1, public=False)


@lru_cache(1)
def _records(place: str) -> Sequence[tuple[str, Json]]:
    """Return all records with their indexes; kept, since each day starts from them."""
    return tuple(_published(Path(place)) if place else _sample())


def _sample() -> Iterator[tuple[str, Json]]:
    packed = (files(__package__) / "sample.jsonl.xz").read_bytes()
    for line in lzma.decompress(packed).splitlines():
        record = orjson.loads(line)
        yield "objects" if "objectNumber" in record else "constituents", record


def _published(place: Path) -> Iterator[tuple[str, Json]]:
    if not is_archive(place):
        raise ValueError(f"mplus-data: {place} is no folder and no archive")
    try:
        for index, folder in _FOLDERS.items():
            for member in members(place, folder):
                record = orjson.loads(member.content or b"")
                if not isinstance(record, dict) or "id" not in record:
                    raise ValueError(f"mplus-data: {member.name} holds no record")
                yield index, record
    except (ArchiveError, orjson.JSONDecodeError) as problem:
        raise ValueError(f"mplus-data: {problem}") from None


def _exhibitions(objects: list[Document]) -> Iterator[Document]:
    """Made-up exhibitions, since the data set has none, each of some of the objects."""
    venues, types = _MADE_UP["venues"], _MADE_UP["types"]
    for number in range(_MADE_UP["exhibitions"]):
        year = _MADE_UP["first_year"] + number // 4
        dates = {"beginDate": f"{year}-03-01", "endDate": f"{year}-09-30"}
        places: list[Json] = [{"title": venues[number % len(venues)], **dates}]
        if number % 6 == 0:
            places.append({"title": venues[-1], "beginDate": None, "endDate": None})
        record: dict[str, Any] = {
            "id": 95 + 4 * number,
            **dates,
            "title": {ENGLISH: f"Exhibition {number}", CHINESE: f"展覽{number}"},
            "type": types[number % len(types)],
            "venues": {ENGLISH: None if number % 7 == 3 else places, CHINESE: []},
            "artInt": number,
        }
        shown = {row.id for row in objects[number :: _MADE_UP["exhibitions"]]}
        yield Document("exhibitions", record["id"], record, made_up={"objects": shown})


def tags(document: Document) -> list[str]:
    """Made-up tags of an object, since the data set has none."""
    words = _MADE_UP["tags"]
    first = crc32(str(document.id).encode())
    return [words[first % len(words)], words[first // 97 % len(words)]][: 1 + first % 2]
