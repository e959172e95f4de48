"""Item classes made from the JSON Schemas in ``schemas/``, and the validation of rows.

A file ``schemas/{kind}.schema.json`` whose properties have a ``kind`` describes the rows of that
kind, or of several kinds that are listed there as ``enum``. Its properties are the columns; their
descriptions are the columns' documentation. A property marked with ``"kinds": [...]`` is a column
of these kinds only.

What the libraries do: scrapy-jsonschema makes a Scrapy item class with one field per property,
refuses unknown fields, and compiles the schema with the class's validator; we replace only that
validator, which takes 2 ms a record where ours takes 20 µs. Rows travel as plain dicts in
batches (:mod:`.batch`); Scrapy's exporters read them through itemadapter, which takes dicts and
items alike, so no code of ours calls it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import new_class
from typing import Any, ClassVar

import jsonschema_rs
import orjson
from scrapy_jsonschema import JsonSchemaItem
from scrapy_jsonschema.draft import JSON_SCHEMA_DRAFT_7
from scrapy_jsonschema.item import JsonSchemaMeta

from mplus_crawler import schema_folder
from mplus_crawler.errors import UsageError

SUFFIX = ".schema.json"
MESSAGE_LENGTH = 300


@dataclass(frozen=True, slots=True)
class SchemaViolation:
    """One violation of a schema: where, and what; the attributes are named as in jsonschema."""

    absolute_path: deque[str | int]
    message: str


class Validator:
    """A compiled draft-07 schema with the methods that scrapy-jsonschema calls.

    Formats are checked, and no ``$ref`` is fetched. The path of a missing property ends with
    the property's name.
    """

    def __init__(self, schema: dict[str, Any], format_checker: object = None) -> None:
        self._compiled = jsonschema_rs.Draft7Validator(
            schema, validate_formats=True, ignore_unknown_formats=False, offline=True
        )
        self.is_valid = self._compiled.is_valid

    @staticmethod
    def check_schema(schema: dict[str, Any]) -> None:
        """Raise ValueError if *schema* itself is invalid."""
        jsonschema_rs.meta.validate(schema)

    def iter_errors(self, instance: Any) -> Iterator[SchemaViolation]:
        """Yield every violation in *instance*; raise ValueError if it has over 254 levels."""
        for error in self._compiled.iter_errors(instance):
            path = deque(error.instance_path)
            if error.kind.name == "required":
                path.append(error.kind.value)
            yield SchemaViolation(path, error.message)


class SchemaMeta(JsonSchemaMeta):  # type: ignore[misc]  # its base is untyped
    """Makes item classes that validate with :class:`Validator`."""

    draft_to_validator = {JSON_SCHEMA_DRAFT_7: Validator}


class SchemaItem(JsonSchemaItem, metaclass=SchemaMeta):  # type: ignore[misc]  # its base is untyped
    """An item whose fields are the properties of ``jsonschema``."""

    jsonschema: ClassVar[dict[str, Any]] = {"$schema": JSON_SCHEMA_DRAFT_7, "type": "object"}
    validator: ClassVar[Validator]


def make_item_class(kind: str, schema: dict[str, Any]) -> type[SchemaItem]:
    """Make the item class of *kind*; its docstring is the description of *schema*.

    Raises ValueError unless ``$schema`` is the literal draft-07 URI: scrapy-jsonschema reads
    any other spelling as draft 4, which ignores ``const``, ``contains`` and ``if``.
    """
    if schema.get("$schema") != JSON_SCHEMA_DRAFT_7:
        raise ValueError(f"{kind}{SUFFIX}: $schema must be {JSON_SCHEMA_DRAFT_7}")
    name = "".join(part.capitalize() for part in kind.split("_")) + "Item"
    members = {"jsonschema": schema, "__doc__": schema["description"], "__module__": __name__}
    cls: type[SchemaItem] = new_class(name, (SchemaItem,), exec_body=lambda ns: ns.update(members))
    return cls


def _schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each kind with its schema."""
    for file in sorted(schema_folder().iterdir(), key=lambda file: file.name):
        if file.name.endswith(SUFFIX):
            schema = orjson.loads(file.read_bytes())
            if rule := schema.get("properties", {}).get("kind"):
                for kind in rule.get("enum", [file.name.removesuffix(SUFFIX)]):
                    yield kind, _of_kind(schema, kind)


def _of_kind(schema: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return *schema* with the columns of *kind* only."""
    columns = {
        name: rule
        for name, rule in schema["properties"].items()
        if kind in rule.get("kinds", [kind])
    }
    rule = dict(columns["kind"])
    if rule.pop("enum", None):
        columns["kind"] = {"const": kind, **rule}
    return {**schema, "properties": columns}


class _ItemClasses(Mapping[str, type[SchemaItem]]):
    """The item class of each kind, made when it is first needed: compiling a schema takes 5 ms."""

    def __init__(self) -> None:
        self._schemas = dict(_schemas())
        self._made: dict[str, type[SchemaItem]] = {}

    def __getitem__(self, kind: str) -> type[SchemaItem]:
        if kind not in self._made:
            self._made[kind] = make_item_class(kind, self._schemas[kind])
        return self._made[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._schemas)

    def __len__(self) -> int:
        return len(self._schemas)


ITEM_CLASSES = _ItemClasses()


def volatile_columns(kind: str) -> list[str]:
    """Return the columns of *kind* that its schema marks as volatile."""
    columns = ITEM_CLASSES[kind].jsonschema["properties"]
    return [name for name, rule in columns.items() if rule.get("volatile")]


def item_class(kind: str) -> type[SchemaItem]:
    """Return the item class of *kind*; raise :class:`UsageError` if no schema describes it."""
    if kind not in ITEM_CLASSES:
        known = ", ".join(sorted(ITEM_CLASSES))
        raise UsageError(
            f"no schema describes the kind {kind!r}: add schemas/{kind}{SUFFIX}, or use one of "
            f"{known}"
        )
    return ITEM_CLASSES[kind]


def errors(item_class: type[SchemaItem], values: dict[str, Any]) -> list[dict[str, str]]:
    """Return every violation in *values*, a row of that class; an empty list if it is valid.

    Each is ``{"path": "record.crm:P2_has_type.0", "message": "…"}``: the keys and indices from
    the row down, joined by dots. The path of a missing property ends with its name.
    """
    validator = item_class.validator
    try:
        if validator.is_valid(values):
            return []
        return [
            {
                "path": ".".join(map(str, error.absolute_path)),
                "message": error.message[:MESSAGE_LENGTH],
            }
            for error in validator.iter_errors(values)
        ]
    except ValueError as error:
        return [{"path": "", "message": f"invalid in an unknown place: {error}"}]
