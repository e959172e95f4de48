"""All records of one root field of M+'s API, in both languages."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from mplus_crawler.errors import InvalidResponseError, counted
from mplus_crawler.museum.policies.policy import RootField
from mplus_crawler.protocols.graphql.calls import Results, request_body
from mplus_crawler.protocols.graphql.outcomes import (
    Broken,
    Fetched,
    Invalid,
    Listed,
    Outcome,
    is_whole,
    may_be_empty,
)
from mplus_crawler.protocols.graphql.planner import Planner
from mplus_crawler.protocols.graphql.queries import (
    IdQuery,
    Operation,
    Query,
    RecordQuery,
    batches,
    cache_filters,
    cache_ids,
    prefix_of,
)
from mplus_crawler.protocols.graphql.reading import Reader
from mplus_crawler.records.batch import Loss, Records
from mplus_crawler.spiders.arguments import Parser, whole
from mplus_crawler.spiders.base import Errback, request_of
from mplus_crawler.spiders.mplus.base import MplusSpider
from mplus_crawler.spiders.mplus.tms import COLUMNS, Bilingual
from mplus_crawler.spiders.parts import is_unreadable

logger = logging.getLogger(__name__)

# After this many responses without any record, the next one is retried with growing pauses. One
# that a bad record may have broken, or that may rightly be empty, counts only in part.
_EMPTY_RESPONSES = 3
_PART = 0.02
# The part that counts before any id is known: all responses may be like this.
_FIRST_PART = 0.1
# A longer page that is empty may reach past the server's window: shorter ones are tried, too.
_LONG_PAGE = 100
_LONG_PART = 0.5
# Failed requests in a row after which the harvest stops. After the first, others are retried
# once: they are smaller, and a record may be the cause.
_FAILED_REQUESTS = 8
# The same, of responses that cannot be parsed: several bad records may be in one page.
_UNREADABLE_RESPONSES = 40
_RETRIES = 1
# A record that is requested once more has a key in the server's cache that is not in use.
_TRIES_BEFORE = 3


class RootSpider(MplusSpider):
    """All records of one root field of the API.

    Subclasses set:

    1. :attr:`root`, the field's name, with its page sizes in the policy;
    2. :attr:`document`, with the operations ``Ids`` and ``Records``;
    3. :attr:`discriminating_fields`, one of which has a value in each of its records, since the
       server's cache may return records of another root;
    4. :attr:`nested_field`, where other records are nested in its records.
    """

    root: ClassVar[str]
    discriminating_fields: ClassVar[tuple[str, ...]] = ()
    nested_field: ClassVar[str] = ""

    field: RootField
    reader: Reader
    planner: Planner
    concurrency: int
    in_session = False
    empty_responses = 0.0
    broken_seen = False
    failed_in_a_row = 0
    total_reported = False

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Return the spider, with the planner of its requests."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        api = spider.policy.graphql
        assert api is not None, "the policy lacks the table [graphql]"
        spider.field = api.roots[cls.root]
        spider.planner = Planner(
            size=spider.field.per_page,
            ids_per_page=spider.field.ids_per_page,
            window=api.window,
            cache_busters=len(spider.field.cache_busters),
            limit=spider.limit,
            avoid=api.page_sizes,
        )
        spider.reader = Reader(cls.discriminating_fields, cls.nested_field, api.nested)
        spider.concurrency = min(spider.lookahead, spider.policy.in_flight)
        return spider

    @classmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """Return ``limit``."""
        return {"limit": whole(1)}

    async def start(self) -> AsyncIterator[Request | Loss]:
        """Request the first ids."""
        self.census.limit_to(self.planner.limit)
        for request in self.next_requests():
            yield request

    def next_requests(self) -> Iterator[Request | Loss]:
        """Yield the requests to send now; the first one alone, so that there is one session."""
        while self.planner.in_flight < (self.concurrency if self.in_session else 1):
            queries = self.planner.next_queries()
            if not queries:
                break
            yield self.request(queries)
        if self.planner.done:
            yield from self.conclude()

    def request(self, queries: Sequence[Query]) -> Request:
        """Return a request with *queries*; the first one is its key in the ledger."""
        return self.post(
            self.operations(queries),
            callback=self.parse,
            errback=self.request_failed,
            meta={
                "queries": queries,
                "ledger_key": f"{self.root} {queries[0].key}",
                "skip_ledger": self.planner.lists > 1,  # a confirming list must be new
                **({"max_retry_times": _RETRIES} if self.failed_in_a_row else {}),
            },
        )

    def part_of(self, request: Request) -> Request | None:
        """Return a request with the first query of *request*; the others follow one by one.

        A request with ten root fields is the museum's heaviest.
        """
        first, *others = request.meta["queries"]
        if not others:
            return None
        self.planner.isolate(others)
        return request.replace(meta={**request.meta, "queries": [first]})

    def retry_of(self, request: Request) -> Request:
        """Return the same queries with other keys in the server's cache."""
        queries = [query.again() for query in request.meta["queries"]]
        meta = {**request.meta, "queries": queries}
        return request.replace(body=request_body(self.operations(queries)), meta=meta)

    def operations(self, queries: Sequence[Query]) -> Iterator[Operation]:
        """Return the operations for *queries*."""
        cache_busters = self.field.cache_busters
        for place, query in enumerate(queries):
            prefix = prefix_of(query, place)
            filters = cache_filters(query, cache_busters)
            if isinstance(query, RecordQuery):
                ids = [*cache_ids(query, cache_busters), *query.extra_ids]
                size = self.planner.size  # the policy's, unless the window is smaller
                yield self.operation("Records", prefix, per_page=size, ids=ids, **filters)
                continue
            if query.ids:
                filters["ids"] = cache_ids(query, cache_busters)
            if query.descending:
                filters |= {"sort_field": "id", "sort": "desc"}
            yield self.operation("Ids", prefix, page=query.page, per_page=query.size, **filters)

    def accept(self, request: Request, response: Response) -> None:
        """Read the outcome of each query.

        A response without any record is invalid only after others like it; until then, its
        queries are sent again with the next request.
        """
        queries = request.meta["queries"]
        results = self.read(request, response, 2 * sum(query.rows for query in queries))
        outcomes = [
            self.reader.outcome(query, results, prefix_of(query, place))
            for place, query in enumerate(queries)
        ]
        any_ids = any(isinstance(outcome, Listed | Fetched) and outcome.ids for outcome in outcomes)
        if not self.broken_seen and any(isinstance(outcome, Broken) for outcome in outcomes):
            self.broken_seen, self.empty_responses = True, 0.0  # an existing record broke it
        if not any_ids and self.empty_responses >= _EMPTY_RESPONSES:
            reasons = [o.reason for o in outcomes if isinstance(o, Broken | Invalid)]
            nothing = "nothing that was requested is in the response"
            raise InvalidResponseError(": ".join([nothing, *filter(None, reasons[:1])]))
        self.empty_responses = (
            0 if any_ids else self.empty_responses + self.weight(outcomes, queries)
        )
        if not is_whole(queries[0], outcomes[0]):
            request.meta["skip_ledger"] = True
        request.cb_kwargs.update(results=results, outcomes=outcomes)

    def weight(self, outcomes: Sequence[Outcome], queries: Sequence[Query]) -> float:
        """Return how much a response without any record counts: less if it may be correct."""
        if not any(map(may_be_empty, queries, outcomes)):
            long = all(isinstance(query, IdQuery) and query.size > _LONG_PAGE for query in queries)
            return _LONG_PART if long else 1
        return _PART if self.planner.started else _FIRST_PART if self.broken_seen else 1

    def parse(
        self, response: Response, results: Results, outcomes: Sequence[Outcome]
    ) -> Iterator[Request | Records | Loss]:
        """Yield the accepted records, and the next requests."""
        replayed = response.meta.get("replayed", False)
        self.in_session |= not replayed
        self.failed_in_a_row = 0
        self.census.page(replayed=replayed)
        self.planner.in_flight -= 1
        queries: Sequence[Query] = response.meta["queries"]
        for place, (query, outcome) in enumerate(zip(queries, outcomes, strict=True)):
            if self.planner.process(query, outcome) and isinstance(outcome, Fetched):
                rows = self.reader.rows(results, prefix_of(query, place))
                yield Records(response.meta["retrieved_at"], [(None, rows[i]) for i in outcome.ids])
        self.report_total()
        yield from self.next_requests()

    def requests_again(self, ids: Iterable[str], errback: Errback) -> Iterable[Request]:
        """Return requests for the records *ids*, a page of them in each."""
        for page in batches(map(int, ids), self.planner.size):
            query = RecordQuery(page, tries=_TRIES_BEFORE)
            yield self.post(
                self.operations([query]),
                callback=self.parse_again,
                errback=errback,
                meta={"queries": [query], "ledger_key": f"{self.root} again {query.key}"},
            )

    def parse_again(
        self, response: Response, results: Results, outcomes: Sequence[Outcome]
    ) -> Iterator[Records]:
        """Yield the records of one query; those that are not returned stay as they are."""
        rows, at = self.reader.rows(results, ""), response.meta["retrieved_at"]
        for outcome in outcomes:
            if isinstance(outcome, Fetched):
                yield Records(at, [(None, rows[id_]) for id_ in outcome.ids], repeats=True)

    def request_failed(self, failure: Failure) -> Iterator[Request | Loss]:
        """Yield the queries of a failed request in smaller requests, or stop."""
        if self.census.ended or not self.crawler.crawling:
            return
        self.census.failed_page()
        self.planner.in_flight -= 1
        self.failed_in_a_row += 1
        reason, error = failure.getErrorMessage(), failure.value
        final = isinstance(error, IgnoreRequest) and getattr(error, "not_retryable", True)
        unreadable = is_unreadable(failure)  # a record may be the cause
        most = _UNREADABLE_RESPONSES if unreadable else _FAILED_REQUESTS
        if final or not (self.planner.started or unreadable) or self.failed_in_a_row >= most:
            self.planner.stop(reason)
        else:
            self.planner.failed(request_of(failure).meta["queries"], reason)
        yield from self.next_requests()

    def report_total(self) -> None:
        """Log once, before records are requested, how many requests the harvest takes."""
        total = self.planner.total
        if total is None or self.total_reported:
            return
        self.total_reported = True
        self.census.total(total)
        calls = self.planner.requests_expected
        self.census.expect_pages(calls)
        quota = max(self.policy.strictest.limits, key=lambda limit: limit.seconds)
        logger.info(
            "%s: %s, about %s, %.1f %% of the %s that the museum allows in %s h",
            *(
                self.name,
                counted(total, "record"),
                counted(calls, "call"),
                100 * calls / quota.requests,
            ),
            *(f"{quota.requests:,}", f"{quota.seconds / 3600:g}"),
        )

    def conclude(self) -> Iterator[Loss]:
        """Report missing, new and vanished records when nothing is left to request."""
        planner = self.planner
        for id_, reason in sorted(planner.unreadable.items()):
            yield Loss(str(id_), "unreadable", reason)
        for text in sorted(planner.unusable):
            yield Loss(text, "unreadable", "the API does not accept ids of more than 32 bits")
        for id_ in sorted(planner.gone):
            yield Loss(str(id_), "vanished", "the museum no longer lists it")
        for note in planner.notes:
            self.census.note(note)
        for problem in planner.problems:
            self.census.problem(problem)
        if planner.total is not None:
            self.census.total(planner.total)
        if planner.drifted and not planner.problems:
            self.census.reconciled(planner.lists)

    def columns(self, record: Any, known_id: str | None) -> dict[str, Any]:
        """Return the columns of *record*, which has both languages."""
        return COLUMNS[self.kind](Bilingual(record["en"], record["zh"]), self.credit)
