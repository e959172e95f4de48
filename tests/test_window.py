"""All ids beyond a window, despite faults and caches, against a model server."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mplus_crawler.protocols.graphql.outcomes import Broken, Fetched, Listed, Outcome
from mplus_crawler.protocols.graphql.planner import Planner
from mplus_crawler.protocols.graphql.queries import (
    IdQuery,
    Query,
    RecordQuery,
    cache_filters,
    cache_ids,
)

CACHE_BUSTERS = ("publicAccess", "area", "category")


@dataclass
class Server:
    """A museum of *ids*: it returns nothing beyond the window, and its cache keeps failures."""

    ids: set[int]
    window: int
    nested: bool = True
    cache_busters: tuple[str, ...] = CACHE_BUSTERS
    failing: set[int] = field(default_factory=set)
    nested_failing: set[int] = field(default_factory=set)
    poison: set[int] = field(default_factory=set)
    cap: int = 10_000
    changes: dict[int, tuple[set[int], set[int]]] = field(default_factory=dict)
    calls: int = 0
    cache: dict[str, Outcome] = field(default_factory=dict)
    requested: list[Query] = field(default_factory=list)

    sizes: set[int] = field(default_factory=set)
    last_list: int = 0

    def respond(self, queries: list[Query]) -> list[Outcome]:
        self.calls += 1
        added, removed = self.changes.get(self.calls, (set(), set()))
        self.ids = (self.ids | added) - removed
        return [self.cached(query) for query in queries]

    def cached(self, query: Query) -> Outcome:
        self.requested.append(query)
        if isinstance(query, IdQuery) and query.size not in self.sizes:
            self.sizes.add(query.size)
            self.last_list = self.calls
        body = (
            cache_filters(query, self.cache_busters),
            cache_ids(query, self.cache_busters),
            (query.page, query.size, query.descending)
            if isinstance(query, IdQuery)
            else query.check_id,
        )
        if str(body) not in self.cache:
            fails = self.calls in self.failing
            nothing = Fetched(()) if isinstance(query, RecordQuery) else Listed((), None)
            self.cache[str(body)] = nothing if fails else self.found(query)
        return self.cache[str(body)]

    def found(self, query: Query) -> Outcome:
        if isinstance(query, RecordQuery):
            wanted = [*query.ids, *([query.check_id] if query.check_id else [])]
            found = tuple(sorted({*wanted} & self.ids))
            if {*found} & self.poison:
                return Broken("undefined is not valid JSON")
            own = tuple(sorted({*query.ids} & self.ids))
            if len(query.ids) > self.window:
                return Fetched(())
            missing = self.calls in self.nested_failing or not self.nested
            return Fetched(
                own,
                nested_missing=self.nested and missing and bool(own),
                with_nested=None if missing or not found else found[0],
            )
        if query.ids:
            rows = sorted({*query.ids} & self.ids)
            total = len(rows)
        else:
            rows = sorted(self.ids, reverse=query.descending)
            total = len(rows)
            end = (query.page + 1) * query.size
            size = min(query.size, self.cap)
            first = query.page * size
            rows = [] if end > self.window else rows[first : first + size]
        if {*rows} & self.poison:
            return Broken("undefined is not valid JSON")
        return Listed(tuple(rows), total if rows else None)


def harvested(server: Server, planner: Planner, flight: int = 2, most: int = 3000) -> Planner:
    """*planner* when it is done, with so many requests in flight."""
    in_flight: deque[tuple[list[Query], list[Outcome]]] = deque()
    while not planner.done:
        while len(in_flight) < flight and (queries := planner.next_queries()):
            assert server.calls < most
            in_flight.append((queries, server.respond(queries)))
        if not in_flight:
            break
        queries, outcomes = in_flight.popleft()
        planner.in_flight -= 1
        for query, outcome in zip(queries, outcomes, strict=True):
            planner.process(query, outcome)
    return planner


def a_planner(**more: object) -> Planner:
    facts = {
        "size": 10,
        "ids_per_page": 40,
        "window": 100,
        "cache_busters": len(CACHE_BUSTERS),
        **more,
    }
    return Planner(**facts)  # type: ignore[arg-type]


museums = st.integers(1, 400).flatmap(
    lambda total: st.sets(st.integers(1, 900), min_size=total, max_size=total)
)


@settings(max_examples=50)
@given(museums, st.integers(1, 12), st.integers(40, 130), st.integers(1, 3))
def test_every_id_past_any_window(ids: set[int], size: int, window: int, flight: int) -> None:
    server = Server(set(ids), window)
    planner = harvested(server, a_planner(size=size, window=window), flight)
    assert (planner.received, planner.problems, planner.drifted) == (ids, [], False)
    for query in server.requested:
        if isinstance(query, IdQuery) and not query.ids:
            assert (query.page + 1) * query.size <= window
        assert not isinstance(query, RecordQuery) or len(query.ids) <= size


@settings(max_examples=50)
@given(museums, st.integers(4, 130), st.integers(1, 3))
def test_a_smaller_window_than_the_policy_has(ids: set[int], window: int, flight: int) -> None:
    server = Server(set(ids), window)
    planner = harvested(server, a_planner(size=10, ids_per_page=250, window=10_000), flight)
    assert (planner.received, planner.problems, planner.drifted) == (ids, [], False)


@pytest.mark.parametrize(("window", "most"), [(700, 40), (450, 50), (90, 120), (1_299, 30)])
def test_a_smaller_window_of_the_museum(window: int, most: int) -> None:
    ids = set(random.Random(8).sample(range(1, 4_000), 1_300))
    server = Server(set(ids), window)
    planner = harvested(server, a_planner(size=100, ids_per_page=2_500, window=10_000))
    assert (planner.received, planner.problems, planner.drifted) == (ids, [], False)
    assert server.calls <= most


@settings(max_examples=50)
@given(museums, st.sets(st.integers(1, 60), max_size=8), st.sets(st.integers(1, 60), max_size=8))
def test_faults_that_the_cache_keeps_cost_no_record(
    ids: set[int], failing: set[int], nested_failing: set[int]
) -> None:
    server = Server(set(ids), 100, failing=failing, nested_failing=nested_failing)
    planner = harvested(server, a_planner())
    assert planner.received == ids
    assert planner.problems == []


@pytest.mark.parametrize("first", [2, 8, 14, 30])
def test_an_outage_of_the_backend_costs_no_nested_records(first: int) -> None:
    ids = {*range(1, 364)}
    planner = harvested(
        Server(set(ids), 100, nested_failing={*range(first, first + 8)}), a_planner()
    )
    assert (planner.received, planner.problems, planner.notes) == (ids, [], [])
    planner = harvested(Server(set(ids), 100, nested_failing={*range(first, 5000)}), a_planner())
    assert planner.received == ids
    assert (
        planner.problems or planner.notes
    )  # which one depends on whether anything nested ever came


@settings(max_examples=50)
@given(museums, st.data())
def test_a_record_that_breaks_its_page_costs_no_other(ids: set[int], data: st.DataObject) -> None:
    poison = data.draw(st.sets(st.sampled_from(sorted(ids)), max_size=min(3, len(ids) - 1)))
    server = Server(set(ids), 100, poison=poison)
    planner = harvested(server, a_planner())
    assert planner.received == ids - poison
    assert {*planner.unreadable} == poison
    assert planner.problems == []


@pytest.mark.parametrize("poison", [{1, 257}, {1, 394}])
def test_bad_records_at_both_ends_hide_nothing_between_them(poison: set[int]) -> None:
    ids = {*range(1, 395)}
    planner = harvested(Server(set(ids), 100, poison=poison), a_planner())
    assert (planner.received, {*planner.unreadable}, planner.problems) == (ids - poison, poison, [])
    assert (planner.lists, planner.drifted) == (2, False)


@settings(max_examples=20)
@given(museums, st.integers(7, 40))
def test_a_server_that_returns_smaller_pages_than_requested(ids: set[int], cap: int) -> None:
    planner = harvested(Server(set(ids), 100, cap=cap), a_planner())
    assert (planner.received, planner.problems) == (ids, [])


def test_many_short_lists_are_progress() -> None:
    dice = random.Random(1)
    ids = set(dice.sample(range(1, 31_000), 1_200))
    poison = set(dice.sample(sorted(ids), 4))
    server = Server(set(ids), 10_000, poison=poison, cap=20)
    planner = harvested(server, a_planner(size=100, window=10_000))
    assert (planner.received, {*planner.unreadable}, planner.problems) == (ids - poison, poison, [])


@settings(max_examples=60)
@given(museums, st.data())
def test_new_and_vanished_records_are_noticed(ids: set[int], data: st.DataObject) -> None:
    some = st.sets(st.integers(1, 900), max_size=4)
    changes = data.draw(st.dictionaries(st.integers(2, 30), st.tuples(some, some), max_size=3))
    server = Server(set(ids), 100, changes=changes)
    planner = harvested(server, a_planner())
    if not server.ids or any(call >= server.last_list for call in changes):
        return  # changes during the last list are left to the next harvest
    assert planner.problems == []
    assert (planner.received | {*planner.unreadable}) - planner.gone == server.ids
    assert planner.drifted or not planner.gone


def test_the_number_of_requests_at_the_museums_real_size() -> None:
    ids = set(random.Random(6).sample(range(1, 37_389), 13_412))
    facts = {"size": 100, "ids_per_page": 2500, "window": 10_000}

    def calls(**faults: object) -> int:
        server = Server(set(ids), 10_000, **faults)  # type: ignore[arg-type]
        planner = harvested(server, a_planner(**facts))
        assert len(planner.received) + len(planner.unreadable) - len(planner.gone) == len(
            server.ids
        )
        assert planner.problems == []
        return server.calls

    gone = set(sorted(ids)[:3])
    assert calls() == 135
    assert calls(failing={*range(20, 400, 20)}) <= 140
    assert calls(nested_failing={*range(20, 400, 20)}) <= 140
    assert calls(poison={sorted(ids)[7_777]}) <= 140
    assert calls(changes={60: ({40_001, 40_002}, gone)}) <= 140
    assert (
        calls(
            failing={*range(20, 400, 20)},
            nested_failing={*range(13, 400, 40)},
            poison={sorted(ids)[7_777]},
            changes={60: ({40_001, 40_002}, gone)},
        )
        <= 145
    )
    few = Server(set(range(1, 1887)), 10_000, nested=False, cache_busters=CACHE_BUSTERS[:1])
    harvested(few, a_planner(size=97, ids_per_page=2400, window=10_000, cache_busters=1))
    assert few.calls == 20
