"""Single records, each from its own page, by their PIDs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, ClassVar, Self, cast
from urllib.parse import unquote, urljoin, urlsplit

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from mplus_crawler.census import Census, Verdict
from mplus_crawler.errors import UsageError
from mplus_crawler.policies.policy import Policy
from mplus_crawler.protocols.documents import read_document
from mplus_crawler.protocols.validators import StoredResponse
from mplus_crawler.records.batch import Loss, Records, json_line
from mplus_crawler.records.items import ITEM_CLASSES
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
from mplus_crawler.spiders.single import MERGED, ask, is_doubtful, location, told
from mplus_crawler.wire.retry import RetriesExhaustedError

# A record that has been merged more often leads in a circle, or nowhere.
_LONGEST_CHAIN = 5
# The property that an object has only where colours were asked for, and known.
_COLORS = "crm:P65_shows_visual_item"


class RecordSpider(GentSpider):
    """Records by their PIDs: ``pids``, or those of ``pids_file``, each asked for once.

    Where the museum says when a record was :attr:`dated`, a former feed's copy is asked about
    rather than fetched again.
    """

    revalidates = True
    path: ClassVar[str]
    options: ClassVar[Mapping[str, Parser]] = {}
    dated: ClassVar[bool] = False

    census: Census
    requested: RequestedRecords
    home: str
    merged: dict[str, str]
    lost_in_a_row: int
    absences: Absences

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """The spider, with the list of what it is to ask for."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        spider.home = cls.home_at(spider.policy)
        spider.merged, spider.lost_in_a_row = {}, 0
        spider.requested = RequestedRecords()
        for entry in entries(spider.arguments):
            spider.add(entry)
        first_rows = urljoin(spider.base_url, f"{cls.path}s?page=1&itemsPerPage=5")
        spider.absences = Absences(crawler, len(spider.requested), first_rows, spider.record_url)
        return spider

    @classmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """The list of records, and what else the museum has for one."""
        return {"pids": text, "pids_file": text, **cls.options}

    @classmethod
    def check(cls, settings: BaseSettings, given: Mapping[str, str]) -> dict[str, str]:
        """As everywhere; the list is read through, so that nothing in it can fail later."""
        arguments = super().check(settings, given)
        if len({"pids", "pids_file"} & set(arguments)) != 1:
            raise UsageError(f"{cls.name} needs either pids=A,B,… or pids_file=FILE")
        policy = cls.load_policy(settings)
        home, canonical = cls.home_at(policy), cls.spelling(policy, cls.base(settings, policy))
        uris = (record_uri(entry, home, canonical) for entry in entries(arguments))
        if not sum(1 for _ in uris):
            raise UsageError(f"{cls.name}: pids names no record")
        return arguments

    @classmethod
    def home_at(cls, policy: Policy) -> str:
        """What the canonical URIs of these records begin with."""
        return f"{policy.base_url}{cls.path}/"

    def add(self, entry: RecordReference) -> None:
        """Ask for what *entry* names; remember what the feed has of it, if that may stand in."""
        self.requested.add(record_uri(entry, self.home, self.canonical))
        record, modified = entry.row.get("record"), http_date(entry.row.get("modified"))
        uri = uri_of(record)
        if not self.dated or not modified or entry.row.get("source") != self.policy.name:
            return
        own = self.canonical(uri) if uri else None
        names = entry.row.get("alias_of") or entry.value
        if own and own == names and self.alike(cast("dict[str, Any]", record)):
            self.requested.remember(own, json_line(record), modified)

    def alike(self, record: Mapping[str, Any]) -> bool:
        """Whether *record* of a former feed has what is asked for now, no less and no more."""
        return True

    def stored_response(self, request: Request) -> StoredResponse | None:
        """The former feed's copy of the record that *request* asks for."""
        return self.requested.former(self.canonical(request.url.partition("?")[0]))

    async def start(self) -> AsyncIterator[Request]:
        """Ask for each record, no faster than there is room for requests."""
        self.census = Census.of(self.crawler)
        self.census.total(len(self.requested))
        self.census.expect_pages(len(self.requested))
        for id_ in self.requested:
            if self.crawler.engine.needs_backout():
                await self.crawler.signals.wait_for(signals.scheduler_empty)
            yield self.request(id_)

    def request(self, id_: str, via: tuple[str, ...] = (), *, again: bool = False) -> Request:
        """The request for *id_*, which merges have led on to the last of *via*."""
        url, started = self.record_url(via[-1] if via else id_), bool(via) or again
        return ask(url, self.parse, self.lost, again=again, priority=int(started), id_=id_, via=via)

    def record_url(self, uri: str) -> str:
        """Return the address of the record with this URI."""
        segment = self.canonical(uri)[len(self.home) :]
        if not segment.strip("."):
            segment = segment.replace(".", "%2E")  # else it would be the folder above
        query = "?colors=true" if "colors" in self.arguments else ""
        return f"{self.base_url}{self.path}/{segment}{query}"

    def accept(self, request: Request, response: Response) -> None:
        """Read the record, and hand it to the callback."""
        request.cb_kwargs["record"] = read_document(response.body)

    def parse(
        self, response: Response, id_: str, via: tuple[str, ...], record: object = None
    ) -> Iterator[Request | Records | Loss]:
        """The record, or why it is not there."""
        self.lost_in_a_row = 0
        if is_doubtful(response):
            yield self.request(id_, via, again=True)
        elif response.status == 404:
            yield from self.absences.add(Loss(id_, "not_found", _told(response, via)))
        elif response.status == 410:
            self.absences.found(response.url)
            yield Loss(id_, "gone", _told(response, via))
        elif response.status in MERGED:
            self.absences.found(response.url)
            yield self.follow(response, id_, via)
        else:
            yield self.found(response, id_, via, record)

    def found(
        self, response: Response, id_: str, via: tuple[str, ...], record: object
    ) -> Request | Records | Loss:
        """The record, if it is the one that was asked for; for any other it is asked once more."""
        target = via[-1] if via else id_
        other = self.other(record, target)
        if other and not response.meta["second_try"]:
            request = self.request(id_, via, again=True)
            request.meta["skip_ledger"] = True
            return request
        if other and record:  # of some, the museum has nothing at all but the number
            return Loss(id_, "unreadable", f"the museum answers with {other}")
        self.census.page(replayed=response.meta.get("replayed", False))
        if record:
            self.absences.found(response.url)
        if via:
            self.merged[id_] = target
        return Records(response.meta["retrieved_at"], [(id_, record)])

    def other(self, record: object, target: str) -> str:
        """What *record* is instead of the record at *target*; empty if it is that."""
        uri = uri_of(record)
        # The museum writes numbers unencoded: one such as 100%25 reads like another's encoding.
        if uri and uri != unquote(target) and self.canonical(uri) != target:
            return f"another record, {uri}"
        # Some have no id, but all say something in terms of a vocabulary.
        if not uri and isinstance(record, dict) and not any(":" in name for name in record):
            return "nothing of a record"
        return ""

    def follow(self, response: Response, id_: str, via: tuple[str, ...]) -> Request | Loss:
        """On to the record that *id_* was merged into, if it is one that may be asked for."""
        try:
            place = urlsplit(urljoin(response.url, location(response)))
            target = self.canonical(place._replace(query="", fragment="").geturl())
        except ValueError:
            target = ""
        if not is_record(target, self.home):
            fault = "which is no record of this kind"
        elif target in (id_, *via):
            fault = "which leads in a circle"
        elif len(via) >= _LONGEST_CHAIN:
            fault = f"after {len(via)} other records"
        elif "alias_of" not in ITEM_CLASSES[self.kind].fields:
            fault = f"and records of the kind {self.kind} have no column for that"
        else:
            return self.request(id_, (*via, target))
        where = location(response) or "without saying where"
        return Loss(id_, "redirect", f"the museum leads on ({response.status}) {where}, {fault}")

    def lost(self, failure: Failure) -> Iterator[Loss]:
        """A record that the server cannot give; where there was no answer, it is missing."""
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
            reason = f"{self.lost_in_a_row} records in a row could not be had"
            self.census.stop(Verdict.STOPPED, f"{reason}, lastly {failure.getErrorMessage()}")

    def columns(self, record: Any, known_id: str | None) -> dict[str, Any]:
        """The record's columns; it goes by the URI that was asked for, merged or not."""
        target = self.merged.pop(known_id, None) if known_id else None
        columns = super().columns(record, target or known_id)
        return {**columns, "id": known_id, **({"alias_of": target} if target else {})}


def _told(response: Response, via: tuple[str, ...]) -> str:
    return f"merged into {via[-1]}, where {told(response)}" if via else told(response)


class ObjectSpider(RecordSpider):
    """Single objects."""

    name = "object"
    kind = "object"
    flatten = staticmethod(object_columns)
    path = "id/object"
    options = {"colors": yes}
    dated = True

    def alike(self, record: Mapping[str, Any]) -> bool:
        """With colours or without: neither may stand in for the other."""
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
