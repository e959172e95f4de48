"""The history of Gent's collections: the effect of each event on their rows."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from mplus_crawler.sandbox.dmg.data import LAST_HARVEST, AgentRow, Collection, ObjectRow, Row
from mplus_crawler.sandbox.facts.dmg import WORDS
from mplus_crawler.sandbox.history import pass_days

_PUBLIC = ("objects", "agents", "exhibitions", "concepts")


def age(rows: Collection, day: int) -> None:
    """Change new rows into those of a later day."""
    pass_days([_Table(rows, name) for name in _PUBLIC], day, rows.seed)


class _Table:
    """One public collection; the private objects follow the public ones."""

    def __init__(self, rows: Collection, name: str) -> None:
        self.name = name
        self._rows = rows
        self._listing = rows.listings[name]
        private = rows.listings["private_objects"]
        self._lists = [self._listing, private] if name == "objects" else [self._listing]
        self._unlisted: list[int] = []

    def ordinary(self) -> Sequence[int]:
        """Return the listed rows that are not odd in any way."""
        listing = self._listing
        odd = listing.invalid.keys() | listing.bare | listing.merged.keys() | listing.twins.keys()
        odd |= {key for pid in listing.twins.values() if (key := listing.find(pid)) is not None}
        return [key for key in listing.keys if key not in odd]

    def unlisted(self) -> Sequence[int]:
        """Return the rows that may be listed again."""
        return self._unlisted

    def apply(self, event: str, key: int, day: int, dice: Random) -> None:
        """Apply an event to a row."""
        _EVENTS[event](self, key, day, dice)

    def add(self, key: int, day: int, *_: Any) -> None:
        """Add a row after this one."""
        new = self._listing.new_row(key)
        self.regenerate(new, day)
        for listing in self._lists:
            listing.keys.insert(listing.keys.index(key) + 1, new)

    def edit(self, key: int, day: int, dice: Random) -> None:
        """Change a field, and the time of the row's generation."""
        self.quiet_edit(key, day, dice)
        self.regenerate(key, day)

    def quiet_edit(self, key: int, day: int, dice: Random) -> None:
        """Change a field alone."""
        change = dice.choice(_FIELDS[self.name])
        die = dice.randrange(1_000_000)
        self._remember(key, lambda row: change(row, day, die))

    def regenerate(self, key: int, day: int, *_: Any) -> None:
        """Change the time of the row's generation alone."""
        moment = LAST_HARVEST + timedelta(days=day, seconds=key % 86_400)
        self._remember(key, lambda row: replace(row, modified=moment))

    def remove(self, key: int, *_: Any) -> None:
        """Remove a row for good."""
        for listing in self._lists:
            listing.keys.remove(key)
        (self._listing.gone if self.name == "objects" else self._listing.deleted).add(key)

    def unlist(self, key: int, *_: Any) -> None:
        """Leave a row out of the public list."""
        self._listing.keys.remove(key)
        self._unlisted.append(key)

    def list_again(self, key: int, *_: Any) -> None:
        """List a row again."""
        self._unlisted.remove(key)
        insort(self._listing.keys, key, key=self._listing.pid)

    def merge(self, key: int, _: int, dice: Random) -> None:
        """Merge a row into another."""
        others = [other for other in self.ordinary() if other != key]
        if others:
            for listing in self._lists:
                listing.keys.remove(key)
            self._listing.merged[key] = dice.choice(others)

    def renumber(self, key: int, day: int, *_: Any) -> None:
        """Give a row another number, and so another id."""
        old = self._listing.pid(key)
        self._listing.renumbered[key] = f"{old}-{day}"
        self._listing.former[old] = key

    def _remember(self, key: int, change: Callable[[Any], Row]) -> None:
        self._rows.changes.setdefault((self._listing.kind, key), []).append(change)


_EVENTS: Mapping[str, Callable[..., None]] = {
    "add": _Table.add,
    "edit": _Table.edit,
    "quiet_edit": _Table.quiet_edit,
    "regenerate": _Table.regenerate,
    "remove": _Table.remove,
    "unlist": _Table.unlist,
    "list_again": _Table.list_again,
    "merge": _Table.merge,
    "renumber": _Table.renumber,
}


def _title(row: Row, day: int, _: int) -> Row:
    title = row.titles.get("NLD", row.pid)
    return replace(row, titles={**row.titles, "NLD": f"{title} (dag {day})"})


def _material(row: ObjectRow, day: int, die: int) -> Row:
    """Replace the last material, or change the title of an object without any."""
    others = [word for word in WORDS["materials"] if word not in row.materials]
    if not row.materials:
        return _title(row, day, die)
    return replace(row, materials=(*row.materials[:-1], others[die % len(others)]))


def _image(row: ObjectRow, day: int, die: int) -> Row:
    """Add an image, or change the title of an object without any."""
    return replace(row, images=row.images + 1) if row.images else _title(row, day, die)


def _nationality(row: AgentRow, day: int, die: int) -> Row:
    """Change the nationality, or the name of an agent without one."""
    others = [name for name in WORDS["nationalities"] if name != row.nationality]
    if row.nationality is None:
        return _title(row, day, die)
    return replace(row, nationality=others[die % len(others)])


_FIELDS: Mapping[str, Sequence[Callable[[Any, int, int], Row]]] = {
    "objects": (_title, _material, _image),
    "agents": (_title, _nationality),
    "exhibitions": (_title,),
    "concepts": (_title,),
}
