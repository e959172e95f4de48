"""Merges several operations of ``.graphql`` files into one document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

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

from mplus_crawler.protocols.graphql.queries import Operation


def compose(operations: Iterable[Operation]) -> str:
    """One document for all *operations*, with prefixed aliases and variables."""
    definitions: list[VariableDefinitionNode] = []
    selections: list[Any] = []
    fragments: dict[str, FragmentDefinitionNode] = {}
    for operation in operations:
        document = _document(operation.package, operation.file)
        for node in document.definitions:
            if isinstance(node, FragmentDefinitionNode):
                fragments[node.name.value] = node
        node = visit(_operation(document, operation.name), _Prefixed(operation))
        definitions += node.variable_definitions or ()
        selections += node.selection_set.selections
    merged = OperationDefinitionNode(
        operation=OperationType.QUERY,
        variable_definitions=tuple(definitions),
        directives=(),
        selection_set=SelectionSetNode(selections=tuple(selections)),
    )
    used = _used(merged, fragments)
    return print_ast(DocumentNode(definitions=(merged, *used)))


class _Prefixed(Visitor):
    """Removes arguments whose variables have no value, and prefixes the others."""

    def __init__(self, operation: Operation) -> None:
        super().__init__()
        self._prefix = operation.prefix
        self._values = operation.variables

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> Any:
        return None if node.variable.name.value in self._values else REMOVE

    def enter_argument(self, node: ArgumentNode, *_: Any) -> Any:
        value = node.value
        unset = isinstance(value, VariableNode) and value.name.value not in self._values
        return REMOVE if unset else None

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
    """The fragments that *operation* spreads; servers reject unused ones."""
    text = print_ast(operation)
    return [node for name, node in fragments.items() if f"...{name}" in text]


@cache
def _document(package: str, file: str) -> DocumentNode:
    return parse(files(package).joinpath(file).read_text("utf-8"), no_location=True)


def _operation(document: DocumentNode, name: str) -> OperationDefinitionNode:
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode) and node.name and node.name.value == name:
            return node
    raise LookupError(f"the document has no operation {name}")
