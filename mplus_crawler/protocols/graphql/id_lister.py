"""Lists all ids several times: the first list finds the records, the others confirm it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mplus_crawler.protocols.graphql.id_list import IdList
from mplus_crawler.protocols.graphql.outcomes import Broken, Invalid, Listed, Outcome
from mplus_crawler.protocols.graphql.queries import IdQuery, smaller_size

# Failures of a query after which it is given up, and tries after which it is split.
_FAILURES = 6
_TRIES = 3
# How often a first page must come with the same length to be taken for the server's maximum, and
# how often that is believed.
_SAME_LENGTH = 2
_MAXIMA = 2


@dataclass
class IdLister:
    """Makes lists of all ids, in pages of *size*; its methods return the queries to send.

    *window* is how many records pages reach in either order: the policy's, until responses show
    a smaller one. *cache_busters* is the number of no-op filters, *limit* that of the required
    ids; *avoid* are page sizes not to use.
    """

    size: int
    window: int
    cache_busters: int
    limit: int | None
    avoid: Sequence[int]
    current: IdList = field(init=False)
    lists: int = 0
    all_whole: bool = True
    largest_page: int | None = None
    reason: str = ""
    restarts: int = 0
    progress: bool = False
    _former: IdList | None = None
    _lengths: Counter[int] = field(default_factory=Counter)
    _maxima: int = 0

    def start(self) -> list[IdQuery]:
        """Start the first list."""
        self.lists = 1
        return self._start()

    def start_next(self) -> list[IdQuery]:
        """Start another list, to be compared with the current one."""
        self.all_whole &= self.current.whole
        self._former = self.current
        self.lists += 1
        return self._start()

    def process(self, query: IdQuery, outcome: Outcome) -> list[IdQuery]:
        """Enter the *outcome* of *query*; :attr:`progress` says whether it contained anything new.

        After a restart, which :attr:`restarts` counts, older queries are void.
        """
        known, self.progress = len(self.current.ids), False
        if not self.current.is_open(query):
            return []
        if isinstance(outcome, Broken):
            self.reason = outcome.reason
            return self._broken(query)
        if not isinstance(outcome, Listed):
            reason = outcome.reason if isinstance(outcome, Invalid) else ""
            return self._retries(query, reason, outcome)
        try:
            queries = self.current.take(query, outcome.ids, outcome.total, outcome.unusable)
        except ValueError as error:
            if self._learns_largest_page(query, len(outcome.ids)):
                return self._restart()
            return self._retries(query, str(error), outcome)
        # Pages may repeat themselves for ever; ranges of ids come to an end.
        self.progress = bool(query.ids) or not outcome.ids or len(self.current.ids) > known
        return queries

    def _start(self) -> list[IdQuery]:
        # Another page size each time, so that the server's cache does not return the former list.
        size = max(1, self.size - (self.lists - 1) * self.size // 20)
        self.current = IdList(size, self.window, self.limit, self.avoid)
        return self.current.start(self._former)

    def _restart(self) -> list[IdQuery]:
        self.restarts += 1
        return self._start()

    def _broken(self, query: IdQuery) -> list[IdQuery]:
        if query.failures or not query.single:
            return self.current.broken(query)
        return [query.failed()]

    def _retries(self, query: IdQuery, reason: str, outcome: Outcome) -> list[IdQuery]:
        listed = isinstance(outcome, Listed)
        some = isinstance(outcome, Listed) and bool(outcome.ids or outcome.unusable)
        if listed and not some:
            query = replace(query, empty=True)
        if query.failures >= _FAILURES:
            self.current.give_up(query, f"a list of ids failed: {reason}")
            return []
        may_be_empty = query.ids and not some
        without_total = isinstance(outcome, Listed) and some and outcome.total is None
        if may_be_empty or query.single or without_total:
            return [query.failed()]
        # Use other keys of the cache, and then smaller pages: the server may limit their length.
        if query.tries + 1 < min(_TRIES, 2**self.cache_busters):
            return [query.failed()]
        if listed and not some:
            self._learn_window(query)
            return self._restart()
        return self.current.smaller(query)

    def _learn_window(self, query: IdQuery) -> None:
        """Reduce the window, which ends before the page of *query*, or else the page size."""
        if self.current.reached:
            self.window = self.current.reached
            self.size = min(self.size, self.window)
        else:
            self.size = self.largest_page = smaller_size(query.size, self.avoid)

    def _learns_largest_page(self, query: IdQuery, length: int) -> bool:
        """Whether the server returns no longer pages than *length*, which are used from now on."""
        if query.ids or query.page or not 0 < length < query.size:
            return False
        self._lengths[length] += 1
        if self._lengths[length] != _SAME_LENGTH or self._maxima >= _MAXIMA:
            return False
        self._maxima += 1
        self.size = self.largest_page = length
        return True
