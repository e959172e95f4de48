"""What can be asked of a root field: a part of the list of ids, or records by their ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
from typing import Self

# Parts that a question falls into when something in it breaks the answer.
_PARTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """What every question has.

    *tries* counts how often it was asked before; each time the server's cache is dodged.
    *failures* counts how often nothing good came of it: patience ends with those.
    """

    ids: tuple[int, ...] = ()
    tries: int = 0
    failures: int = 0

    @property
    def load(self) -> int:
        """What its ids take of a call, in bytes."""
        return sum(len(str(id_)) + 1 for id_ in self.ids)

    def again(self) -> Self:
        """The same, asked once more."""
        return replace(self, tries=self.tries + 1)

    def failed(self) -> Self:
        """The same, asked once more since nothing good came of it."""
        return replace(self, tries=self.tries + 1, failures=self.failures + 1)


@dataclass(frozen=True, slots=True)
class Listing(_Asking):
    """Ids alone: a page of all, from either end, or those of *ids* that there are.

    *empty*: none of the ids came before.
    """

    page: int
    size: int
    descending: bool = False
    empty: bool = False

    cost = 0.5

    @property
    def key(self) -> str:
        """The same for the same question, however often it was asked."""
        if self.ids:
            return f"ids_{_digest(self.ids)}"
        return f"{'down' if self.descending else 'up'}_{self.page}_{self.size}"

    @property
    def single(self) -> bool:
        """Whether it cannot be split."""
        return (len(self.ids) or self.size) == 1

    def parts(self, avoid: Sequence[int] = ()) -> Iterator[Listing]:
        """Smaller questions that cover this one, with none of the page sizes in *avoid*."""
        if self.ids:
            for ids in batches(self.ids, -(-len(self.ids) // _PARTS)):
                yield replace(self, ids=ids, tries=0, failures=0, empty=False)
            return
        smaller = _divisor(self.size, avoid)
        for part in range(self.size // smaller):
            page = self.page * (self.size // smaller) + part
            yield replace(self, page=page, size=smaller, tries=0, failures=0)


@dataclass(frozen=True, slots=True)
class Fetch(_Asking):
    """Whole records, in both languages, by their *ids*.

    *witness* is the id of a record that is known to have others nested in it: if it comes
    without, the server has failed to look them up. *mends* counts how often it has.
    """

    ids: tuple[int, ...]
    witness: int | None = None
    mends: int = 0

    cost = 2

    @property
    def beside(self) -> tuple[int, ...]:
        """The witness, where it is not among the records asked for."""
        return () if self.witness is None or self.witness in self.ids else (self.witness,)

    @property
    def key(self) -> str:
        """The same for the same records, however often they were asked for."""
        return f"of_{_digest(self.ids)}"

    @property
    def single(self) -> bool:
        """Whether it cannot be split."""
        return len(self.ids) == 1

    def parts(self, parts: int = _PARTS) -> Iterator[Fetch]:
        """Smaller questions that cover this one."""
        for ids in batches(self.ids, -(-len(self.ids) // parts)):
            yield replace(self, ids=ids, failures=0)


Question = Listing | Fetch


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


def with_cache_busters(question: Question, cache_busters: Sequence[str]) -> dict[str, object]:
    """The filters that give *question* another key in the server's cache, and no other answer.

    Each try has another combination of *cache_busters*; all of them take an empty list but
    ``publicAccess``, since only public records are there to be had.
    """
    chosen = [salt for place, salt in enumerate(cache_busters) if question.tries >> place & 1]
    return {salt: True if salt == "publicAccess" else [] for salt in chosen}


def repeated(question: Question, cache_busters: Sequence[str]) -> list[int]:
    """The ids of *question*; one of them more than once where the cache_busters are used up."""
    times = question.tries >> len(cache_busters)
    return [*question.ids, *question.ids[:1] * times]


def batches(ids: Iterable[int], size: int) -> Iterator[tuple[int, ...]]:
    """*ids*, so many at a time."""
    rest = iter(ids)
    while batch := tuple(islice(rest, size)):
        yield batch


def _divisor(size: int, avoid: Sequence[int]) -> int:
    """About a fifth of *size*, and a part of it."""
    return max(
        part
        for part in range(1, max(2, size // (_PARTS - 1) + 1))
        if size % part == 0 and (part not in avoid or part == 1)
    )


def _digest(ids: Sequence[int]) -> str:
    return sha256(",".join(map(str, ids)).encode()).hexdigest()[:12]
