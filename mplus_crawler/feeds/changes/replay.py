"""Replay: the content of a snapshot, and the net result of feeds, by applying their changes."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping

from msgspec.structs import replace

from mplus_crawler.feeds.changes.change import SETS, Change, ChangeType

_COME = (ChangeType.CREATE, ChangeType.RESTORE)
_ORDER = (ChangeType.UPDATE, *_COME, ChangeType.MOVE, ChangeType.DELETE, ChangeType.MISSING)


def replay(changes: Iterable[Change], content: MutableMapping[str, str]) -> None:
    """Apply *changes* to *content*, digests by id."""
    for change in changes:
        if change.type in SETS:
            content[change.id] = change.after or ""
            continue
        content.pop(change.id, None)
        if change.to and change.after:
            content[change.to] = change.after


def take_out(change: Change, out: MutableMapping[str, Change]) -> None:
    """Apply *change* to *out*, which has the last line of each id that is not in the snapshot."""
    if change.type in SETS:
        out.pop(change.id, None)
        return
    if change.after and change.to:
        out.pop(change.to, None)
    out[change.id] = change


class Net:
    """The net result of feeds: the changes from the content before them to that after them.

    Pass it all changes in order: :meth:`know` takes the earlier ones, :meth:`add` those of the
    feeds.
    """

    def __init__(self) -> None:
        self._before: dict[str, str] = {}
        self._now: dict[str, str] = {}
        self._out: dict[str, Change] = {}  # by id, the line before that took it out
        self._touched: dict[str, list[Change]] = {}

    def know(self, changes: Iterable[Change]) -> None:
        """Apply earlier changes, on which those of the feeds build."""
        for change in changes:
            replay([change], self._before)
            take_out(change, self._out)

    def add(self, changes: Iterable[Change]) -> None:
        """Add changes of the feeds."""
        if not self._touched:
            self._now = dict(self._before)
        for change in changes:
            replay([change], self._now)
            self._touched.setdefault(change.id, []).append(change)
            if change.to and change.after:
                self._touched.setdefault(change.to, []).append(change)

    def changes(self) -> list[Change]:
        """Return the changes, in the order of a feed; each id has one at most."""
        found = [change for id_ in sorted(self._touched) if (change := self._of(id_))]
        moved = {change.to for change in found if change.type is ChangeType.MOVE}
        net = [each for each in found if each.type not in _COME or each.id not in moved]
        # A Move also sets its target, so updates of that come before it.
        return sorted(net, key=lambda each: _ORDER.index(each.type))

    def _of(self, id_: str) -> Change | None:
        before, after, lines = self._before.get(id_), self._now.get(id_), self._touched[id_]
        if after is None:
            return self._removed(id_, before)
        if before is None:
            type_ = ChangeType.RESTORE if id_ in self._out else ChangeType.CREATE
            return Change(type_, id_, after=after)
        if before == after:
            return None
        updates = [line for line in lines if line.type is ChangeType.UPDATE]
        whole = len(updates) == len([line for line in lines if line.id == id_])
        names = dict.fromkeys(name for line in updates for name in line.columns)
        again = whole and all(line.regenerated for line in updates)
        return Change(
            ChangeType.UPDATE,
            id_,
            before=before,
            after=after,
            columns=tuple(names) if whole else (),
            evidence={"regenerated": True} if again else {},
        )

    def _removed(self, id_: str, before: str | None) -> Change | None:
        """Return the last line that removed *id_*; none if it was also added by these feeds."""
        last = [line for line in self._touched[id_] if line.id == id_][-1]
        waited = self._out.get(id_)
        if before is None and (waited is None or waited.type is not ChangeType.MISSING):
            return None
        if before is None and last.type is ChangeType.MISSING:
            return None
        if last.type is not ChangeType.MOVE:
            return replace(last, before=before)
        to = self._end(last)
        return replace(last, to=to, before=before, after=self._now.get(to))

    def _end(self, move: Change) -> str:
        """Return where the record of *move* is now: its target may have moved on."""
        to, seen = move.to or "", {move.id}
        while to not in self._now and to not in seen:
            seen.add(to)
            lines = [line for line in self._touched.get(to, ()) if line.id == to]
            if not lines or not lines[-1].to:
                break
            to = lines[-1].to
        return to
