"""The museums' history: what happens to their records on each day, and how two days differ."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from random import Random
from typing import Any, Protocol

import orjson

from mplus_crawler.sandbox import facts

Json = dict[str, Any]

_FACTS: Json = tomllib.loads((files(facts) / "history.toml").read_text("utf-8"))


class Table(Protocol):
    """A collection that has a history."""

    name: str

    def ordinary(self) -> Sequence[int]:
        """Return the listed records that may change, by key."""

    def unlisted(self) -> Sequence[int]:
        """Return the records that may be listed again."""

    def apply(self, event: str, key: int, day: int, dice: Random) -> None:
        """Apply an event to a record."""


def pass_days(tables: Sequence[Table], days: int, seed: int) -> None:
    """Apply the events of *days* days; the same seed always gives the same history."""
    for day in range(1, days + 1):
        for table in tables:
            _pass_day(table, day, Random(f"{seed}:{table.name}:{day}"))


def _pass_day(table: Table, day: int, dice: Random) -> None:
    """Apply the day's events; no record has two on one day."""
    changed: set[int] = set()
    ordinary, unlisted = list(table.ordinary()), list(table.unlisted())
    for event in _FACTS["event"]:
        if event["kind"] not in _FACTS["collection"][table.name] or not _is_due(event, day):
            continue
        pool = unlisted if event["kind"] == "list_again" else ordinary
        free = [key for key in pool if key not in changed]
        count = max(1, round(event["share"] * len(ordinary)))
        for key in dice.sample(free, min(count, len(free))):
            changed.add(key)
            table.apply(event["kind"], key, day, dice)


def _is_due(event: Json, day: int) -> bool:
    since = day - int(event["first"])
    return since >= 0 and since % int(event["every"]) == 0


Contents = Mapping[Any, bytes]


class Museum(Protocol):
    """A museum on one day."""

    stamp: str  # the field of a record that says when it was generated, or nothing

    def truth(self) -> Json:
        """Return what a complete harvest of each collection contains."""

    def contents(self, name: str) -> Contents:
        """Return the records in a collection's list by id."""

    def single(self, name: str, id_: Any) -> tuple[int, Any]:
        """Return the status of a single record, and the id that it redirects to or None."""

    def knows(self, name: str, id_: Any) -> bool:
        """Return whether there is such a record, listed or not."""


def truth_on(museum_of: Callable[[int], Museum], day: int, since: int) -> Json:
    """Return the truth of a day; ``changes`` are the day's, ``changes_since`` those since *since*.

    Raises ValueError if *since* is later than *day*.
    """
    if not 0 <= since <= day:
        raise ValueError(f"since: {since} is not a day from 0 to {day}")
    yesterday = max(0, day - 1)
    museums = {number: museum_of(number) for number in {day, yesterday, since}}
    truth = museums[day].truth()
    for name, found in truth.items():
        contents = {number: museum.contents(name) for number, museum in museums.items()}
        for key, first in (("changes", yesterday), ("changes_since", since)):
            found[key] = _differences(
                name, museums[first], contents[first], museums[day], contents[day]
            )
    return truth


def _differences(name: str, before: Museum, old: Contents, after: Museum, new: Contents) -> Json:
    """Return how a collection's list differs between two days, by ids.

    ``updated`` differs in content, ``regenerated`` in the museum's stamp alone; ``removed`` is
    gone (410), ``missing`` not found (404), ``unlisted`` still there (200), ``moved`` redirects.
    """
    found: Json = {kind: [] for kind in _KINDS}
    moved: Json = {}
    for id_ in old.keys() - new.keys():
        status, target = after.single(name, id_)
        if target is None:
            found[_GONE[status]].append(id_)
        else:
            moved[id_] = target
    for id_ in new.keys() - old.keys():
        if before.knows(name, id_):
            found["listed_again"].append(id_)
        elif id_ not in moved.values():
            found["created"].append(id_)
    for id_ in old.keys() & new.keys():
        if old[id_] != new[id_]:
            same = _without(after.stamp, old[id_]) == _without(after.stamp, new[id_])
            found["regenerated" if same else "updated"].append(id_)
    return {kind: sorted(ids) for kind, ids in found.items()} | {"moved": moved}


_GONE = {410: "removed", 404: "missing", 200: "unlisted"}
_KINDS = ("created", "updated", "regenerated", "listed_again", *_GONE.values())


def _without(field: str, content: bytes) -> Any:
    record = orjson.loads(content)
    return {k: v for k, v in record.items() if k != field} if field else record
