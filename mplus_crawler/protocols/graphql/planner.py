"""The walk: which questions a call carries next, until every record is accounted for."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from mplus_crawler.protocols.graphql.id_list import IdList
from mplus_crawler.protocols.graphql.nested_checks import NestedChecks
from mplus_crawler.protocols.graphql.outcomes import Broken, Fetched, Listed, Outcome, Wrong
from mplus_crawler.protocols.graphql.questions import Fetch, Listing, Question, batches

# Root fields in a call: two languages of one page, and as much again for what went wrong; ids
# alone are half as much work.
_FIELDS = 4
# The same when no page is left to ask for, so that the last roll is called at one moment.
_FIELDS_AT_THE_END = 10
_QUESTIONS = 10
# What ids may take of a call, in bytes: M+'s server takes a hundred kilobytes.
_BYTES = 80_000
# How often a question is asked, a record that isn't there is asked for, all ids are listed.
_TRIES = 6
_LOOKS = 3
_ROLLS = 5
# Calls in a row that a server may answer with nothing new, not even that there is nothing.
_IDLE = 50
# How often a page has to end at the same length to be taken for the longest that the server
# gives, and how often that is believed.
_SEEN = 2
_CAPS = 2


@dataclass
class Planner:
    """What is to be asked of one root field, in pages of *size*, ids in lists of *listed*.

    :meth:`call` gives the questions of the next call, :meth:`answered` takes what each has
    brought and says whether its records are good to keep. When :attr:`over`, what is in
    :attr:`got`, :attr:`unreadable` and :attr:`gone` is all there is, unless :attr:`problems`
    say otherwise. *window* is how many records pages reach from either end,
    *cache_busters* how many filters bypass a cache, *avoid* which page sizes not to request.
    """

    size: int
    listed: int
    window: int
    cache_busters: int = 0
    limit: int | None = None
    avoid: Sequence[int] = ()
    roll: IdList = field(init=False)
    rolls: int = 0
    got: set[int] = field(default_factory=set)
    unreadable: dict[int, str] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    drifted: bool = False
    under_way: int = 0
    capped: int = 0
    _fresh: deque[Fetch] = field(default_factory=deque)
    _again: deque[Question] = field(default_factory=deque)
    _first: set[int] = field(default_factory=set)
    _loose: list[int] = field(default_factory=list)
    _alone: set[str] = field(default_factory=set)
    _short: Counter[int] = field(default_factory=Counter)
    _looked: Counter[int] = field(default_factory=Counter)
    _witnesses: NestedChecks = field(default_factory=NestedChecks)
    _reason: str = ""
    _idle: int = 0
    _over: bool = False

    def __post_init__(self) -> None:
        self._call_roll(None)

    @property
    def over(self) -> bool:
        """Whether nothing is left to ask, and nothing under way."""
        return self._over and not self.under_way

    @property
    def begun(self) -> bool:
        """Whether any id is known."""
        return bool(self._first)

    @property
    def total(self) -> int | None:
        """How many records there are, as the museum said last; one listed twice is one."""
        return self.roll.total and self.roll.total - self.roll.twice.total()

    @property
    def calls_expected(self) -> int:
        """How many calls all of it takes, if nothing goes wrong."""
        rows = min(self.total or 0, self.limit or self.total or 0)
        return 1 + max(1, -(-(rows - self.size // 2) // self.size))

    def call(self) -> list[Question]:
        """The questions of the next call; none if there is nothing to ask for now."""
        if self._idle >= _IDLE and not self._over:
            self.stop(f"{_IDLE} calls in a row brought nothing new")
        if not (self._fresh or self._again or self.under_way or self._over):
            self._settle()
        if not (self._fresh or self._again):
            return []
        if self._is_last and self.under_way:
            return []  # it carries what has gone wrong with the others
        take = self._pages if self._fresh else 1
        questions: list[Question] = [(self._fresh or self._again).popleft() for _ in range(take)]
        if not self._fresh and self.rolls == 1 and self.roll.over and self.limit is None:
            self._call_roll(self.roll)
        room: float = _FIELDS if self._fresh else _FIELDS_AT_THE_END
        room -= sum(question.cost for question in questions)
        if questions[0].key in self._alone:
            room = 0
        load = sum(question.load for question in questions)
        while self._again and (first := self._again[0]).cost <= room:
            if len(questions) == _QUESTIONS:
                break
            load += first.load
            if load > _BYTES or first.key in self._alone:
                break
            room -= first.cost
            questions.append(self._again.popleft())
        self.under_way += 1
        self._idle += 1
        return questions

    @property
    def _is_last(self) -> bool:
        """Whether one call is left to make, which carries the proof, too."""
        left = len(self._fresh) == self._pages and not self._again
        return left and self.rolls == 1 and self.roll.over

    @property
    def _pages(self) -> int:
        """Pages that the next call carries: two where the second is the last, and half a one."""
        return 2 if len(self._fresh) == 2 and 2 * len(self._fresh[1].ids) <= self.size else 1

    def answered(self, question: Question, outcome: Outcome) -> bool:
        """Take what *question* has brought; whether its records may be kept."""
        if isinstance(question, Listing):
            self._listed(question, outcome)
            return False
        if isinstance(outcome, Broken):
            self._break(question, outcome.reason)
            return False
        if not isinstance(outcome, Fetched):
            self._wrong(question, outcome.reason if isinstance(outcome, Wrong) else "")
            return False
        if (outcome.bare or outcome.crowded) and self._mend(question, outcome):
            return False
        self._idle = 0
        self._witnesses.hear(outcome)
        self.got.update(outcome.ids)
        self._look_for({*question.ids} - {*outcome.ids})
        return True

    def lost(self, questions: Sequence[Question], reason: str) -> None:
        """The call cannot be had that carried *questions*: each alone, and then in parts."""
        if len(questions) == 1:
            self.answered(questions[0], Broken(reason))
            return
        self._alone.update(question.key for question in questions)
        self._again.extend(question.again() for question in questions)

    def stop(self, reason: str) -> None:
        """Ask nothing more: it cannot help."""
        self._over = True
        self._fresh.clear()
        self._again.clear()
        self.problems.append(reason)

    def _listed(self, part: Listing, outcome: Outcome) -> None:
        roll = self.roll
        if isinstance(outcome, Broken):
            more = roll.broken(part) if part.failures or not part.single else [part.failed()]
            self._reason = outcome.reason
        elif isinstance(outcome, Listed):
            try:
                known = len(roll.ids)
                more = roll.take(part, outcome.ids, outcome.total)
                # Pages may repeat themselves for ever; ranges of ids come to an end.
                if part.ids or not outcome.ids or len(roll.ids) > known:
                    self._idle = 0
            except ValueError as error:
                more = self._capped(part, len(outcome.ids))
                more = more or self._list_again(part, str(error), outcome)
            self._plan(outcome.ids)  # they are there, whatever the total says
        else:
            reason = outcome.reason if isinstance(outcome, Wrong) else ""
            more = self._list_again(part, reason, outcome)
        self._again.extend(more)
        if roll.over:
            self._fetch(self._loose)
            self._loose = []
        for id_ in roll.unreadable - self.unreadable.keys():
            self.unreadable[id_] = self._reason
            self._first.add(id_)

    def _list_again(self, part: Listing, reason: str, outcome: Outcome) -> list[Listing]:
        some = isinstance(outcome, Listed) and bool(outcome.ids)
        totalless = isinstance(outcome, Listed) and some and outcome.total is None
        if isinstance(outcome, Listed) and not some:
            part = replace(part, empty=True)
        none = part.ids and not some
        if part.failures < _TRIES and (none or part.single or totalless):
            return [part.failed()]
        if part.failures < _TRIES:
            # Under another key of the cache, and then smaller: perhaps the server caps pages.
            fits = part.tries + 1 < min(_LOOKS, 2**self.cache_busters)
            return [part.failed()] if fits else self.roll.smaller(part)
        self.roll.give_up(part, f"a list of ids could not be had: {reason}")
        return []

    def _capped(self, part: Listing, came: int) -> list[Listing]:
        """The list from its start in pages of *came*, where the server gives no larger ones."""
        if part.ids or part.page or not 0 < came < part.size:
            return []
        self._short[came] += 1
        if self._short[came] != _SEEN or self.capped >= _CAPS:
            return []
        self.capped += 1
        self.size, self.listed = min(self.size, came), came
        self.roll = IdList(came, self.window, self.limit, self.avoid)
        self._again = deque(q for q in self._again if isinstance(q, Fetch))
        return self.roll.begin()

    def _plan(self, ids: Iterable[int]) -> None:
        """Ask for the records of *ids* that are new; in the first roll, at once."""
        if self.rolls > 1:
            return
        new = [id_ for id_ in sorted({*ids}) if id_ not in self._first]
        if self.limit is not None:
            new = new[: max(0, self.limit - len(self._first))]
        self._first.update(new)
        self._loose += new
        whole = len(self._loose) // self.size * self.size
        self._fetch(self._loose[:whole])
        del self._loose[:whole]

    def _fetch(self, ids: Iterable[int]) -> None:
        self._fresh.extend(map(self._asking, batches(ids, self.size)))

    def _asking(self, ids: tuple[int, ...]) -> Fetch:
        """The question for *ids*, which the cache has not under any key that it had before."""
        return Fetch(ids, tries=max(self._looked[id_] for id_ in ids))

    def _settle(self) -> None:
        """Nothing is under way: compare the last roll with what is in hand, and go on or end."""
        roll, ours = self.roll, self.got | self.unreadable.keys()
        nameless = roll.nameless and f"{roll.nameless} records cannot be read, and have no id"
        if self.limit is not None:
            self._end(nameless or roll.failed)
        elif self.rolls == 1 or (nameless and self.rolls < _LOOKS):
            self._call_roll(roll)
        elif (roll.whole or nameless) and (missing := roll.ids - ours):
            self._miss(sorted(missing))
        elif nameless:
            self._end(nameless)
        elif roll.whole:
            self.gone = ours - roll.ids - roll.unreadable
            self.drifted |= self._first != roll.ids | self.unreadable.keys()
            if roll.twice:
                self.drifted = True
                self.notes.append(f"{len(roll.twice)} records are listed more than once")
            self._end()
        elif self.rolls < _ROLLS and not roll.failed:
            self._call_roll(roll)
        elif self.drifted or not roll.failed:
            self._end(roll.failed or f"{self.rolls} lists of all ids did not agree")
        else:
            self.notes.append(f"ids could not be listed a second time: {roll.failed}")
            self._end()

    def _miss(self, ids: Sequence[int]) -> None:
        """Records that are listed, and not in hand: new ones, and those that did not come."""
        self.drifted |= not self._first >= {*ids}
        if all(self._looked[id_] < _LOOKS * self.rolls for id_ in ids):
            self._fetch(ids)
        elif self.rolls < _ROLLS:
            self._call_roll(self.roll)
        else:
            self._end(f"{len(ids)} records are listed, and never given")

    def _end(self, problem: str = "") -> None:
        if problem:
            self.problems.append(problem)
        self._over = True

    def _call_roll(self, former: IdList | None) -> None:
        if former is not None:
            self.drifted |= not former.whole
        # Another size of page each time, so that no cache answers with the former roll.
        size = max(1, self.listed - self.rolls * self.listed // 20)
        self.roll = IdList(size, self.window, self.limit, self.avoid)
        self.rolls += 1
        self._again.extend(self.roll.begin(former))

    def _break(self, fetch: Fetch, reason: str) -> None:
        if not fetch.single:
            self._again.extend(fetch.parts())
        elif fetch.failures < _LOOKS:
            self._again.append(fetch.failed())
        else:
            self.unreadable[fetch.ids[0]] = reason

    def _wrong(self, fetch: Fetch, reason: str) -> None:
        if fetch.failures < _LOOKS:
            self._again.append(fetch.failed())
        else:  # perhaps one record's doing
            self._break(fetch, reason)

    def _mend(self, fetch: Fetch, outcome: Fetched) -> bool:
        """Ask again for records that came without what is nested in them; whether that is done."""
        if not self._witnesses.not_retryable(fetch, outcome):
            self._again.extend(self._witnesses.beside(fetch))
            return True
        perhaps_none = not self._witnesses and not outcome.crowded
        told = self.notes if perhaps_none else self.problems
        told.append("records came without what is nested in them")
        return False

    def _look_for(self, missing: set[int]) -> None:
        """Records that did not come with the others: perhaps gone, which the next roll tells."""
        self._looked.update(missing)
        if again := sorted(id_ for id_ in missing if self._looked[id_] % _LOOKS):
            self._again.append(self._asking(tuple(again)))
