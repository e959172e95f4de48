"""Checks records against the schema of their kind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache, cached_property
from typing import Any

import jsonschema_rs

from mplus_crawler import schema_folder

_MESSAGE_LENGTH = 300


class _Schema:
    """A kind's schema: a fast validator accepts, :func:`worded` words the errors."""

    def __init__(self, schema: dict[str, Any], kind: str) -> None:
        rules = schema["properties"]
        self.columns = {name for name in rules if kind in rules[name].get("kinds", [kind])}
        self.volatile = {name for name in rules if rules[name].get("volatile")}
        self._schema, self._kind = schema, kind
        self._chosen: dict[frozenset[str], _Schema] = {}

    @cached_property
    def _fast(self) -> jsonschema_rs.Draft7Validator:
        return jsonschema_rs.Draft7Validator(self._schema, validate_formats=True, offline=True)

    def of(self, chosen: frozenset[str]) -> _Schema:
        """Return the schema of rows that have only the columns *chosen*."""
        if chosen not in self._chosen:
            required = [name for name in self._schema["required"] if name in chosen]
            self._chosen[chosen] = _Schema({**self._schema, "required": required}, self._kind)
        return self._chosen[chosen]

    def faults(self, row: dict[str, Any]) -> Iterator[str]:
        if not self._fast.is_valid(row):
            yield from worded(self._schema, row)


def schema_faults(row: dict[str, Any], chosen: frozenset[str] | None = None) -> Iterator[str]:
    """Yield the errors of *row* by the schema of its kind.

    *chosen* are the columns of a feed that does not have all; one that has columns under other
    names is not checked.
    """
    schema = _schema_of(row)
    if schema is None:
        if chosen is None or "kind" in chosen:
            yield f"kind: no schema for {str(row.get('kind'))!r:.50}"
        return
    if chosen is not None:
        if not chosen <= schema.columns:
            return
        schema = schema.of(chosen)
    try:
        yield from schema.faults(row)
    except (ValueError, RecursionError) as error:
        yield f"cannot be checked against its schema: {error}"


def volatile_columns(row: dict[str, Any]) -> set[str] | None:
    """Return the columns that the digest of *row* does not cover.

    None if *row* lacks columns, so that its digest cannot be recomputed.
    """
    schema = _schema_of(row)
    return schema.volatile if schema and schema.columns <= row.keys() else None


def _schema_of(row: dict[str, Any]) -> _Schema | None:
    kind, source = str(row.get("kind")), str(row.get("source"))
    return _schemas().get((source, kind)) or _schemas().get((None, kind))


@cache
def _schemas() -> dict[tuple[str | None, str], _Schema]:
    """Return schemas by source and kind; the source is None where a schema allows any."""
    found = {}
    for file in schema_folder().iterdir():
        if file.name.endswith(".schema.json"):
            schema = json.loads(file.read_text("utf-8"))
            properties = schema.get("properties", {})
            rule = properties.get("kind", {})
            for kind in rule.get("enum") or filter(None, [rule.get("const")]):
                for source in properties["source"].get("enum", [None]):
                    found[source, kind] = _Schema(schema, kind)
    return found


def worded(schema: dict[str, Any], instance: Any) -> Iterator[str]:
    """Yield the errors of *instance* by *schema*, each with its path.

    jsonschema knows formats such as date-time only with further packages, so another validator
    looks for wrong formats where that one finds nothing.
    """
    fast = jsonschema_rs.Draft7Validator(schema, validate_formats=True, offline=True)
    with suppress(ValueError):  # a number that it cannot hold
        if fast.is_valid(instance):
            return
    import jsonschema  # slow to import, and most files are free of errors

    faults = jsonschema.Draft7Validator(schema).iter_errors(instance)
    if first := next(faults, None):
        yield _line(first.absolute_path, first.message)
        for error in faults:
            yield _line(error.absolute_path, error.message)
        return
    for fault in fast.iter_errors(instance):
        yield _line(fault.instance_path, fault.message)


def _line(path: Iterable[str | int], message: str) -> str:
    if len(message) > _MESSAGE_LENGTH:
        message = f"{message[:_MESSAGE_LENGTH]}…"
    place = ".".join(map(str, path))
    return f"{place}: {message}" if place else message
