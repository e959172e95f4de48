"""Changes between the shapes of two harvests, judged by what the museum promises.

A change is reported only if it is unlikely to be chance: at least ten records, or most of three or
more, should have the former shape, and hardly any has it. A rare field that is missing once is not
reported.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from mplus_crawler.errors import counted, one_line
from mplus_crawler.museum.contract import Museum
from mplus_crawler.museum.policies.policy import Policy, Stability
from mplus_crawler.records.shape import NO_VALUE

# Records that would be expected to have what is missing from all of them.
ENOUGH = 10
# So few are enough if they are at least this share of all records.
FEW, _NEARLY_ALL = 3, 0.75
# Shares of a field's records: what is more than rare, and what most readers meet.
_RESIDUE = 0.1
_MAJORITY = 0.5
_MOST_CHANGES = 50

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ShapeChange:
    """One change: ``removed``, ``retyped``, ``uri``, ``endpoint`` or ``added``, and in words."""

    kind: str
    path: str
    what: str
    breaking: bool = True


@dataclass(frozen=True, slots=True)
class Promise:
    """What a museum promises of a version of its API."""

    museum: str
    version: str
    stability: Stability | None  # None: nothing

    @classmethod
    def of(cls, spider: Museum | type[Museum], policy: Policy) -> Self:
        """Return the promise for the records of *spider*."""
        version = spider.api_version or policy.current_version
        return cls(policy.name, version, policy.stability)

    @property
    def words(self) -> str:
        """The promise in the museum's words, with its source."""
        if self.stability is None:
            return f"{self.museum} promises no stable fields."
        return f"{self.museum} promises: {self.stability.promise} ({self.stability.source})."

    def entry(self, change: ShapeChange) -> dict[str, Any]:
        """Return a breaking *change* for the certificate: with its clause, and in one sentence."""
        clause = getattr(self.stability, change.kind) if self.stability else None
        entry = {"kind": change.kind, "path": change.path, "what": change.what, "clause": clause}
        return {**entry, "message": one_line(self.message(change))}

    def message(self, change: ShapeChange) -> str:
        """Return *change* as a sentence that names the museum's clause."""
        within = f" within {self.version}" if self.version else ""
        if not change.breaking:
            return f"addition{within}: {change.what}"
        if self.stability is None:
            return f"change: {change.what} ({self.museum} promises no stable fields)"
        clause = getattr(self.stability, change.kind)
        return (
            f"breaking change{within}: {change.what} ({self.museum} promises a new version for: "
            f"{clause})"
        )


def shape_changes(former: Document, now: Document) -> list[ShapeChange]:
    """Return the changes from one shape to another, breaking ones first, 50 at most.

    Both are what :meth:`.Shape.document` returned. Fields that were left out of them are not
    changes.
    """
    found = [
        *(() if now["bounded"] else _lost(former, now)),
        *(() if former["bounded"] else _gained(former, now)),
    ]
    found.sort(key=lambda change: (not change.breaking, change.path))
    return found[:_MOST_CHANGES]


def _lost(former: Document, now: Document) -> Iterator[ShapeChange]:
    """Yield fields that are gone or changed; below such a field, nothing more is reported."""
    over: list[str] = []
    for path, old in former["paths"].items():
        if any(path.startswith(f"{above}.") for above in over):
            continue
        new = now["paths"].get(path, {"records": 0, "types": {}})
        if change := _is_gone(path, old, new, former, now) or _is_retyped(
            path, old, new, former, now
        ):
            over.append(path)
            yield change
        else:
            yield from _uri_changes(path, old, new, former, now)


def _is_gone(
    path: str, old: Document, new: Document, former: Document, now: Document
) -> ShapeChange | None:
    """Return the loss of a field: its name at the top, or all of its values, in most records."""
    had, has = _values(old), _values(new)
    lost = _missing(had, has, *_read(former, now))
    if "." not in path:
        had, has = old["records"], new["records"]
        lost = lost or _missing(had, has, former["records"], now["records"])
    if not lost:
        return None
    what = f"{path} is gone from {had - (has if _values(new) else 0):,} of {counted(had, 'record')}"
    if renamed := _renamed(path, former, now):
        what += f", {renamed} is new"
    return ShapeChange("removed", path, what)


