"""Checks of nested records.

If a record comes without nested records, it may have none, or the server may have failed to look
them up. Such a failure affects all records of a response. A record that is known to have some,
requested in the same response, distinguishes the two cases.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from mplus_crawler.protocols.graphql.outcomes import Fetched
from mplus_crawler.protocols.graphql.queries import RecordQuery

_CHECK_IDS = 8
# Retries of a query, and responses in a row without any nested records, after which records are
# accepted as they are. With a check id it is certain that the server fails, so wait longer.
_RETRIES = 6
_EMPTY_IN_A_ROW = 12
_EMPTY_IN_A_ROW_WITH_CHECK_ID = 30


class NestedChecks:
    """Ids of records that are known to have nested records, and retries that use them."""

    def __init__(self) -> None:
        self._ids: deque[int] = deque(maxlen=_CHECK_IDS)
        self._empty_in_a_row = 0

    def __bool__(self) -> bool:
        """Whether any record is known to have nested records."""
        return bool(self._ids)

    def accepted(self, outcome: Fetched) -> None:
        """Remember a record with nested records, if *outcome*, which was accepted, has one."""
        if outcome.with_nested is not None:
            self._empty_in_a_row = 0
            if outcome.with_nested not in self._ids:
                self._ids.appendleft(outcome.with_nested)

    def exhausted(self, query: RecordQuery, outcome: Fetched) -> bool:
        """Whether *query* must be accepted although *outcome* lacks nested records."""
        self._empty_in_a_row += outcome.nested_missing
        too_many_in_one = outcome.nested_full and query.single
        limit = _EMPTY_IN_A_ROW_WITH_CHECK_ID if self._ids else _EMPTY_IN_A_ROW
        return query.nested_retries >= _RETRIES or self._empty_in_a_row > limit or too_many_in_one

    def retries(self, query: RecordQuery) -> Iterator[RecordQuery]:
        """*query* in parts, each with another check id: the failed look-up is cached."""
        check_id = self._ids[query.nested_retries % len(self._ids)] if self._ids else None
        for part in [query] if query.single else query.parts(parts=2):
            yield replace(part.again(), check_id=check_id, nested_retries=query.nested_retries + 1)
