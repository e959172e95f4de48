"""Changes of the museums' schemas on request: fields dropped, renamed, retyped or added."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from mplus_crawler.sandbox.faults import Dialect, Fault, Kinds, Option, one_of, positive

Json = dict[str, Any]

COLLECTIONS = (
    *("objects", "agents", "exhibitions", "concepts", "private_objects"),
    *("mplus_objects", "mplus_constituents", "mplus_exhibitions"),
)
_FIELD: Mapping[str, Option] = {
    "field": (str, ...),
    "path": (one_of(COLLECTIONS), "objects"),
    "day": (positive, 1),
}
_KINDS: Kinds = {
    "drop": _FIELD,
    "rename": {**_FIELD, "to": (str, ...)},
    "retype": _FIELD,
    "uri": _FIELD,
    "add": _FIELD,
}
_DIALECT = Dialect(kinds=_KINDS, selectors={}, schedule={}, word="schema change")

KINDS = tuple(_KINDS)


class SchemaChanges:
    """The schema changes of one day; raises ValueError if a spec is malformed."""

    def __init__(self, specs: Iterable[str], day: int) -> None:
        changes = _DIALECT.read_all(specs, 0, 0)
        self._changes = [change for change in changes if change.options["day"] <= day]

    def apply(self, collection: str, record: Json) -> None:
        """Change a record of *collection* as the museum would send it."""
        for change in self._changes:
            if change.options["path"] == collection:
                _change(record, change.options["field"].split("/"), change)

    def applied(self, collection: str, records: list[Json]) -> list[Json]:
        """Return changed copies of records, or the records themselves if nothing changes."""
        if not any(change.options["path"] == collection for change in self._changes):
            return records
        copies = deepcopy(records)
        for record in copies:
            self.apply(collection, record)
        return copies


def _change(node: Any, path: Sequence[str], change: Fault) -> None:
    """Change the field at *path* in every object below *node*."""
    if isinstance(node, list):
        for one in node:
            _change(one, path, change)
    elif isinstance(node, dict) and len(path) > 1:
        _change(node.get(path[0]), path[1:], change)
    elif isinstance(node, dict) and (path[0] in node or change.kind == "add"):
        _CHANGES[change.kind](node, path[0], change.options)


def _retype(node: Json, field: str, _: Mapping[str, Any]) -> None:
    value = node[field]
    node[field] = repr(value) if isinstance(value, dict | list) else {"@value": value}


def _move_uri(node: Json, field: str, _: Mapping[str, Any]) -> None:
    if isinstance(node[field], str):
        node[field] = node[field].replace("/id/", "/data/", 1)


def _rename(node: Json, field: str, options: Mapping[str, Any]) -> None:
    node[options["to"]] = node.pop(field)


_CHANGES: Mapping[str, Callable[[Json, str, Mapping[str, Any]], object]] = {
    "drop": lambda node, field, _: node.pop(field),
    "rename": _rename,
    "retype": _retype,
    "uri": _move_uri,
    "add": lambda node, field, _: node.setdefault(field, "new"),
}
