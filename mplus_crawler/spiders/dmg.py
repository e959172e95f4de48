"""Design Museum Gent: the collections of its API, version 2."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Self
from urllib.parse import urlencode, urljoin

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from mplus_crawler.census import Census
from mplus_crawler.chain import BadNext, Chain, Place
from mplus_crawler.cidoc import canonical_id
from mplus_crawler.errors import UsageFault
from mplus_crawler.hydra import Page, page_number, read_page
from mplus_crawler.records import Records
from mplus_crawler.spiders.arguments import (
    Parser,
    day,
    flag,
    one_of,
    text,
    whole,
    without,
    year,
    years,
    yes,
)
from mplus_crawler.spiders.base import MuseumSpider

# The museum's server builds a list literal of these, and fails on what delimits one.
_labels = without('"{}')
_language = one_of("NLD", "FRA", "ENG")


class CollectionSpider(MuseumSpider):
    """A collection's full records, page by page along ``rel="next"``.

    ``since`` asks for what changed from that day on, ``limit`` for the first records only,
    ``page_size`` for smaller pages; :attr:`filters` are the museum's own.
    """

    museum = "dmg"
    base_setting = "DMG_BASE_URL"
    path: ClassVar[str]
    filters: ClassVar[Mapping[str, Parser]] = {}

    census: Census
    chain: Chain

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """The spider, with the chain of pages that it is to follow."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        canonical = spider.policy.base_url
        spider.canonical = partial(canonical_id, base_url=canonical, also=(spider.base_url,))
        limit = spider.arguments.get("limit")
        spider.chain = Chain(
            first=urljoin(spider.base_url, f"{cls.path}?{urlencode(spider.query())}"),
            place=Place(spider.base_url, canonical),
            lookahead=crawler.settings.getint("LOOKAHEAD"),
            note=lambda remark: Census.of(crawler).note(remark),
            rows=int(limit) if limit else None,
        )
        return spider

    @classmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """``since``, ``limit``, ``page_size`` and the collection's filters."""
        most = cls.load_policy(settings).page_size
        return {"since": day, "limit": whole(1), "page_size": whole(1, most), **cls.filters}

    @classmethod
    def check(cls, settings: BaseSettings, given: Mapping[str, str]) -> dict[str, str]:
        """As everywhere; filters that the museum would silently ignore are refused, too."""
        arguments = super().check(settings, given)
        if "agent" in arguments and (
            ignored := set(arguments) & {"since", *cls.filters} - {"agent"}
        ):
            raise UsageFault(
                f"{cls.name}: beside agent the museum ignores {', '.join(sorted(ignored))}; "
                "leave one or the other out"
            )
        return arguments

    def query(self, *, full: bool = True) -> dict[str, str]:
        """The first page's parameters, of *full* records or of stubs."""
        given = dict(self.arguments)
        size = given.pop("page_size", str(self.policy.page_size))
        given.pop("limit", None)
        since = given.pop("since", None)
        return {
            "page": "1",
            "itemsPerPage": size,
            **({"fullRecord": "true"} if full else {}),
            **({"modifiedSince": since} if since else {}),
            **given,
        }

    async def start(self) -> AsyncIterator[Request]:
        """Ask for the first page."""
        self.census = Census.of(self.crawler)
        self.census.limit = self.chain.rows
        yield self.page_request(self.chain.start())

    def accept(self, request: Request, response: Response) -> None:
        """Read the page and hand it to the callback."""
        links = [value.decode("latin-1") for value in response.headers.getlist("Link")]
        asked = int(self.query()["itemsPerPage"])
        request.cb_kwargs["page"] = read_page(response.body, links, request.meta["page"], asked)

    def parse(self, response: Response, page: Page) -> Iterator[Request | Records]:
        """The next pages; the page's records; stubs for the records without an id."""
        self.census.page()
        self.census.total(page.total)
        yield from self.following(page)
        members = self.wanted(page)
        retrieved_at = response.meta["retrieved_at"]
        yield Records(retrieved_at, [(None, member) for member in members if not nameless(member)])
        if any(map(nameless, members)):
            yield self.stub_request(page, retrieved_at)

    def parse_stubs(
        self, response: Response, page: Page, full: Page, retrieved_at: str
    ) -> Iterator[Records]:
        """The records of *full* that have no id, under the ids that their stubs have.

        Where a record's own id and its stub's differ, rows have moved, and no stub is trusted.
        """
        ids = [uri_of(stub) for stub in page.members] + [None] * len(full.members)
        pairs = list(zip(ids, self.wanted(full), strict=False))
        moved = any(
            known is None or self.canonical(known) != self.canonical(member["@id"])
            for known, member in pairs
            if uri_of(member)
        )
        yield Records(
            retrieved_at,
            [
                (None if moved or known is None else self.canonical(known), member)
                for known, member in pairs
                if nameless(member)
            ],
        )

    def lost(self, failure: Failure) -> Iterator[Request]:
        """A page that cannot be had: say so, and go on behind it where the chain is known."""
        request: Request = failure.request  # type: ignore[attr-defined]  # set by Scrapy
        number = request.meta["page"]
        self.census.lost_page(f"page {number}: {failure.getErrorMessage()}")
        for url in self.chain.lost(number):
            yield self.page_request(url)

    def lost_stubs(self, failure: Failure) -> Iterator[Records]:
        """Stubs that cannot be had: their records are rejected whole, for want of an id."""
        request: Request = failure.request  # type: ignore[attr-defined]  # set by Scrapy
        members = self.wanted(request.cb_kwargs["full"])
        yield Records(
            request.cb_kwargs["retrieved_at"],
            [(None, member) for member in members if nameless(member)],
        )

    def following(self, page: Page) -> Iterator[Request]:
        """Requests for the pages after *page*."""
        try:
            urls = self.chain.arrived(page)
        except BadNext as bad:
            self.census.problem(str(bad))
            return
        self.census.pages.expected = self.chain.expected or page.number
        for url in urls:
            yield self.page_request(url)

    def page_request(self, url: str) -> Request:
        """A page of full records."""
        meta = {"page": page_number(url) or 1}
        return Request(url, self.parse, errback=self.lost, meta=meta, dont_filter=True)

    def stub_request(self, page: Page, retrieved_at: str) -> Request:
        """The same rows as *page*, as stubs: they have the ids that some full records lack."""
        query = {**self.query(full=False), "page": str(page.number), "itemsPerPage": str(page.size)}
        return Request(
            urljoin(self.base_url, f"{self.path}?{urlencode(query)}"),
            self.parse_stubs,
            errback=self.lost_stubs,
            meta={"page": page.number},
            cb_kwargs={"full": page, "retrieved_at": retrieved_at},
            dont_filter=True,
        )

    def wanted(self, page: Page) -> list[Any]:
        """The records of *page* within ``limit``."""
        if self.chain.rows is None:
            return page.members
        return page.members[: max(0, self.chain.rows - page.first_row)]


