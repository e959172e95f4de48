"""Everything that there is, past a window, through faults and caches, against a model server."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mplus_crawler.protocols.graphql.outcomes import Broken, Fetched, Listed, Outcome
from mplus_crawler.protocols.graphql.planner import Planner
from mplus_crawler.protocols.graphql.questions import (
    Fetch,
    Listing,
    Question,
    repeated,
    with_cache_busters,
)

SALTS = ("publicAccess", "area", "category")


@dataclass
class Server:
    """A museum of *ids*: past the window it is silent, and its cache keeps failures."""

    ids: set[int]
    window: int
    nested: bool = True
    cache_busters: tuple[str, ...] = SALTS
    failing: set[int] = field(default_factory=set)
    poor: set[int] = field(default_factory=set)
    poison: set[int] = field(default_factory=set)
    cap: int = 10_000
    changes: dict[int, tuple[set[int], set[int]]] = field(default_factory=dict)
    calls: int = 0
    cache: dict[str, Outcome] = field(default_factory=dict)
    asked: list[Question] = field(default_factory=list)

    sizes: set[int] = field(default_factory=set)
    last_roll: int = 0

    def answer(self, questions: list[Question]) -> list[Outcome]:
        self.calls += 1
        added, removed = self.changes.get(self.calls, (set(), set()))
        self.ids = (self.ids | added) - removed
        return [self.cached(question) for question in questions]

    def cached(self, question: Question) -> Outcome:
        self.asked.append(question)
        if isinstance(question, Listing) and question.size not in self.sizes:
            self.sizes.add(question.size)
            self.last_roll = self.calls
        body = (
            with_cache_busters(question, self.cache_busters),
            repeated(question, self.cache_busters),
            (question.page, question.size, question.descending)
            if isinstance(question, Listing)
            else question.witness,
        )
        if str(body) not in self.cache:
            fails = self.calls in self.failing
            nothing = Fetched(()) if isinstance(question, Fetch) else Listed((), None)
            self.cache[str(body)] = nothing if fails else self.found(question)
        return self.cache[str(body)]

    def found(self, question: Question) -> Outcome:
        if isinstance(question, Fetch):
            asked = [*question.ids, *([question.witness] if question.witness else [])]
            found = tuple(sorted({*asked} & self.ids))
            if {*found} & self.poison:
                return Broken("undefined is not valid JSON")
            own = tuple(sorted({*question.ids} & self.ids))
            bare = self.calls in self.poor or not self.nested
            return Fetched(
                own,
                bare=self.nested and bare and bool(own),
                rich=None if bare or not found else found[0],
            )
        if question.ids:
            rows = sorted({*question.ids} & self.ids)
            total = len(rows)
        else:
            rows = sorted(self.ids, reverse=question.descending)
            total = len(rows)
            end = (question.page + 1) * question.size
            size = min(question.size, self.cap)
            first = question.page * size
            rows = [] if end > self.window else rows[first : first + size]
        if {*rows} & self.poison:
            return Broken("undefined is not valid JSON")
        return Listed(tuple(rows), total if rows else None)


def walked(server: Server, walk: Planner, flight: int = 2, most: int = 3000) -> Planner:
    """*walk*, walked to its end with so many calls in flight."""
    under_way: deque[tuple[list[Question], list[Outcome]]] = deque()
    while not walk.over:
        while len(under_way) < flight and (questions := walk.call()):
            assert server.calls < most
            under_way.append((questions, server.answer(questions)))
        if not under_way:
            break
        questions, outcomes = under_way.popleft()
        walk.under_way -= 1
        for question, outcome in zip(questions, outcomes, strict=True):
            walk.answered(question, outcome)
    return walk


def a_walk(**more: object) -> Planner:
    facts = {"size": 10, "listed": 40, "window": 100, "cache_busters": len(SALTS), **more}
    return Planner(**facts)  # type: ignore[arg-type]


museums = st.integers(1, 400).flatmap(
    lambda total: st.sets(st.integers(1, 900), min_size=total, max_size=total)
)


@settings(max_examples=50)
@given(museums, st.integers(1, 12), st.integers(40, 130), st.integers(1, 3))
def test_every_id_past_any_window(ids: set[int], size: int, window: int, flight: int) -> None:
    server = Server(set(ids), window)
    walk = walked(server, a_walk(size=size, window=window), flight)
    assert (walk.got, walk.problems, walk.drifted) == (ids, [], False)
    for question in server.asked:
        if isinstance(question, Listing) and not question.ids:
            assert (question.page + 1) * question.size <= window
        assert not isinstance(question, Fetch) or len(question.ids) <= size


@settings(max_examples=50)
@given(museums, st.sets(st.integers(1, 60), max_size=8), st.sets(st.integers(1, 60), max_size=8))
def test_faults_that_the_cache_keeps_cost_no_record(
    ids: set[int], failing: set[int], poor: set[int]
) -> None:
    server = Server(set(ids), 100, failing=failing, poor=poor)
    walk = walked(server, a_walk())
    assert walk.got == ids
    assert walk.problems == []


@pytest.mark.parametrize("first", [2, 8, 14, 30])
def test_a_backend_that_is_away_for_some_calls_costs_no_record_what_is_in_it(first: int) -> None:
    ids = {*range(1, 364)}
    walk = walked(Server(set(ids), 100, poor={*range(first, first + 8)}), a_walk())
    assert (walk.got, walk.problems, walk.notes) == (ids, [], [])
    walk = walked(Server(set(ids), 100, poor={*range(first, 5000)}), a_walk())
    assert walk.got == ids
    assert walk.problems or walk.notes  # which, depends on whether anything nested ever came


@settings(max_examples=50)
@given(museums, st.data())
def test_a_record_that_breaks_its_page_costs_no_other(ids: set[int], data: st.DataObject) -> None:
    poison = data.draw(st.sets(st.sampled_from(sorted(ids)), max_size=min(3, len(ids) - 1)))
    server = Server(set(ids), 100, poison=poison)
    walk = walked(server, a_walk())
    assert walk.got == ids - poison
    assert {*walk.unreadable} == poison
    assert walk.problems == []


@pytest.mark.parametrize("poison", [{1, 257}, {1, 394}])
def test_bad_records_at_both_ends_hide_nothing_between_them(poison: set[int]) -> None:
    ids = {*range(1, 395)}
    walk = walked(Server(set(ids), 100, poison=poison), a_walk())
    assert (walk.got, {*walk.unreadable}, walk.problems) == (ids - poison, poison, [])
    assert (walk.rolls, walk.drifted) == (2, False)


@settings(max_examples=20)
@given(museums, st.integers(7, 40))
def test_a_server_that_gives_smaller_pages_than_asked_for(ids: set[int], cap: int) -> None:
    walk = walked(Server(set(ids), 100, cap=cap), a_walk())
    assert (walk.got, walk.problems) == (ids, [])


def test_a_proof_of_many_short_lists_is_no_standstill() -> None:
    dice = random.Random(1)
    ids = set(dice.sample(range(1, 31_000), 1_200))
    poison = set(dice.sample(sorted(ids), 4))
    server = Server(set(ids), 10_000, poison=poison, cap=20)
    walk = walked(server, a_walk(size=100, window=10_000))
    assert (walk.got, {*walk.unreadable}, walk.problems) == (ids - poison, poison, [])


@settings(max_examples=60)
@given(museums, st.data())
def test_what_comes_and_goes_is_noticed(ids: set[int], data: st.DataObject) -> None:
    some = st.sets(st.integers(1, 900), max_size=4)
    changes = data.draw(st.dictionaries(st.integers(2, 30), st.tuples(some, some), max_size=3))
    server = Server(set(ids), 100, changes=changes)
    walk = walked(server, a_walk())
    if not server.ids or any(call >= server.last_roll for call in changes):
        return  # what changes while ids are listed for the last time is left to the next harvest
    assert walk.problems == []
    assert (walk.got | {*walk.unreadable}) - walk.gone == server.ids
    assert walk.drifted or not walk.gone


def test_the_real_size_takes_the_calls_that_it_should() -> None:
    ids = set(random.Random(6).sample(range(1, 37_389), 13_412))
    facts = {"size": 100, "listed": 2500, "window": 10_000}

    def calls(**faults: object) -> int:
        server = Server(set(ids), 10_000, **faults)  # type: ignore[arg-type]
        walk = walked(server, a_walk(**facts))
        assert len(walk.got) + len(walk.unreadable) - len(walk.gone) == len(server.ids)
        assert walk.problems == []
        return server.calls

    gone = set(sorted(ids)[:3])
    assert calls() == 135
    assert calls(failing={*range(20, 400, 20)}) <= 140
    assert calls(poor={*range(20, 400, 20)}) <= 140
    assert calls(poison={sorted(ids)[7_777]}) <= 140
    assert calls(changes={60: ({40_001, 40_002}, gone)}) <= 140
    assert (
        calls(
            failing={*range(20, 400, 20)},
            poor={*range(13, 400, 40)},
            poison={sorted(ids)[7_777]},
            changes={60: ({40_001, 40_002}, gone)},
        )
        <= 145
    )
    few = Server(set(range(1, 1887)), 10_000, nested=False, cache_busters=SALTS[:1])
    walked(few, a_walk(size=97, listed=2400, window=10_000, cache_busters=1))
    assert few.calls == 20
