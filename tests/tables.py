"""Feeds as typed tables of DuckDB, by the schemas' types alone: nothing is inferred from rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from mplus_crawler.records.items import ITEM_CLASSES

_SCALARS = {"string": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN"}


def column_types(kind: str) -> dict[str, str]:
    """The type of each column of *kind*; raises ValueError for one that the schema leaves open."""
    schema = ITEM_CLASSES[kind].jsonschema
    found = {}
    for name, rule in schema["properties"].items():
        try:
            found[name] = _type(rule, schema.get("definitions", {}))
        except (ValueError, KeyError) as error:
            raise ValueError(f"{kind}.{name}: {error}") from None
    return found


def _type(rule: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if reference := rule.get("$ref"):
        rule = definitions[reference.removeprefix("#/definitions/")]
    named = rule["type"]
    types = {named} - {"null"} if isinstance(named, str) else {*named} - {"null"}
    if len(types) != 1:
        raise ValueError(f"it is one of {sorted(types)}")
    (name,) = types
    if name == "array":
        return f"{_type(rule['items'], definitions)}[]"
    if name != "object":
        return _SCALARS[name]
    if rule.get("additionalProperties") is not False:
        return "JSON"  # what the museum sent
    fields = ", ".join(
        f'"{field}" {_type(below, definitions)}' for field, below in rule["properties"].items()
    )
    return f"STRUCT({fields})"


def load(database: duckdb.DuckDBPyConnection, table: str, kind: str, feed: Path) -> None:
    """Load the JSON lines *feed* of *kind* into *table*."""
    columns = ", ".join(f"'{name}': '{type_}'" for name, type_ in column_types(kind).items())
    database.execute(
        f"CREATE TABLE {table} AS SELECT * FROM read_json('{feed}', format = 'newline_delimited', "
        f"columns = {{{columns}}}, maximum_object_size = 100000000)"
    )