def uri_of(member: Any) -> str | None:
    """The member's ``@id``, where it has one."""
    uri = member.get("@id") if isinstance(member, dict) else None
    return uri if isinstance(uri, str) else None


def nameless(member: Any) -> bool:
    """Whether *member* is a record without ``@id``, as the museum sends for a null one."""
    return isinstance(member, dict) and "@id" not in member


class ObjectsSpider(CollectionSpider):
    """Museum objects."""

    name = "objects"
    kind = "object"
    path = "id/objects"
    filters = {
        "q": text,
        "language": _language,
        "type": _labels,
        "material": _labels,
        "color": _labels,
        "cssColor": _labels,
        "colors": yes,
        "hasImages": yes,
        "hasColors": yes,
        "hasParts": yes,
        "isPartOf": yes,
        "onDisplay": flag,
        "agent": text,
        "concept": text,
        "conceptSearch": text,
        "date": years,
        "dateFrom": year,
        "dateTo": year,
        "koepels": one_of("exclude"),
    }


class AgentsSpider(CollectionSpider):
    """Designers, makers and other persons and organisations."""

    name = "agents"
    kind = "agent"
    path = "id/agents"
    filters = {
        "q": text,
        "language": _language,
        "nationality": text,
        "role": one_of("designer", "producer"),
        "type": one_of("individual", "organisation", "unknown"),
        "hasBio": yes,
    }


class ExhibitionsSpider(CollectionSpider):
    """Exhibitions."""

    name = "exhibitions"
    kind = "exhibition"
    path = "id/exhibitions"
    filters = {"q": without(",()"), "language": _language}


class ConceptsSpider(CollectionSpider):
    """Concepts of the museum's thesaurus."""

    name = "concepts"
    kind = "concept"
    path = "id/concepts"
    filters = {"q": text, "language": _language}
