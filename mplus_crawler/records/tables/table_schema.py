"""Describes the columns of a CSV file: Table Schema, as in Data Package 2.

https://datapackage.org/standard/table-schema/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from mplus_crawler.records.batch import SEVERAL
from mplus_crawler.records.tables.columns import KEY, Column

_TYPES = {
    "text": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "json": "any",
}


def table_schema(columns: Sequence[Column]) -> dict[str, Any]:
    """Return the Table Schema of a CSV feed with *columns*."""
    schema: dict[str, Any] = {
        "$schema": "https://datapackage.org/profiles/2.0/tableschema.json",
        "fields": [_field(column) for column in columns],
        "missingValues": [""],
    }
    if any(column.name == KEY for column in columns):
        schema["primaryKey"] = [KEY]
    return schema


def table_schema_json(columns: Sequence[Column]) -> bytes:
    """Return the Table Schema as the content of a file."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(table_schema(columns), option=options)


def _field(column: Column) -> dict[str, Any]:
    field: dict[str, Any] = {"name": column.name, "type": _TYPES.get(column.kind, "any")}
    if column.repeats:
        is_joined = column.kind == "text"
        field |= {"type": "list", "delimiter": SEVERAL} if is_joined else {"type": "array"}
    if column.description:
        field["description"] = column.description
    if column.required:
        field["constraints"] = {"required": True}
    return field
