"""Outcomes of a query."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listed:
    """Ids in the response, and the total that the museum reports.

    *unusable* are ids that no query can request.
    """

    ids: tuple[int, ...]
    total: int | None
    unusable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fetched:
    """Ids of the records in the response.

    *nested_missing*: no record has any nested records. *nested_full*: so many are nested that
    the server may have dropped some. *with_nested*: the id of a record that has some.
    """

    ids: tuple[int, ...]
    nested_missing: bool = False
    nested_full: bool = False
    with_nested: int | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """A record has broken the response, for this reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Invalid:
    """The response is empty, or does not match the query."""

    reason: str


Outcome = Listed | Fetched | Broken | Invalid