def _missing(had: int, has: int, records: int, others: int) -> bool:
    """Whether nearly all of what *had* it in *records* is missing from so many *others*."""
    return _is_enough(had, records, others) and has < _RESIDUE * had / records * others


def _renamed(path: str, former: Document, now: Document) -> str | None:
    """Return a new field beside *path* that about as many records have, with the same types."""
    above = path.rpartition(".")[0]
    old = former["paths"][path]
    for other, new in now["paths"].items():
        if other not in former["paths"] and other.rpartition(".")[0] == above:
            alike = _valued(old["types"]).keys() == _valued(new["types"]).keys()
            if alike and 0.8 * old["records"] <= new["records"] <= 1.25 * old["records"]:
                return str(other)
    return None


def _is_retyped(
    path: str, old: Document, new: Document, former: Document, now: Document
) -> ShapeChange | None:
    before, after = _valued(old["types"]), _valued(new["types"])
    rare = _RESIDUE * sum(before.values())
    further = {name: count for name, count in after.items() if before.get(name, 0) <= rare}
    lost = [
        name
        for name, count in before.items()
        if name not in after and _is_enough(count, *_read(former, now))
    ]
    most = sum(further.values()) >= _MAJORITY * sum(after.values())
    if not _is_enough(sum(further.values()), *_read(now, former)) or not (lost or most):
        return None
    usual = [name for name, count in before.items() if count > rare]
    what = (
        f"{path} was {_listed(usual)} and is {_listed(further)} "
        f"in {counted(new['records'], 'record')}"
    )
    return ShapeChange("retyped", path, what)


def _uri_changes(
    path: str, old: Document, new: Document, former: Document, now: Document
) -> Iterator[ShapeChange]:
    before, after = old.get("uris", {}), new.get("uris", {})
    lost = {
        uri: count
        for uri, count in before.items()
        if uri not in after and _is_enough(count, *_read(former, now))
    }
    further = [
        uri
        for uri, count in after.items()
        if uri not in before and _is_enough(count, *_read(now, former))
    ]
    if lost and further:
        uri = max(lost, key=lambda uri: lost[uri])
        what = (
            f"{path} was {uri} in {lost[uri]:,} of {counted(lost[uri], 'record')} "
            f"and is {further[0]}"
        )
        yield ShapeChange("uri", path, what)


def _gained(former: Document, now: Document) -> Iterator[ShapeChange]:
    """Yield new fields, and further types of fields that keep the types that they had."""
    over: list[str] = []
    for path, new in now["paths"].items():
        if any(path.startswith(f"{above}.") for above in over):
            continue
        old = former["paths"].get(path)
        if old is None or not (old["records"] or old["types"]):
            over.append(path)
            if _is_enough(_values(new), *_read(now, former)):
                what = f"{path} is new in {counted(new['records'], 'record')}"
                yield ShapeChange("added", path, what, breaking=False)


def _read(one: Document, other: Document) -> tuple[int, int]:
    return one["read"], other["read"]


def _is_enough(count: int, records: int, others: int) -> bool:
    """Whether *count* of *records* are enough, and would be of so many *others*."""
    if min(count, others) >= FEW and count >= _NEARLY_ALL * records:
        return True
    return count >= ENOUGH and records > 0 and count / records * others >= ENOUGH


def _values(entry: Document) -> int:
    """Return in how many of the records that were read the field has its most usual type."""
    return max(_valued(entry["types"]).values(), default=0)


def _valued(types: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in types.items() if name not in NO_VALUE}


def _listed(types: Collection[str]) -> str:
    return " or ".join(sorted(types))
