"""Faults on demand: what goes wrong, for which requests, and how often."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from math import inf
from random import Random
from typing import Any

from mplus_crawler.sandbox.dmg.facts import FACTS
from mplus_crawler.sandbox.dmg.limits import UNLIMITED
from mplus_crawler.sandbox.dmg.museum import Museum
from mplus_crawler.sandbox.dmg.query import leading_int
from mplus_crawler.sandbox.dmg.routes import COLLECTIONS, NAMES, Place
from mplus_crawler.sandbox.dmg.shelf import Shelf

Option = tuple[Callable[[str], Any], Any]


def _times(text: str) -> float:
    return inf if text == "always" else int(text)


def _positive(text: str) -> int:
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def _flag(text: str) -> bool:
    return bool(int(text))


def _status_code(text: str) -> HTTPStatus:
    return HTTPStatus(int(text))


def _one_of(known: Collection[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in known:
            raise ValueError(text)
        return text

    return read


_SELECTORS: Mapping[str, Callable[[str], Any]] = {
    "tier": _one_of([UNLIMITED, *(tier["name"] for tier in FACTS["tier"])]),
    "path": _one_of(NAMES),
    "page": int,
    "nth": _positive,
    "every": _positive,
    "rate": float,
    "times": _times,
}

# Every kind with its options: how each is read, and its default (... if it must be given).
_ANSWERS: Mapping[str, Mapping[str, Option]] = {
    "status": {
        "code": (_status_code, HTTPStatus.INTERNAL_SERVER_ERROR),
        "html": (_flag, False),
        "retry_after": (int, None),
    },
    "empty": {},
    "html": {},
    "redirect": {"url": (str, ...), "code": (_status_code, HTTPStatus.FOUND)},
}
_PAGES: Mapping[str, Mapping[str, Option]] = {
    "short": {"rows": (int, 1)},
    "empty_page": {},
    "total": {"value": (int, None), "delta": (int, 1)},
    "next_offorigin": {"url": (str, ...)},
    "next_loop": {"to": (int, None)},
    "next_missing_link": {},
    "next_missing_hydra": {},
    "next_disagree": {},
    "last_gone": {},
}
_WIRE: Mapping[str, Mapping[str, Option]] = {
    "truncate": {"clean": (_flag, False)},
    "reset": {"when": (_one_of(("before", "after")), "before")},
    "hang": {"seconds": (float, 3600.0)},
    "slow": {"seconds": (float, 1.0)},
    "latency": {"seconds": (float, 0.1)},
}
_ROWS: Mapping[str, Mapping[str, Option]] = {
    "poison": {"row": (int, ...)},
    "insert": {"at": (int, 1)},
    "delete": {"at": (int, 1)},
}
_KINDS = {**_ANSWERS, **_PAGES, **_WIRE, **_ROWS}

KINDS = tuple(_KINDS)


@dataclass(slots=True)
class Fault:
    """One fault: its kind, its options, and the requests it waits for."""

    kind: str
    selectors: Mapping[str, Any]
    options: Mapping[str, Any]
    dice: Random
    seen: int = field(default=0)
    fired: int = field(default=0)

    def is_due(self, place: Place, tier: str) -> bool:
        """Whether this request gets the fault; asking counts the request."""
        if not self._concerns(place, tier):
            return False
        self.seen += 1
        if self.fired >= self.selectors["times"] or self.seen < self.selectors["nth"]:
            return False
        if self.seen % self.selectors["every"]:
            return False
        if self.dice.random() >= self.selectors["rate"]:
            return False
        self.fired += 1
        return True

    def _concerns(self, place: Place, tier: str) -> bool:
        if self.kind in _PAGES and place.name not in COLLECTIONS:
            return False
        wanted = self.selectors
        return (
            wanted.get("tier", tier) == tier
            and wanted.get("path", place.name) == place.name
            and ("page" not in wanted or wanted["page"] == _page(place))
        )


Due = Sequence[Fault]


def read_fault(spec: str, dice: Random) -> Fault:
    """Read ``kind[:key=value,…]``; ValueError, with a line for people, if it says nothing known."""
    kind, _, rest = spec.partition(":")
    if kind not in _KINDS:
        raise ValueError(f"fault: {kind!r} is none of {', '.join(KINDS)}")
    readers = {**_SELECTORS, **{name: read for name, (read, _) in _KINDS[kind].items()}}
    given = dict(_read(kind, part, readers) for part in rest.split(",") if part)
    options = {name: given.pop(name, default) for name, (_, default) in _KINDS[kind].items()}
    if missing := [name for name, value in options.items() if value is ...]:
        raise ValueError(f"fault: {kind} needs {missing[0]}=")
    return Fault(kind, _usual_selectors(kind, given) | given, options, dice)


def _read(kind: str, part: str, readers: Mapping[str, Callable[[str], Any]]) -> tuple[str, Any]:
    name, _, text = part.partition("=")
    try:
        return name, readers[name](text)
    except (KeyError, ValueError):
        known = ", ".join(readers)
        raise ValueError(f"fault: {kind} can't read {part!r}; it knows {known}") from None


def _usual_selectors(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Once is enough, unless a share of all requests is asked for."""
    repeated = kind == "latency" or given.keys() & {"every", "rate"}
    usual = {"times": inf if repeated else 1, "nth": 1, "every": 1, "rate": 1}
    return usual | ({"path": "objects"} if kind in _ROWS else {})


