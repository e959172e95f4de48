"""Packs several queries into one request."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator, Sequence

from mplus_crawler.protocols.graphql.queries import Query

# Root fields in a request: two languages of one page, and as many for retries. A page of ids is
# half the work of one.
FIELDS = 4
# The same when only retries and ids are left, so that the last list is made at one moment.
FIELDS_AT_THE_END = 10
_QUERIES = 10
# Bytes of ids in a request; M+'s server takes a hundred kilobytes in all.
_BYTES = 80_000


def take_fitting(
    waiting: deque[Query], queries: Sequence[Query], fields: float, isolated: Container[str]
) -> Iterator[Query]:
    """Take from *waiting* what fits into a request of so many *fields* beside *queries*.

    Queries whose keys are *isolated* have a request to themselves.
    """
    if queries[0].key in isolated:
        return
    fields -= sum(query.cost for query in queries)
    length = sum(query.length for query in queries)
    for _ in range(_QUERIES - len(queries)):
        if not waiting:
            return
        fields -= waiting[0].cost
        length += waiting[0].length
        if fields < 0 or length > _BYTES or waiting[0].key in isolated:
            return
        yield waiting.popleft()
