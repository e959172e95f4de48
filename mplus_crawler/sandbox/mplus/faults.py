"""M+'s faults: in front of the API, in its backend, and in its records."""

from __future__ import annotations

from collections.abc import Collection as Some
from collections.abc import Iterable
from http import HTTPStatus

from mplus_crawler.sandbox.facts.mplus import ENGLISH, FACTS
from mplus_crawler.sandbox.faults import (
    STATUS,
    WIRE,
    Dialect,
    Due,
    Fault,
    Kinds,
    one_of,
    positive,
    status_code,
)
from mplus_crawler.sandbox.mplus.data import Collection, Document
from mplus_crawler.sandbox.mplus.schema import ROOTS

# Counted over calls.
_GATE: Kinds = {
    **STATUS,
    "redirect": {"url": (str, None), "code": (status_code, HTTPStatus.MOVED_PERMANENTLY)},
    **WIRE,
}
_MOVES: Kinds = {"insert": {"at": (int, 1)}, "delete": {"at": (int, 1)}}
# Counted over searches that miss the cache.
_SEARCHES: Kinds = {
    "backend": {"seconds": (float, 0.0)},
    "nested": {"seconds": (float, 0.0)},
    "thin": {},
    "crosstalk": {},
    "total": {},
}
# In force at once.
_RECORDS: Kinds = {"poison": {"row": (positive, ...)}, "text": {"row": (positive, ...)}}

_DIALECT = Dialect(
    kinds={**_GATE, **_SEARCHES, **_MOVES, **_RECORDS},
    selectors={"root": one_of(ROOTS), "page": int},
    usual={kind: {"root": "objects"} for kind in (*_MOVES, *_RECORDS)},
)

KINDS = tuple(_DIALECT.kinds)

Requested = Some[tuple[str, int]]


class Faults:
    """The faults in force, and their effects on records."""

    def __init__(self, collection: Collection, seed: int, specs: Iterable[str]) -> None:
        self._collection = collection
        self._seed = seed
        self._faults: list[Fault] = []
        self.add(*specs)

    def add(self, *specs: str) -> None:
        """Add faults: all of them, or none if one is malformed."""
        self._activate(_DIALECT.read_all(specs, self._seed, len(self._faults)))

    def follow(self, collection: Collection) -> None:
        """Apply the active faults to the collection of another day."""
        self._collection, faults, self._faults = collection, self._faults, []
        self._activate(faults)

    def _activate(self, faults: list[Fault]) -> None:
        for fault in faults:
            if fault.kind in _MOVES and fault.selectors["root"] not in self._collection.indexes:
                raise ValueError(f"fault: {fault.selectors['root']} has no records to {fault.kind}")
        rows = [(fault, self._row(fault)) for fault in faults if fault.kind in _RECORDS]
        for fault, row in rows:
            if fault.kind == "poison":
                row.poison = True
            else:
                row.record["title"] = row.record["title"] | {ENGLISH: FACTS["made_up"]["text"]}
                row.views.clear()
        self._faults += faults

    def clear(self) -> None:
        """Remove all faults; changed texts, new and withdrawn records stay."""
        self._faults.clear()
        for document in self._collection.indexes["objects"]:
            document.poison = False

    def of_call(self, requested: Requested) -> Due:
        """The faults that strike a call with these roots and pages."""
        kinds = {**_GATE, **_MOVES}
        return [
            fault
            for fault in self._faults
            if fault.kind in kinds and _concerns(fault, requested) and fault.strikes()
        ]

    def of_search(self, kind: str, root: str, page: int) -> Fault | None:
        """The fault of this kind that strikes one search of the backend."""
        due = [
            fault
            for fault in self._faults
            if fault.kind == kind and _concerns(fault, [(root, page)]) and fault.strikes()
        ]
        return due[0] if due else None

    def move_records(self, due: Due) -> bool:
        """Insert and withdraw records; return whether any changed."""
        moves = [fault for fault in due if fault.kind in _MOVES]
        for fault in moves:
            collection = self._collection
            move = collection.insert if fault.kind == "insert" else collection.withdraw
            move(fault.selectors["root"], fault.options["at"])
        return bool(moves)

    def _row(self, fault: Fault) -> Document:
        root: str = fault.selectors["root"]
        row: int = fault.options["row"]
        rows = self._collection.public(root) if root == "objects" else []
        if row > len(rows):
            raise ValueError(f"fault: {root} has no row {row} to {fault.kind}")
        return rows[row - 1]


def _concerns(fault: Fault, requested: Requested) -> bool:
    wanted = fault.selectors
    if fault.kind in _MOVES or not wanted.keys() & {"root", "page"}:
        return True
    return any(
        wanted.get("root", root) == root and wanted.get("page", page) == page
        for root, page in requested
    )
