"""Outcomes of a query."""

from __future__ import annotations

from dataclasses import dataclass

from mplus_crawler.protocols.graphql.queries import IdQuery, Query


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


def is_whole(query: Query, outcome: Outcome) -> bool:
    """Whether *outcome* has everything that was requested, so that the ledger may save it."""
    if isinstance(query, IdQuery):
        return isinstance(outcome, Listed) and bool(outcome.ids)
    if not isinstance(outcome, Fetched) or outcome.nested_missing:
        return False
    return {*outcome.ids} == {*query.ids}


def may_be_empty(query: Query, outcome: Outcome) -> bool:
    """Whether an empty response may be right: a bad record, or fewer records than reported."""
    if isinstance(query, IdQuery) and (query.ids or query.page):
        return True
    return isinstance(outcome, Broken)
