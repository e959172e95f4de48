"""The history of M+'s indexes: the effect of each event on their documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from mplus_crawler.sandbox.facts.mplus import ENGLISH, Json
from mplus_crawler.sandbox.history import pass_days
from mplus_crawler.sandbox.mplus.data import Collection, Document


def age(collection: Collection, day: int, seed: int) -> None:
    """Change a new collection into that of a later day."""
    if day:
        pass_days([_Table(collection, index) for index in collection.indexes], day, seed)
        collection.count_objects()


class _Table:
    """One index."""

    def __init__(self, collection: Collection, index: str) -> None:
        self.name = f"mplus_{index}"
        self._collection = collection
        self._index = index
        self._by_id = {document.id: document for document in collection.indexes[index]}
        self._unlisted: list[int] = []

    def ordinary(self) -> Sequence[int]:
        """Return the ids of the public documents."""
        return [document.id for document in self._collection.public(self._index)]

    def unlisted(self) -> Sequence[int]:
        """Return the ids of the documents that may be public again."""
        return self._unlisted

    def apply(self, event: str, key: int, day: int, dice: Random) -> None:
        """Apply an event to a document."""
        _EVENTS[event](self, self._by_id[key], day)

    def add(self, document: Document, day: int) -> None:
        """Add a document like this one."""
        new = self._collection.add_like(document)
        self._by_id[new.id] = new

    def edit(self, document: Document, day: int) -> None:
        """Change the title, the name or the end."""
        record = document.record
        if self._index == "exhibitions":
            record["endDate"] = f"{record['endDate'][:4]}-12-{1 + day % 31:02d}"
            return
        field = "title" if self._index == "objects" else "name"
        texts: Json = record.get(field) or {}
        record[field] = texts | {ENGLISH: f"{texts.get(ENGLISH) or 'Untitled'} (day {day})"}

    def remove(self, document: Document, day: int) -> None:
        """Remove a document for good."""
        document.public = False

    def unlist(self, document: Document, day: int) -> None:
        """Make a document non-public for some time."""
        document.public = False
        self._unlisted.append(document.id)

    def list_again(self, document: Document, day: int) -> None:
        """Make a document public again."""
        self._unlisted.remove(document.id)
        document.public = True

    def renumber(self, document: Document, day: int) -> None:
        """Give an object another number; its id stays."""
        document.record["objectNumber"] = f"{document.record['objectNumber']}.{day}"

    def new_id(self, document: Document, day: int) -> None:
        """Give an object another id under its number."""
        new = self._collection.add_like(document)
        new.record["objectNumber"] = document.record["objectNumber"]
        self._by_id[new.id] = new
        document.public = False
        document.successor = new.id


_EVENTS: Mapping[str, Callable[[_Table, Document, int], None]] = {
    "add": _Table.add,
    "edit": _Table.edit,
    "remove": _Table.remove,
    "unlist": _Table.unlist,
    "list_again": _Table.list_again,
    "renumber": _Table.renumber,
    "new_id": _Table.new_id,
}
