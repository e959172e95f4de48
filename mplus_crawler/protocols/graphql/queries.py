"""Queries of a root field: a part of the list of ids, or records by their ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
from typing import Self

# Parts into which a failed query is split.
_PARTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Retryable:
    """What every query has.

    *tries* counts earlier requests: each one uses another key in the server's cache.
    *failures* counts those without a usable response; they are limited.
    """

    ids: tuple[int, ...] = ()
    tries: int = 0
    failures: int = 0

    @property
    def length(self) -> int:
        """Bytes that the ids take in a request."""
        return sum(len(str(id_)) + 1 for id_ in self.ids)

    def again(self) -> Self:
        """The same query for another request."""
        return replace(self, tries=self.tries + 1)

    def failed(self) -> Self:
        """The same query for another request, with one more failure."""
        return replace(self, tries=self.tries + 1, failures=self.failures + 1)


@dataclass(frozen=True, slots=True)
class IdQuery(_Retryable):
    """A page of all ids in either order, or those of *ids* that exist.

    *empty*: an earlier response to it was an empty list.
    """

    page: int
    size: int
    descending: bool = False
    empty: bool = False

    cost = 0.5

    @property
    def key(self) -> str:
        """The same for equal queries, whatever their number of tries."""
        if self.ids:
            return f"ids_{_digest(self.ids)}"
        return f"{'down' if self.descending else 'up'}_{self.page}_{self.size}"

    @property
    def single(self) -> bool:
        """Whether it cannot be split."""
        return (len(self.ids) or self.size) == 1

    @property
    def rows(self) -> int:
        """Rows that a response has at most."""
        return self.size

    def parts(self, avoid: Sequence[int] = ()) -> Iterator[IdQuery]:
        """Smaller queries that cover this one, without the page sizes in *avoid*."""
        if self.ids:
            for ids in batches(self.ids, -(-len(self.ids) // _PARTS)):
                yield replace(self, ids=ids, tries=0, failures=0, empty=False)
            return
        smaller = smaller_size(self.size, avoid)
        for part in range(self.size // smaller):
            page = self.page * (self.size // smaller) + part
            yield replace(self, page=page, size=smaller, tries=0, failures=0)


@dataclass(frozen=True, slots=True)
class RecordQuery(_Retryable):
    """Whole records, in both languages, by their *ids*.

    *check_id* is the id of a record that is known to have nested records: if it comes without
    them, the server has failed to look them up. *nested_retries* counts how often it has.
    """

    ids: tuple[int, ...]
    check_id: int | None = None
    nested_retries: int = 0

    cost = 2

    @property
    def extra_ids(self) -> tuple[int, ...]:
        """The check id, unless it is one of the ids anyway."""
        return () if self.check_id is None or self.check_id in self.ids else (self.check_id,)

    @property
    def key(self) -> str:
        """The same for equal ids, whatever the number of tries."""
        return f"of_{_digest(self.ids)}"

    @property
    def single(self) -> bool:
        """Whether it cannot be split."""
        return len(self.ids) == 1

    @property
    def rows(self) -> int:
        """Rows that a response has at most."""
        return len(self.ids) + len(self.extra_ids)

    def parts(self, parts: int = _PARTS) -> Iterator[RecordQuery]:
        """Smaller queries that cover this one."""
        for ids in batches(self.ids, -(-len(self.ids) // parts)):
            yield replace(self, ids=ids, failures=0)


Query = IdQuery | RecordQuery


@dataclass(frozen=True, slots=True)
class Operation:
    """The operation *name* of a ``.graphql`` file with its variables.

    Aliases and variables get *prefix* so that a request can carry several operations. Variables
    without a value are left out of the request, since null has another meaning.
    """

    package: str
    file: str
    name: str
    variables: Mapping[str, object]
    prefix: str = ""


def prefix_of(query: Query, place: int) -> str:
    """Return the prefix of the aliases of *query*; the first of a request needs none."""
    return f"{query.key}_" if place else ""


def cache_filters(query: Query, cache_busters: Sequence[str]) -> dict[str, object]:
    """No-op filters that give *query* another key in the server's cache.

    Each try has another combination of *cache_busters*. All of them take an empty list but
    ``publicAccess``, which is true for all public records.
    """
    chosen = [name for place, name in enumerate(cache_busters) if query.tries >> place & 1]
    return {name: True if name == "publicAccess" else [] for name in chosen}


def cache_ids(query: Query, cache_busters: Sequence[str]) -> list[int]:
    """The ids of *query*; once no combination of *cache_busters* is left, with a repeated one."""
    times = query.tries >> len(cache_busters)
    return [*query.ids, *query.ids[:1] * times]


def batches(ids: Iterable[int], size: int) -> Iterator[tuple[int, ...]]:
    """*ids* in tuples of *size*."""
    rest = iter(ids)
    while batch := tuple(islice(rest, size)):
        yield batch


def smaller_size(size: int, avoid: Sequence[int]) -> int:
    """A divisor of *size*, about a fifth of it, that is not in *avoid*."""
    return max(
        part
        for part in range(1, max(2, size // (_PARTS - 1) + 1))
        if size % part == 0 and (part not in avoid or part == 1)
    )


def _digest(ids: Sequence[int]) -> str:
    return sha256(",".join(map(str, ids)).encode()).hexdigest()[:12]
