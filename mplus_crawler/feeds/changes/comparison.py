"""The changes between two snapshots, in the order of a feed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mplus_crawler.feeds.changes.change import Change, ChangeType
from mplus_crawler.feeds.changes.compare import columns, differing, is_regenerated, object_number
from mplus_crawler.feeds.changes.evidence import Evidence, removal
from mplus_crawler.feeds.changes.snapshot import Row


def creations(digests: Iterable[tuple[str, str]]) -> Iterator[Change]:
    """Yield the changes that lead from nothing to a snapshot with these ids and digests."""
    return (Change(ChangeType.CREATE, id_, after=digest) for id_, digest in digests)


@dataclass(slots=True)
class Comparison:
    """Makes the changes between two snapshots.

    *out* has the ids that earlier feeds have removed, each with its last line; *missing* has those
    of them whose deletion is not proven. *evidence* returns why an id is not in the new snapshot;
    *targets* are the ids that others may have become. Memory grows with the number of new and
    removed ids, not with the snapshots.
    """

    evidence: Callable[[str], Evidence]
    out: Mapping[str, Change] = field(default_factory=dict)
    missing: Mapping[str, Change] = field(default_factory=dict)
    targets: Collection[str] = ()
    _come: dict[str, Change] = field(default_factory=dict)
    _gone: dict[str, str] = field(default_factory=dict)  # with their digests
    _digests: dict[str, str] = field(default_factory=dict)  # of targets in the new snapshot
    _numbers: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)

    def changes(self, former: Iterable[Row], now: Iterable[Row]) -> Iterator[Change]:
        """Yield updates, then new ids, then removed ones; both inputs are sorted by id."""
        for before, after in differing(former, self._watched(now)):
            if before and after:
                yield _update(before, after)
            elif after:
                self._add(after)
            elif before:
                self._remove(before)
        removals = [*self._removals()]
        # A Move also stands for the record that has come.
        moved = {change.to for change in removals if change.after}
        yield from (change for id_, change in self._come.items() if id_ not in moved)
        yield from removals

    @property
    def gone(self) -> int:
        """How many ids are no longer in the snapshot, once the changes have been made."""
        return len(self._gone)

    def _watched(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            if row.id in self.targets:
                self._digests[row.id] = row.digest
            yield row

    def _add(self, row: Row) -> None:
        type_ = ChangeType.RESTORE if row.id in self.out else ChangeType.CREATE
        self._come[row.id] = Change(type_, row.id, after=row.digest)
        self._digests[row.id] = row.digest
        if type_ is ChangeType.CREATE and (number := object_number(row)):
            self._numbers.setdefault(number, ([], []))[1].append(row.id)

    def _remove(self, row: Row) -> None:
        self._gone[row.id] = row.digest
        if number := object_number(row):
            self._numbers.setdefault(number, ([], []))[0].append(row.id)

    def _removals(self) -> Iterator[Change]:
        pairs = self._numbers.values()
        twins = {gone[0]: come[0] for gone, come in pairs if len(gone) == len(come) == 1}
        for id_ in sorted({*self._gone, *self.missing} - self._come.keys()):
            change = removal(
                id_,
                self.evidence(id_),
                before=self._gone.get(id_),
                former=self.missing.get(id_),
                twin=twins.get(id_),
                digests=self._digests,
            )
            if change:
                yield change


def _update(before: Row, after: Row) -> Change:
    names = columns(before, after)
    evidence = {"regenerated": True} if is_regenerated(before, after, names) else {}
    return Change(
        ChangeType.UPDATE,
        after.id,
        before=before.digest,
        after=after.digest,
        columns=names,
        evidence=evidence,
    )
