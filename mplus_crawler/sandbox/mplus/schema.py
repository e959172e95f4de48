"""The public schema; documents parsed and validated, with errors in M+'s wording."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import cast

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSyntaxError,
    build_schema,
    parse,
    validate,
)

from mplus_crawler.sandbox.facts.mplus import Json

SCHEMA = build_schema((files(__package__) / "schema.graphql").read_text("utf-8"))
QUERY = cast("GraphQLObjectType", SCHEMA.type_map["Query"])
ROOTS = tuple(QUERY.fields)

# From the wording of graphql-core to that of graphql 0.13, which M+ runs.
_WORDINGS = (
    (r"'((?:[^'\\]|\\.)*)'", r'"\1"'),
    (r"^(Syntax Error: .*)\.$", r"\1"),
    (r"^(Int|Float|String|Boolean) cannot represent .*: (.+)$", r"Expected type \1, found \2."),
    (
        r"^(Variable .*) has invalid value: (Int cannot represent non).*: \"?(.*?)\"?$",
        r'\1 got invalid value "\3"; Expected type Int; \2 32-bit signed integer value: \3',
    ),
    (
        r'^Argument "\w+\.(\w+)\((\w+):\)" of type (.*) is required, but it was not provided\.$',
        r'Field "\1" argument "\2" of type \3 is required but not provided.',
    ),
)


# A client that asks several pages at once tells their names apart by a tag of twelve hex digits.
_TAG = re.compile(r"_[0-9a-f]{12}(?![0-9a-f])")
# The shapes of valid documents: validation is most of what a call costs.
_VALID: set[str] = set()
_MOST_SHAPES = 256


class RefusedError(Exception):
    """A document that can't be executed, with its errors as they are sent."""

    def __init__(self, status: int, errors: list[Json]) -> None:
        super().__init__(errors)
        self.status = status
        self.errors = errors


@lru_cache(maxsize=256)
def read(text: str) -> DocumentNode:
    """A valid document; RefusedError with 400 otherwise."""
    try:
        document = parse(text)
    except GraphQLSyntaxError as error:
        raise RefusedError(400, [formatted(error)]) from None
    shape = _shape(text)
    if shape not in _VALID:
        if errors := validate(SCHEMA, document):
            raise RefusedError(400, [formatted(error) for error in errors])
        if len(_VALID) >= _MOST_SHAPES:
            _VALID.clear()
        _VALID.add(shape)
    return document


def _shape(text: str) -> str:
    """Return *text* with the tags in its names numbered: texts of one shape are equally valid."""
    numbers: dict[str, int] = {}
    return _TAG.sub(lambda tag: f"\0{numbers.setdefault(tag[0], len(numbers))}\0", text)


def formatted(error: GraphQLError) -> Json:
    """An error as M+ sends it."""
    message = error.message
    for pattern, wording in _WORDINGS:
        message = re.sub(pattern, wording, message, flags=re.DOTALL)
    found: Json = {"message": message}
    if error.locations:
        found["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    return found
