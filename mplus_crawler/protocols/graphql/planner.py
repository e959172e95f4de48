"""Plans a GraphQL harvest: which queries the next request carries."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mplus_crawler.errors import counted
from mplus_crawler.protocols.graphql.id_lister import IdLister
from mplus_crawler.protocols.graphql.nested_checks import NestedChecks
from mplus_crawler.protocols.graphql.outcomes import Broken, Fetched, Invalid, Listed, Outcome
from mplus_crawler.protocols.graphql.packing import FIELDS, FIELDS_AT_THE_END, take_fitting
from mplus_crawler.protocols.graphql.queries import IdQuery, Query, RecordQuery, batches

# Failures of a query, and requests for a missing record, by list of ids.
_TRIES = 3
# Lists of all ids at most.
_LISTS = 5
# Responses in a row without anything new, not even an id that does not exist.
_IDLE = 50


@dataclass
class Planner:
    """Plans the requests for all records of one root field, in pages of *size*.

    :meth:`next_queries` returns the queries of the next request; :meth:`process` takes the outcome
    of each, and returns whether its records are accepted. When :attr:`done`, all records are in
    :attr:`received`, :attr:`unreadable`, :attr:`unusable` (ids that no query can request) and
    :attr:`gone`, unless there are :attr:`problems`. The other fields are those of
    :class:`.IdLister`. Retries and ids are extra queries, which are sent along with requests for
    records.
    """

    size: int
    ids_per_page: int
    window: int
    cache_busters: int = 0
    limit: int | None = None
    avoid: Sequence[int] = ()
    received: set[int] = field(default_factory=set)
    unreadable: dict[int, str] = field(default_factory=dict)
    unusable: set[str] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    in_flight: int = 0
    _lister: IdLister = field(init=False)
    _records: deque[RecordQuery] = field(default_factory=deque)
    _extra: deque[Query] = field(default_factory=deque)
    _planned: set[int] = field(default_factory=set)
    _partial_page: list[int] = field(default_factory=list)
    _isolated: set[str] = field(default_factory=set)
    _misses: Counter[int] = field(default_factory=Counter)
    _nested_checks: NestedChecks = field(default_factory=NestedChecks)
    _changed: bool = False
    _idle: int = 0
    _stopped: bool = False

    def __post_init__(self) -> None:
        self._lister = IdLister(
            self.ids_per_page, self.window, self.cache_busters, self.limit, self.avoid
        )
        self._extra.extend(self._lister.start())

    @property
    def done(self) -> bool:
        """Whether no query is left and no request is in flight."""
        return self._stopped and not self.in_flight

    @property
    def started(self) -> bool:
        """Whether any id is known."""
        return bool(self._planned)

    @property
    def drifted(self) -> bool:
        """Whether the museum's lists of ids have changed, or contradict their totals."""
        return self._changed or not self._lister.all_whole

    @property
    def lists(self) -> int:
        """Lists of all ids that were started."""
        return self._lister.lists

    @property
    def total(self) -> int | None:
        """The number of records that the museum last reported, without duplicates."""
        current = self._lister.current
        return current.total and current.total - current.duplicates.total()

    @property
    def requests_expected(self) -> int:
        """The number of requests, if nothing fails."""
        rows = min(self.total or 0, self.limit or self.total or 0)
        return 1 + max(1, -(-(rows - self.size // 2) // self.size))

    def next_queries(self) -> list[Query]:
        """The queries of the next request; none if there is nothing to request now."""
        if self._idle >= _IDLE and not self._stopped:
            self.stop(f"{_IDLE} responses in a row contained nothing new")
        if not (self._records or self._extra or self.in_flight or self._stopped):
            self._compare()
        if not (self._records or self._extra):
            return []
        if self._is_last and self.in_flight:
            return []  # it also carries retries of the others
        queries: list[Query] = list(self._first_queries())
        if not self._records and self._first_list_done and self.limit is None:
            self._extra.extend(self._lister.start_next())
        fields = FIELDS if self._records else FIELDS_AT_THE_END
        queries += take_fitting(self._extra, queries, fields, self._isolated)
        self.in_flight += 1
        self._idle += 1
        return queries

    def process(self, query: Query, outcome: Outcome) -> bool:
        """Enter the *outcome* of *query*; return whether its records are accepted."""
        if isinstance(query, IdQuery):
            self._process_ids(query, outcome)
            return False
        if isinstance(outcome, Broken):
            self._split(query, outcome.reason)
            return False
        if not isinstance(outcome, Fetched):
            self._retry(query, outcome.reason if isinstance(outcome, Invalid) else "")
            return False
        if (outcome.nested_missing or outcome.nested_full) and self._retry_nested(query, outcome):
            return False
        self._idle = 0
        self._nested_checks.accepted(outcome)
        self.received.update(outcome.ids)
        self._retry_missing({*query.ids} - {*outcome.ids})
        return True

    def failed(self, queries: Sequence[Query], reason: str) -> None:
        """The request with *queries* has failed for good: send each alone, and then in parts."""
        if len(queries) == 1:
            self.process(queries[0], Broken(reason))
            return
        self.isolate(queries)

    def isolate(self, queries: Sequence[Query]) -> None:
        """Send each of *queries* in a request without others."""
        self._isolated.update(query.key for query in queries)
        self._extra.extend(query.again() for query in queries)

    def stop(self, reason: str) -> None:
        """Request nothing more, because of a problem."""
        self._records.clear()
        self._extra.clear()
        self._stop(reason)

    @property
    def _first_list_done(self) -> bool:
        return self._lister.lists == 1 and self._lister.current.done

    @property
    def _is_last(self) -> bool:
        """Whether one request is left, which also starts the second list of ids."""
        left = len(self._records) == self._pages and not self._extra
        return left and self._first_list_done

    @property
    def _pages(self) -> int:
        """Pages in the next request: two if the second is the last and at most half full."""
        two = len(self._records) == 2 and 2 * len(self._records[1].ids) <= self.size
        return 2 if two else 1

    def _first_queries(self) -> Iterable[Query]:
        if not self._records:
            return [self._extra.popleft()]
        return [self._records.popleft() for _ in range(self._pages)]

    def _process_ids(self, query: IdQuery, outcome: Outcome) -> None:
        restarts = self._lister.restarts
        queries = self._lister.process(query, outcome)
        if self._lister.restarts > restarts:
            self._extra = deque(query for query in self._extra if isinstance(query, RecordQuery))
        self._extra.extend(queries)
        if self._lister.progress:
            self._idle = 0
        if isinstance(outcome, Listed):
            self._plan(outcome.ids)  # they exist, whatever the total is
            self.unusable.update(outcome.unusable)
        largest = self._lister.largest_page or self.size
        self.size = min(self.size, largest, self._lister.window)
        if self._lister.current.done:
            self._request(self._partial_page)
            self._partial_page = []
        for id_ in self._lister.current.unreadable - self.unreadable.keys():
            self.unreadable[id_] = self._lister.reason
            self._planned.add(id_)

    def _plan(self, ids: Iterable[int]) -> None:
        """Request the records of new *ids*; those of the first list at once."""
        if self._lister.lists > 1:
            return
        new = [id_ for id_ in sorted({*ids}) if id_ not in self._planned]
        if self.limit is not None:
            new = new[: max(0, self.limit - len(self._planned))]
        self._planned.update(new)
        self._partial_page += new
        full = len(self._partial_page) // self.size * self.size
        self._request(self._partial_page[:full])
        del self._partial_page[:full]

    def _request(self, ids: Iterable[int]) -> None:
        self._records.extend(map(self._query, batches(ids, self.size)))

    def _query(self, ids: tuple[int, ...]) -> RecordQuery:
        """The query of *ids*, with another key in the cache for each time that one was missing."""
        return RecordQuery(ids, tries=max(self._misses[id_] for id_ in ids))

    def _compare(self) -> None:
        """Compare the last list of ids with the records, and continue or stop."""
        current, known = self._lister.current, self.received | self.unreadable.keys()
        unidentified = current.unidentified and counted(
            current.unidentified,
            "record cannot be read, and has no id",
            "records cannot be read, and have no id",
        )
        if self.limit is not None:
            self._stop(unidentified or current.failed)
        elif self.lists == 1 or (unidentified and self.lists < _TRIES):
            self._extra.extend(self._lister.start_next())
        elif (current.whole or unidentified) and (missing := current.ids - known):
            self._request_missing(sorted(missing))
        elif unidentified:
            self._stop(unidentified)
        elif current.whole:
            self.gone = known - current.ids - current.unreadable
            self._changed |= self._planned != current.ids | self.unreadable.keys()
            if current.duplicates:
                self._changed = True
                twice = counted(len(current.duplicates), "record is", "records are")
                self.notes.append(f"{twice} listed more than once")
            self._stop()
        elif self.lists < _LISTS and not current.failed:
            self._extra.extend(self._lister.start_next())
        elif self.drifted or not current.failed:
            none = f"none of {self.lists} lists of ids is as long as the total it states"
            self._stop(current.failed or none)
        else:
            self.notes.append(f"ids could not be listed a second time: {current.failed}")
            self._stop()

    def _request_missing(self, ids: Sequence[int]) -> None:
        """Request the records of listed *ids* that are new or not yet received."""
        self._changed |= not self._planned >= {*ids}
        if all(self._misses[id_] < _TRIES * self.lists for id_ in ids):
            self._request(ids)
        elif self.lists < _LISTS:
            self._extra.extend(self._lister.start_next())
        else:
            listed = counted(len(ids), "record is", "records are")
            self._stop(f"{listed} listed but never returned")

    def _stop(self, problem: str = "") -> None:
        if problem:
            self.problems.append(problem)
        self._stopped = True

    def _split(self, query: RecordQuery, reason: str) -> None:
        if not query.single:
            self._extra.extend(query.parts())
        elif query.failures < _TRIES:
            self._extra.append(query.failed())
        else:
            self.unreadable[query.ids[0]] = reason

    def _retry(self, query: RecordQuery, reason: str) -> None:
        if query.failures < _TRIES:
            self._extra.append(query.failed())
        else:  # a record may be the cause
            self._split(query, reason)

    def _retry_nested(self, query: RecordQuery, outcome: Fetched) -> bool:
        """Retry records that lack nested ones; return whether a retry makes sense."""
        if not self._nested_checks.exhausted(query, outcome):
            self._extra.extend(self._nested_checks.retries(query))
            return True
        may_have_none = not self._nested_checks and not outcome.nested_full
        reports = self.notes if may_have_none else self.problems
        reports.append("records came without their nested records")
        return False

    def _retry_missing(self, missing: set[int]) -> None:
        """Retry records that were not returned; the next list shows whether they are gone."""
        self._misses.update(missing)
        if again := sorted(id_ for id_ in missing if self._misses[id_] % _TRIES):
            self._extra.append(self._query(tuple(again)))
