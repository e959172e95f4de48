"""Objects, constituents and exhibitions of M+, whole and in both languages."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from mplus_crawler.census import Census
from mplus_crawler.errors import InvalidResponseError
from mplus_crawler.policies.policy import Root
from mplus_crawler.protocols.graphql.calls import Answer, call
from mplus_crawler.protocols.graphql.outcomes import Broken, Fetched, Listed, Outcome, Wrong
from mplus_crawler.protocols.graphql.planner import Planner
from mplus_crawler.protocols.graphql.questions import (
    Fetch,
    Listing,
    Operation,
    Question,
    repeated,
    with_cache_busters,
)
from mplus_crawler.protocols.graphql.reading import Reader
from mplus_crawler.records.batch import Loss, Records
from mplus_crawler.spiders.arguments import Parser, whole
from mplus_crawler.spiders.base import request_of
from mplus_crawler.spiders.mplus.base import MplusSpider
from mplus_crawler.spiders.mplus.tms import COLUMNS, Bilingual

logger = logging.getLogger(__name__)

# After so many calls that brought nothing, the next one waits longer and longer; one counts for
# a part where a record broke it, or where a range of ids may simply be empty; for a larger one
# while no id is known, since a museum may answer everything so.
_BARREN = 3
_PART = 0.02
_FIRST_PART = 0.1
# Calls in a row that could not be had for good, after which nothing more is asked; and how
# often the others after the first are asked again, which are smaller: a record may have no JSON.
_LOST = 8
_PATIENCE = 1


class RootSpider(MplusSpider):
    """Every record of one root field of the API.

    Leaves name the field (:attr:`root`) and the fields that any of its records has
    (:attr:`discriminating_fields`): one that has none of them is
    another root's, out of the server's cache.
    :attr:`inner` is the field that other records are nested in.
    """

    root: ClassVar[str]
    discriminating_fields: ClassVar[tuple[str, ...]] = ()
    inner: ClassVar[str] = ""

    facts: Root
    reader: Reader
    walk: Planner
    census: Census
    flight: int
    in_session = False
    barren = 0.0
    broken = False
    lost_calls = 0
    told = False

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """The spider, with the walk that it is to do."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        policy = spider.policy
        spider.facts = policy.roots[cls.root]
        limit = spider.arguments.get("limit")
        spider.walk = Planner(
            size=spider.facts.per_page,
            listed=spider.facts.listed,
            window=policy.window,
            cache_busters=len(spider.facts.cache_busters),
            limit=int(limit) if limit else None,
            avoid=(*policy.taken, *(root.per_page for root in policy.roots.values())),
        )
        spider.reader = Reader(cls.discriminating_fields, cls.inner, policy.nested)
        spider.flight = min(crawler.settings.getint("LOOKAHEAD"), policy.in_flight)
        return spider

    @classmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """``limit``."""
        return {"limit": whole(1)}

    async def start(self) -> AsyncIterator[Request | Loss]:
        """Ask for the first ids."""
        self.census = Census.of(self.crawler)
        self.census.limit_to(self.walk.limit)
        for request in self.calls():
            yield request

    def calls(self) -> Iterator[Request | Loss]:
        """The calls to make now. The first goes alone, so that it makes the only session."""
        while self.walk.under_way < (self.flight if self.in_session else 1):
            questions = self.walk.call()
            if not questions:
                break
            yield self.request(questions)
        if self.walk.over:
            yield from self.conclude()

    def request(self, questions: Sequence[Question]) -> Request:
        """A call that carries *questions*; the first of them is what the ledger knows it by."""
        return self.post(
            self.operations(questions),
            callback=self.parse,
            errback=self.lost,
            meta={
                "questions": questions,
                "ledger_key": f"{self.root} {questions[0].key}",
                "skip_ledger": self.walk.rolls > 1,  # a list that proves must be new
                **({"max_retry_times": _PATIENCE} if self.lost_calls else {}),
            },
        )

    def retry_of(self, request: Request) -> Request:
        """The same questions, past what the server's cache holds of them."""
        questions = [question.again() for question in request.meta["questions"]]
        meta = {**request.meta, "questions": questions}
        return request.replace(body=call(self.operations(questions)), meta=meta)

    def operations(self, questions: Sequence[Question]) -> Iterator[Operation]:
        """*questions* in the API's words."""
        cache_busters = self.facts.cache_busters
        for place, question in enumerate(questions):
            prefix = _prefix(question, place)
            filters = with_cache_busters(question, cache_busters)
            if isinstance(question, Fetch):
                ids = [*repeated(question, cache_busters), *question.beside]
                size = self.facts.per_page
                yield self.operation("Records", prefix, per_page=size, ids=ids, **filters)
                continue
            if question.ids:
                filters["ids"] = repeated(question, cache_busters)
            if question.descending:
                filters |= {"sort_field": "id", "sort": "desc"}
            yield self.operation(
                "Ids", prefix, page=question.page, per_page=question.size, **filters
            )

    def accept(self, request: Request, response: Response) -> None:
        """Read what came of each question.

        A call of which nothing is any good is a fault only when others were so before it:
        otherwise its questions are asked again together with the next.
        """
        answer = self.read(request, response)
        questions = request.meta["questions"]
        outcomes = [
            self.reader.outcome(question, answer, _prefix(question, place))
            for place, question in enumerate(questions)
        ]
        came = any(isinstance(outcome, Listed | Fetched) and outcome.ids for outcome in outcomes)
        if not self.broken and any(isinstance(outcome, Broken) for outcome in outcomes):
            self.broken, self.barren = True, 0.0  # there is something, which broke it
        if not came and self.barren >= _BARREN:
            why = next((o.reason for o in outcomes if isinstance(o, Broken | Wrong)), "")
            raise InvalidResponseError(f"nothing that was asked for came{why and f': {why}'}")
        self.barren = 0 if came else self.barren + self.weight(questions, outcomes)
        if not _is_whole(questions[0], outcomes[0]):
            request.meta["skip_ledger"] = True
        request.cb_kwargs.update(answer=answer, outcomes=outcomes)

    def weight(self, questions: Sequence[Question], outcomes: Sequence[Outcome]) -> float:
        """What a call counts that brought nothing: a part where nothing can be the truth."""
        if not any(map(_may_be_empty, questions, outcomes)):
            return 1
        return _PART if self.walk.begun else _FIRST_PART if self.broken else 1

    def parse(
        self, response: Response, answer: Answer, outcomes: Sequence[Outcome]
    ) -> Iterator[Request | Records | Loss]:
        """The records that came, and what to ask next."""
        replayed = response.meta.get("replayed", False)
        self.in_session |= not replayed
        self.lost_calls = 0
        self.census.page(replayed=replayed)
        self.walk.under_way -= 1
        questions: Sequence[Question] = response.meta["questions"]
        for place, (question, outcome) in enumerate(zip(questions, outcomes, strict=True)):
            if self.walk.answered(question, outcome) and isinstance(outcome, Fetched):
                rows = self.reader.rows(answer, _prefix(question, place))
                yield Records(response.meta["retrieved_at"], [(None, rows[i]) for i in outcome.ids])
        self.tell()
        yield from self.calls()

    def lost(self, failure: Failure) -> Iterator[Request | Loss]:
        """A call that cannot be had: its questions in smaller ones, or nothing more at all."""
        if self.census.ended or not self.crawler.crawling:
            return
        self.census.failed_page()
        self.walk.under_way -= 1
        self.lost_calls += 1
        reason = failure.getErrorMessage()
        gave_up = failure.value
        not_retryable = isinstance(gave_up, IgnoreRequest) and getattr(
            gave_up, "not_retryable", True
        )
        if not_retryable or not self.walk.begun or self.lost_calls >= _LOST:
            self.walk.stop(reason)
        else:
            self.walk.lost(request_of(failure).meta["questions"], reason)
        yield from self.calls()

    def tell(self) -> None:
        """Say once, before records are asked for, what the harvest will cost."""
        total = self.walk.total
        if total is None or self.told:
            return
        self.told = True
        self.census.total(total)
        calls = self.walk.calls_expected
        self.census.expect_pages(calls)
        quota = max(self.policy.strictest.limits, key=lambda limit: limit.seconds)
        logger.info(
            "%s: %s records, about %s calls, %.1f %% of the %s that the museum allows in %s h",
            *(self.name, f"{total:,}", f"{calls:,}", 100 * calls / quota.requests),
            *(f"{quota.requests:,}", f"{quota.seconds / 3600:g}"),
        )

    def conclude(self) -> Iterator[Loss]:
        """Nothing is left to ask: say what is missing, and what has gone or come meanwhile."""
        walk = self.walk
        for id_, reason in sorted(walk.unreadable.items()):
            yield Loss(str(id_), "unreadable", reason)
        for id_ in sorted(walk.gone):
            yield Loss(str(id_), "vanished", "the museum no longer lists it")
        for note in walk.notes:
            self.census.note(note)
        for problem in walk.problems:
            self.census.problem(problem)
        if walk.total is not None:
            self.census.total(walk.total)
        if walk.drifted and not walk.problems:
            self.census.reconciled(walk.rolls)

    def columns(self, record: Any, known_id: str | None) -> dict[str, Any]:
        """The columns of a record, both languages of which are in *record*."""
        return COLUMNS[self.kind](Bilingual(record["en"], record["zh"]), self.credit)


