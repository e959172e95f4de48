"""Calls: several operations in one request, and what each of their aliases has brought."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    NameNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableDefinitionNode,
    VariableNode,
    parse,
    print_ast,
)
from graphql.language import REMOVE, Visitor, visit

from mplus_crawler.errors import PageFault


@dataclass(frozen=True, slots=True)
class Operation:
    """The operation *name* of a ``.graphql`` file, and its variables; *prefix* tells it apart.

    A variable that has no value is not in the request at all: null is not the same.
    """

    package: str
    file: str
    name: str
    variables: Mapping[str, object]
    prefix: str = ""


def call(operations: Iterable[Operation]) -> bytes:
    """The body of one request for all *operations*; their aliases and variables get a prefix."""
    definitions: list[VariableDefinitionNode] = []
    selections: list[Any] = []
    fragments: dict[str, FragmentDefinitionNode] = {}
    variables: dict[str, object] = {}
    for operation in operations:
        document = _document(operation.package, operation.file)
        for node in document.definitions:
            if isinstance(node, FragmentDefinitionNode):
                fragments[node.name.value] = node
        node = visit(_operation(document, operation.name), _Given(operation))
        definitions += node.variable_definitions or ()
        selections += node.selection_set.selections
        given = operation.variables.items()
        variables |= {f"{operation.prefix}{name}": value for name, value in given}
    merged = OperationDefinitionNode(
        operation=OperationType.QUERY,
        variable_definitions=tuple(definitions),
        directives=(),
        selection_set=SelectionSetNode(selections=tuple(selections)),
    )
    used = _used(merged, fragments)
    query = print_ast(DocumentNode(definitions=(merged, *used)))
    return orjson.dumps({"query": query, "variables": variables})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came, by alias; the aliases that failed, with the words for it."""

    data: Mapping[str, Any]
    errors: Mapping[str, str]

    def rows(self, alias: str) -> list[dict[str, Any]] | None:
        """The records under *alias*; ``None`` where they failed."""
        rows = self.data.get(alias)
        if alias in self.errors or not isinstance(rows, list):
            return None
        return [row for row in rows if isinstance(row, dict)]


def read_answer(body: bytes) -> Answer:
    """The answer in *body*; raises :class:`PageFault` where it is none."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        what = "HTML" if body.lstrip()[:1] == b"<" else f"no whole JSON ({error})"
        raise PageFault(f"the answer is {what}") from None
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        said = first_error(body) or "the answer has no data"
        raise PageFault(said)
    errors: dict[str, str] = {}
    told = document.get("errors")
    for fault in told if isinstance(told, list) else [told] if told else []:
        path = fault.get("path") if isinstance(fault, dict) else None
        if not isinstance(path, list) or not path:
            raise PageFault(first_error(body) or "the answer has errors")
        errors.setdefault(str(path[0]), str(fault.get("message")))
    return Answer(data, errors)


def first_error(body: bytes) -> str:
    """The message of the first of the ``errors`` in *body*; empty where there is none."""
    try:
        errors = orjson.loads(body)["errors"]
        return str(errors[0]["message"])
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return ""


class _Given(Visitor):
    """Takes out of an operation what no variable is given for, and prefixes the rest."""

    def __init__(self, operation: Operation) -> None:
        super().__init__()
        self._prefix = operation.prefix
        self._given = operation.variables

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> Any:
        return None if node.variable.name.value in self._given else REMOVE

    def enter_argument(self, node: ArgumentNode, *_: Any) -> Any:
        value = node.value
        gone = isinstance(value, VariableNode) and value.name.value not in self._given
        return REMOVE if gone else None

    def leave_variable(self, node: VariableNode, *_: Any) -> Any:
        return VariableNode(name=NameNode(value=f"{self._prefix}{node.name.value}"))

    def leave_field(self, node: FieldNode, _key: Any, _parent: Any, path: Any, *_: Any) -> Any:
        if node.alias is None or not self._prefix:
            return None
        return FieldNode(
            alias=NameNode(value=f"{self._prefix}{node.alias.value}"),
            name=node.name,
            arguments=node.arguments,
            directives=node.directives,
            selection_set=node.selection_set,
        )


def _used(
    operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> list[FragmentDefinitionNode]:
    """The fragments that *operation* spreads; a server refuses those that it doesn't."""
    text = print_ast(operation)
    return [node for name, node in fragments.items() if f"...{name}" in text]


@cache
def _document(package: str, file: str) -> DocumentNode:
    return parse(files(package).joinpath(file).read_text("utf-8"), no_location=True)


def _operation(document: DocumentNode, name: str) -> OperationDefinitionNode:
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode) and node.name and node.name.value == name:
            return node
    raise LookupError(f"there is no operation {name}")
