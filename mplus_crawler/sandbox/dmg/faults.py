"""Gent's faults: what goes wrong, for which requests, and what happens to rows."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from mplus_crawler.sandbox.dmg.limits import UNLIMITED
from mplus_crawler.sandbox.dmg.listing import Listing
from mplus_crawler.sandbox.dmg.museum import Museum
from mplus_crawler.sandbox.dmg.query import leading_int
from mplus_crawler.sandbox.dmg.routes import COLLECTIONS, NAMES, Place
from mplus_crawler.sandbox.facts.dmg import FACTS
from mplus_crawler.sandbox.faults import (
    STATUS,
    WIRE,
    Dialect,
    Due,
    Fault,
    Kinds,
    one_of,
    status_code,
)

_ANSWERS: Kinds = {
    **STATUS,
    "empty": {},
    "database": {},
    "redirect": {"url": (str, ...), "code": (status_code, HTTPStatus.FOUND)},
}
_PAGES: Kinds = {
    "short": {"rows": (int, 1)},
    "thin": {"rows": (int, 100)},
    "empty_page": {},
    "total": {"value": (int, None), "delta": (int, 1)},
    "next_offorigin": {"url": (str, ...)},
    "next_loop": {"to": (int, None)},
    "next_missing_link": {},
    "next_missing_hydra": {},
    "next_disagree": {},
    "last_gone": {},
}
_ROWS: Kinds = {
    "poison": {"row": (int, ...)},
    "insert": {"at": (int, 1)},
    "delete": {"at": (int, 1)},
}
_DIALECT = Dialect(
    kinds={**_ANSWERS, **_PAGES, **WIRE, **_ROWS},
    selectors={
        "tier": one_of([UNLIMITED, *(tier["name"] for tier in FACTS["tier"])]),
        "path": one_of(NAMES),
        "page": int,
    },
    usual={kind: {"path": "objects"} for kind in _ROWS},
)

KINDS = tuple(_DIALECT.kinds)


class Faults:
    """The active faults, and their effects on rows and pages."""

    def __init__(self, museum: Museum, seed: int, specs: Iterable[str]) -> None:
        self._museum = museum
        self._seed = seed
        self._faults: list[Fault] = []
        self.add(*specs)

    def add(self, *specs: str) -> None:
        """Activate more faults: all of them, or none if one is invalid."""
        self._activate(_DIALECT.read_all(specs, self._seed, len(self._faults)))

    def _activate(self, faults: list[Fault]) -> None:
        for fault in faults:
            if fault.kind in _ROWS:
                self._listing(fault)
        for fault in faults:
            if fault.kind == "poison":
                listing = self._listing(fault)
                listing.poison.add(listing.keys[fault.options["row"] - 1])
        self._faults += faults

    def follow(self, museum: Museum) -> None:
        """Apply the active faults to the museum of another day."""
        self._museum, faults, self._faults = museum, self._faults, []
        self._activate(faults)

    def clear(self) -> None:
        """Deactivate all faults; rows that were added or removed stay so."""
        self._faults.clear()
        for name in COLLECTIONS:
            self._museum.listing(name).poison.clear()

    def due(self, place: Place, tier: str) -> Due:
        """Return the faults of this request, in the order of their activation."""
        return [f for f in self._faults if _concerns(f, place, tier) and f.strikes()]

    def move_rows(self, due: Due) -> None:
        """Add and remove rows, after the response to the request that triggers these faults."""
        for fault in due:
            if fault.kind in ("insert", "delete"):
                listing, at = self._listing(fault), fault.options["at"]
                listing.insert(at) if fault.kind == "insert" else listing.delete(at)
                self._museum.forget()

    def _listing(self, fault: Fault) -> Listing:
        name = fault.selectors["path"]
        if name not in COLLECTIONS:
            raise ValueError(f"fault: {fault.kind} knows no collection {name!r}")
        listing = self._museum.listing(name)
        row = fault.options.get("row")
        if row is not None and not 0 < row <= len(listing.keys):
            raise ValueError(f"fault: {name} has no row {row} to {fault.kind}")
        return listing


def _concerns(fault: Fault, place: Place, tier: str) -> bool:
    if fault.kind in _PAGES and place.name not in COLLECTIONS:
        return False
    wanted = fault.selectors
    return (
        wanted.get("tier", tier) == tier
        and wanted.get("path", place.name) == place.name
        and ("page" not in wanted or wanted["page"] == _page(place))
    )


def _page(place: Place) -> int | None:
    if place.name not in COLLECTIONS:
        return None
    given = [part[5:] for part in place.query.split("&") if part.startswith("page=")]
    return leading_int(given[0]) if given else 1