class Faults:
    """The faults in force, and what each does to the museum's rows and pages."""

    def __init__(self, museum: Museum, seed: int, specs: Iterable[str]) -> None:
        self._museum = museum
        self._seed = seed
        self._faults: list[Fault] = []
        self.add(*specs)

    def add(self, *specs: str) -> None:
        """Put more faults in force: all of them, or none if one can't be read."""
        faults = [read_fault(spec, self._dice(spec, place)) for place, spec in enumerate(specs)]
        for fault in faults:
            if fault.kind in _ROWS:
                self._shelf(fault)
        for fault in faults:
            if fault.kind == "poison":
                shelf = self._shelf(fault)
                shelf.poison.add(shelf.keys[fault.options["row"] - 1])
        self._faults += faults

    def clear(self) -> None:
        """Put all right again; rows that came or went stay as they are."""
        self._faults.clear()
        for name in COLLECTIONS:
            self._museum.shelf(name).poison.clear()

    def due(self, place: Place, tier: str) -> Due:
        """The faults this request gets, in the order they were put in force."""
        return [fault for fault in self._faults if fault.is_due(place, tier)]

    def move_rows(self, due: Due) -> None:
        """Let rows appear and vanish, once the request that these faults waited for is answered."""
        for fault in due:
            if fault.kind in ("insert", "delete"):
                shelf, at = self._shelf(fault), fault.options["at"]
                shelf.insert(at) if fault.kind == "insert" else shelf.delete(at)
                self._museum.forget()

    def _dice(self, spec: str, place: int) -> Random:
        return Random(f"{self._seed}:{len(self._faults) + place}:{spec}")

    def _shelf(self, fault: Fault) -> Shelf:
        name = fault.selectors["path"]
        if name not in COLLECTIONS:
            raise ValueError(f"fault: {fault.kind} knows no collection {name!r}")
        shelf = self._museum.shelf(name)
        row = fault.options.get("row")
        if row is not None and not 0 < row <= len(shelf.keys):
            raise ValueError(f"fault: {name} has no row {row} to {fault.kind}")
        return shelf


def _page(place: Place) -> int | None:
    if place.name not in COLLECTIONS:
        return None
    given = [part[5:] for part in place.query.split("&") if part.startswith("page=")]
    return leading_int(given[0]) if given else 1
