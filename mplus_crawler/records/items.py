"""Item classes, one per item schema, and the validation of items against them.

A file ``schemas/{kind}.schema.json`` whose properties have a ``kind`` makes a class of its
own: its properties are the item's fields, its descriptions document the columns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from types import new_class
from typing import Any, ClassVar

import jsonschema_rs
import orjson
from scrapy_jsonschema import JsonSchemaItem
from scrapy_jsonschema.draft import JSON_SCHEMA_DRAFT_7
from scrapy_jsonschema.item import JsonSchemaMeta

SUFFIX = ".schema.json"
MESSAGE_LENGTH = 300


@dataclass(frozen=True, slots=True)
class SchemaViolation:
    """What is wrong with an instance, and where, named as stock jsonschema names it."""

    absolute_path: deque[str | int]
    message: str


class Validator:
    """A compiled draft-07 schema with the methods that scrapy-jsonschema calls.

    Formats are checked, and no ``$ref`` is ever fetched. A missing property is part of the
    path of the fault, so that nobody has to read it out of the message.
    """

    def __init__(self, schema: dict[str, Any], format_checker: object = None) -> None:
        self._compiled = jsonschema_rs.Draft7Validator(
            schema, validate_formats=True, ignore_unknown_formats=False, offline=True
        )
        self.is_valid = self._compiled.is_valid

    @staticmethod
    def check_schema(schema: dict[str, Any]) -> None:
        """Raise ValueError where *schema* itself is wrong."""
        jsonschema_rs.meta.validate(schema)

    def iter_errors(self, instance: Any) -> Iterator[SchemaViolation]:
        """Everything that is wrong with *instance*."""
        for error in self._compiled.iter_errors(instance):
            path = deque(error.instance_path)
            if error.kind.name == "required":
                path.append(error.kind.value)
            yield SchemaViolation(path, error.message)


class SchemaMeta(JsonSchemaMeta):  # type: ignore[misc]  # the library carries no types
    """Makes item classes with our validator; the library's takes 10 ms to check a schema."""

    draft_to_validator = {JSON_SCHEMA_DRAFT_7: Validator}


class SchemaItem(JsonSchemaItem, metaclass=SchemaMeta):  # type: ignore[misc]
    """An item whose fields are the properties of ``jsonschema``."""

    jsonschema: ClassVar[dict[str, Any]] = {"$schema": JSON_SCHEMA_DRAFT_7, "type": "object"}
    validator: ClassVar[Validator]


def item_class(kind: str, schema: dict[str, Any]) -> type[SchemaItem]:
    """The item class for *schema*.

    Raises ValueError unless ``$schema`` is the literal draft-07 URI: scrapy-jsonschema takes
    any other spelling for draft 4, where ``const``, ``contains`` and ``if`` mean nothing.
    """
    if schema.get("$schema") != JSON_SCHEMA_DRAFT_7:
        raise ValueError(f"{kind}{SUFFIX}: $schema must be {JSON_SCHEMA_DRAFT_7}")
    name = "".join(part.capitalize() for part in kind.split("_")) + "Item"
    members = {"jsonschema": schema, "__doc__": schema["description"], "__module__": __name__}
    cls: type[SchemaItem] = new_class(name, (SchemaItem,), exec_body=lambda ns: ns.update(members))
    return cls


def _schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(files("schemas").iterdir(), key=lambda file: file.name):
        if file.name.endswith(SUFFIX):
            schema = orjson.loads(file.read_bytes())
            if "kind" in schema.get("properties", {}):
                yield file.name.removesuffix(SUFFIX), schema


ITEM_CLASSES: dict[str, type[SchemaItem]] = {
    kind: item_class(kind, schema) for kind, schema in _schemas()
}

ObjectItem = ITEM_CLASSES["object"]
AgentItem = ITEM_CLASSES["agent"]
ExhibitionItem = ITEM_CLASSES["exhibition"]
ConceptItem = ITEM_CLASSES["concept"]


def errors(item_class: type[SchemaItem], values: dict[str, Any]) -> list[dict[str, str]]:
    """What is wrong with *values* for an item of that class; nothing if they are valid.

    Each as ``{"path": "record.crm:P2_has_type.0", "message": "…"}``: the keys and indices from
    the item down, joined by dots, a missing property being the last of them.
    """
    if item_class.validator.is_valid(values):
        return []
    return [
        {
            "path": ".".join(map(str, fault.absolute_path)),
            "message": fault.message[:MESSAGE_LENGTH],
        }
        for fault in item_class.validator.iter_errors(values)
    ]