class MplusObjectsSpider(RootSpider):
    """Objects of M+."""

    name = "mplus_objects"
    kind = "mplus_object"
    root = "objects"
    document = "objects.graphql"
    discriminating_fields = ("objectNumber",)
    inner = "constituents"


class MplusConstituentsSpider(RootSpider):
    """Makers and other constituents of M+'s objects."""

    name = "mplus_constituents"
    kind = "mplus_constituent"
    root = "constituents"
    document = "constituents.graphql"
    discriminating_fields = ("name", "type")


class MplusExhibitionsSpider(RootSpider):
    """Exhibitions of M+; the API tells dates and venues of them, no titles."""

    name = "mplus_exhibitions"
    kind = "mplus_exhibition"
    root = "exhibitions"
    document = "exhibitions.graphql"


def _is_whole(question: Question, outcome: Outcome) -> bool:
    """Whether *outcome* is worth being kept in the ledger: all that was asked for."""
    if isinstance(question, Listing):
        return isinstance(outcome, Listed) and bool(outcome.ids)
    return isinstance(outcome, Fetched) and not outcome.bare and {*outcome.ids} == {*question.ids}


def _may_be_empty(question: Question, outcome: Outcome) -> bool:
    """Whether nothing can be the truth: a record broke it, or there are fewer than was said."""
    if isinstance(question, Listing) and (question.ids or question.page):
        return True
    return isinstance(outcome, Broken)


def _prefix(question: Question, place: int) -> str:
    """What tells the aliases of *question* apart; the first of a call needs nothing."""
    return f"{question.key}_" if place else ""
