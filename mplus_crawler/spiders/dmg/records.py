"""Single records of Gent, each requested by its PID."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, ClassVar, Self, cast
from urllib.parse import unquote, urljoin, urlsplit

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from mplus_crawler.census import Verdict
from mplus_crawler.errors import UsageError, counted
from mplus_crawler.museum.policies.policy import Policy
from mplus_crawler.protocols.documents import read_document
from mplus_crawler.protocols.validators import StoredResponse
from mplus_crawler.records.batch import Loss, Records, json_line
from mplus_crawler.records.items import ITEM_CLASSES
from mplus_crawler.records.rights import INVENTED
from mplus_crawler.spiders.arguments import Parser, text, yes
from mplus_crawler.spiders.base import request_of
from mplus_crawler.spiders.dmg.absence import Absences
from mplus_crawler.spiders.dmg.base import GentSpider, uri_of
from mplus_crawler.spiders.dmg.cidoc.agents import agent_columns
from mplus_crawler.spiders.dmg.cidoc.concepts import concept_columns
from mplus_crawler.spiders.dmg.cidoc.exhibitions import exhibition_columns
from mplus_crawler.spiders.dmg.cidoc.objects import object_columns
from mplus_crawler.spiders.dmg.id_lists import RecordReference, entries
from mplus_crawler.spiders.dmg.pids import RequestedRecords, http_date, is_record, record_uri
from mplus_crawler.spiders.single import MERGED, described, is_doubtful, location, record_request
from mplus_crawler.wire.addresses import origin
from mplus_crawler.wire.retry import RetriesExhaustedError

# A longer chain of redirects is a fault.
_LONGEST_CHAIN = 5
# The property that holds an object's colours; the server sends it on request only.
_COLORS = "crm:P65_shows_visual_item"


class RecordSpider(GentSpider):
    """The records in ``pids`` or ``pids_file``, each requested once.

    To add a kind, set :attr:`name`, :attr:`kind`, :attr:`flatten` and :attr:`path`. Set
    :attr:`dated` if the museum sends ``Last-Modified``: the records of a feed given as
    ``pids_file`` are then revalidated. :attr:`options` are the museum's parameters.
    """

    revalidates = True
    has_snapshot = False
    path: ClassVar[str]
    options: ClassVar[Mapping[str, Parser]] = {}
    dated: ClassVar[bool] = False

    requested: RequestedRecords
    home: str
    merged: dict[str, str]
    lost_in_a_row: int
    absences: Absences

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Return the spider, with the list of records to request."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        spider.home = cls.home_at(spider.policy)
        spider.merged, spider.lost_in_a_row = {}, 0
        spider.requested = RequestedRecords()
        for entry in entries(spider.arguments):
            spider.add(entry)
        first_rows = urljoin(spider.base_url, f"{cls.path}s?page=1&itemsPerPage=5")
        spider.absences = Absences(
            crawler,
            len(spider.requested),
            first_rows,
            lambda uri: spider.record_url(spider.canonical(uri)),
        )
        return spider

    @classmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """Return the list of records, and the museum's parameters."""
        return {"pids": text, "pids_file": text, **cls.options}

    @classmethod
    def check(cls, settings: BaseSettings, given: Mapping[str, str]) -> dict[str, str]:
        """Check the arguments; the whole list is read, so that nothing in it can fail later."""
        arguments = super().check(settings, given)
        if len({"pids", "pids_file"} & set(arguments)) != 1:
            raise UsageError(f"{cls.name} needs either pids=A,B,… or pids_file=FILE")
        policy = cls.load_policy(settings)
        home, canonical = cls.home_at(policy), cls.spelling(policy, cls.base(settings, policy))
        uris = (record_uri(entry, home, canonical) for entry in entries(arguments))
        if not sum(1 for _ in uris):
            raise UsageError(f"{cls.name}: pids names no record; write its number")
        return arguments

    @classmethod
    def home_at(cls, policy: Policy) -> str:
        """Return the common beginning of the canonical URIs of these records."""
        return f"{policy.base_url}{cls.path}/"

    def add(self, entry: RecordReference) -> None:
        """Add the record that *entry* names, and the feed's copy of it if that is usable."""
        self.requested.add(record_uri(entry, self.home, self.canonical))
        record, modified = entry.row.get("record"), http_date(entry.row.get("modified"))
        uri = uri_of(record)
        if not self.dated or not modified or not self._is_ours(entry.row):
            return
        own = self.canonical(uri) if uri else None
        names = entry.row.get("alias_of") or entry.value
        if own and own == names and self.alike(cast("dict[str, Any]", record)):
            self.requested.remember(own, json_line(record), modified)

    def _is_ours(self, row: Mapping[str, Any]) -> bool:
        """Whether *row* is the museum's or, for a sandbox, the sandbox's."""
        sources = [self.policy.name]
        if origin(self.base_url) != origin(self.policy.base_url):
            sources.append(f"{self.policy.name}{INVENTED}")
        return row.get("source") in sources

    def alike(self, record: Mapping[str, Any]) -> bool:
        """Return whether *record*, from a feed, has the same parts as a response to this spider."""
        return True

    def stored_response(self, request: Request) -> StoredResponse | None:
        """Return the feed's copy of the record that *request* is for."""
        return self.requested.former(self.canonical(request.url.partition("?")[0]))

    async def start(self) -> AsyncIterator[Request]:
        """Request each record, as fast as the scheduler has room for requests."""
        self.census.total(len(self.requested))
        self.census.expect_pages(len(self.requested))
        for id_ in self.requested:
            if self.crawler.engine.needs_backout():
                await self.crawler.signals.wait_for(signals.scheduler_empty)
            yield self.request(id_)

    def request(self, id_: str, via: tuple[str, ...] = (), *, again: bool = False) -> Request:
        """Return the request for *id_*, or for the last of *via*, which it was merged into."""
        url, started = self.record_url(via[-1] if via else id_), bool(via) or again
        return record_request(
            url, self.parse, self.lost, again=again, priority=int(started), id_=id_, via=via
        )

    def record_url(self, uri: str) -> str:
        """Return the address of the record with this canonical URI."""
        segment = uri[len(self.home) :]
        if not segment.strip("."):
            segment = segment.replace(".", "%2E")  # dots alone would mean the folder above
        query = "?colors=true" if "colors" in self.arguments else ""
        return f"{self.base_url}{self.path}/{segment}{query}"

    def accept(self, request: Request, response: Response) -> None:
        """Read the record and pass it to the callback."""
        request.cb_kwargs["record"] = read_document(response.body)

    def parse(
        self, response: Response, id_: str, via: tuple[str, ...], record: object = None
    ) -> Iterator[Request | Records | Loss]:
        """Yield the record, or the reason why there is none."""
        self.lost_in_a_row = 0
        if response.status == 404:
            again = self.request(id_, via, again=True)
            if is_doubtful(response):
                yield from self.absences.doubted(again)
            else:
                loss = Loss(id_, "not_found", _reason(response, via))
                yield from self.absences.confirmed(loss, again)
        elif response.status == 410:
            self.absences.found(response.url)
            yield Loss(id_, "gone", _reason(response, via))
        elif response.status in MERGED:
            self.absences.found(response.url)
            yield self.follow(response, id_, via)
        else:
            yield self.found(response, id_, via, record)

    def found(
        self, response: Response, id_: str, via: tuple[str, ...], record: object
    ) -> Request | Records | Loss:
        """Return the record, or a second request if the response holds another one."""
        target = via[-1] if via else id_
        other = self.other(record, target)
        if other and not response.meta["second_try"]:
            request = self.request(id_, via, again=True)
            request.meta["skip_ledger"] = True
            return request
        if other and record:  # some records of the museum are empty: {}
            return Loss(id_, "unreadable", f"the response holds {other}")
        self.census.page(replayed=response.meta.get("replayed", False))
        if record:
            self.absences.found(response.url)
        if via:
            self.merged[id_] = target
        return Records(response.meta["retrieved_at"], [(id_, record)])

    def other(self, record: object, target: str) -> str:
        """Return what *record* is, if it is not the record at *target*; else an empty string."""
        uri = uri_of(record)
        # The museum does not encode PIDs: the PID 100%25 looks like the encoding of 100%.
        if uri and uri != unquote(target) and self.canonical(uri) != target:
            return f"another record, {uri}"
        # Some records have no @id, but all have properties of a vocabulary.
        if not uri and isinstance(record, dict) and not any(":" in name for name in record):
            return "no record"
        return ""

    def follow(self, response: Response, id_: str, via: tuple[str, ...]) -> Request | Loss:
        """Return the request for the record that *id_* was merged into, if it may be requested."""
        try:
            place = urlsplit(urljoin(response.url, location(response)))
            target = self.canonical(place._replace(query="", fragment="").geturl())
        except ValueError:
            target = ""
        if not is_record(target, self.home):
            fault = "which is not a record of this kind"
        elif target in (id_, *via):
            fault = "which leads in a circle"
        elif len(via) >= _LONGEST_CHAIN:
            fault = f"after {counted(len(via), 'other record')}"
        elif "alias_of" not in ITEM_CLASSES[self.kind].fields:
            fault = f"and the kind {self.kind} has no column alias_of"
        else:
            return self.request(id_, (*via, target))
        where = location(response) or "no Location"
        return Loss(id_, "redirect", f"redirect ({response.status}) to {where}, {fault}")

    def lost(self, failure: Failure) -> Iterator[Loss]:
        """Report a record that the server cannot send; without a response it is missing."""
        id_, gave_up = request_of(failure).cb_kwargs["id_"], failure.value
        self.census.failed_page()
        if isinstance(gave_up, RetriesExhaustedError) and gave_up.on_record:
            yield Loss(id_, "unreadable", failure.getErrorMessage())
            return
        if not self.crawler.crawling or self.census.ended:
            return
        self.census.lost_page(f"{id_}: {failure.getErrorMessage()}")
        self.lost_in_a_row += 1
        if self.lost_in_a_row >= self.crawler.settings.getint("RETRY_BREAKER"):
            reason = f"{counted(self.lost_in_a_row, 'request')} in a row failed"
            self.census.stop(Verdict.STOPPED, f"{reason}, the last: {failure.getErrorMessage()}")

    def columns(self, record: Any, known_id: str | None) -> dict[str, Any]:
        """Return the record's columns; ``id`` is the requested URI, even of a merged record."""
        target = self.merged.pop(known_id, None) if known_id else None
        columns = super().columns(record, target or known_id)
        return {**columns, "id": known_id, **({"alias_of": target} if target else {})}


def _reason(response: Response, via: tuple[str, ...]) -> str:
    return f"merged into {via[-1]}, where {described(response)}" if via else described(response)


class ObjectSpider(RecordSpider):
    """Single objects."""

    name = "object"
    kind = "object"
    flatten = staticmethod(object_columns)
    path = "id/object"
    options = {"colors": yes}
    dated = True

    def alike(self, record: Mapping[str, Any]) -> bool:
        """Return whether both have colours, or neither."""
        return (_COLORS in record) is ("colors" in self.arguments)


class AgentSpider(RecordSpider):
    """Single agents."""

    name = "agent"
    kind = "agent"
    flatten = staticmethod(agent_columns)
    path = "id/agent"
    dated = True


class ExhibitionSpider(RecordSpider):
    """Single exhibitions."""

    name = "exhibition"
    kind = "exhibition"
    flatten = staticmethod(exhibition_columns)
    path = "id/exhibition"


class ConceptSpider(RecordSpider):
    """Single concepts."""

    name = "concept"
    kind = "concept"
    flatten = staticmethod(concept_columns)
    path = "id/concept"
