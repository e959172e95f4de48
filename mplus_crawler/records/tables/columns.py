"""Columns of a table, with the types that the JSON Schema of their rows gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

KEY = "id"
# By JSON Schema type; what has another type, or several, is kept as JSON text.
_KINDS = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its *name*, and the *kind* of its values.

    *kind* is ``text``, ``integer``, ``number``, ``boolean`` or ``json`` (any value, as JSON text).
    A column that *repeats* has a list of such values, or of objects with *fields*, whose kind is
    ``object``. A value may be ``None`` unless the column is *required*.
    """

    name: str
    kind: str
    repeats: bool = False
    fields: tuple[Column, ...] = ()
    description: str = ""
    required: bool = False


def columns_of(schema: Mapping[str, Any], names: Iterable[str] = ()) -> list[Column]:
    """Return the columns of rows that *schema* describes; with *names*, only these.

    A name that *schema* does not have is a column of empty strings, as in CSV.
    """
    properties = schema["properties"]
    return [
        _column(name, properties.get(name, {"type": ["string", "null"]}), schema)
        for name in names or properties
    ]


def _column(name: str, rule: Mapping[str, Any], schema: Mapping[str, Any]) -> Column:
    description = rule.get("description", "")
    required = "null" not in _types(rule) and name in schema.get("required", ())
    if _type(rule) != "array":
        return Column(name, _kind(rule), description=description, required=required)
    members = _followed(rule.get("items", {}), schema)
    fields = members.get("properties", {}) if _is_closed(members) else {}
    kind = "object" if fields else _kind(members)
    if kind == "json":
        return Column(name, kind, description=description, required=required)
    within = tuple(
        Column(field, _kind(_followed(one, schema)), description=one.get("description", ""))
        for field, one in fields.items()
    )
    return Column(name, kind, True, within, description, required)


def _kind(rule: Mapping[str, Any]) -> str:
    """Return the kind of a single value."""
    return _KINDS.get(_type(rule), "json")


def _is_closed(rule: Mapping[str, Any]) -> bool:
    """Return whether *rule* is for objects whose members are all known."""
    return _type(rule) == "object" and rule.get("additionalProperties") is False


def _type(rule: Mapping[str, Any]) -> str:
    """Return the only type of *rule* beside ``null``."""
    found = [type_ for type_ in _types(rule) if type_ != "null"]
    return found[0] if len(found) == 1 else ""


def _types(rule: Mapping[str, Any]) -> list[str]:
    found = rule.get("type", [])
    return [found] if isinstance(found, str) else list(found)


def _followed(rule: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return *rule*, or the definition that it refers to."""
    reference = rule.get("$ref", "").rpartition("/")[2]
    return schema["definitions"][reference] if reference else rule
