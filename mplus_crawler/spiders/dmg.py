"""Design Museum Gent: the collections of its API, version 2."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
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
from mplus_crawler.items import ITEM_CLASSES, SchemaItem
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
    canonical: Callable[[str], str]

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
        if "agent" in arguments and (ignored := set(arguments) & {"since", *cls.filters} - {"agent"}):
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
        request.cb_kwargs["page"] = read_page(
            response.body, links, request.meta["page"], asked
        )

    def parse(self, response: Response, page: Page) -> Iterator[Request | SchemaItem]:
        """The page's records; stubs for those without an id; the next pages."""
        self.census.total(page.total)
        yield from self.following(page)
        members = self.wanted(page)
        if not all(_named(member) for member in members):
            yield self.stub_request(response, page)
        for member in members:
            if _named(member):
                yield self.item(member, response)

    def parse_stubs(
        self, response: Response, page: Page, nameless: Page, retrieved_at: str
    ) -> Iterator[SchemaItem]:
        """The records of *nameless* that have no id, under the ids that the stubs give them.

        The stubs must be of the same rows: where a record's own id and its stub's differ, rows
        have moved, and no stub can be trusted.
        """
        stubs = [member.get("@id") if isinstance(member, dict) else None for member in page.members]
        pairs = list(zip(self.wanted(nameless), [*stubs, *[None] * page.size], strict=False))
        same = all(
            self.canonical(member["@id"]) == self.canonical(stub or "")
            for member, stub in pairs
            if _named(member)
        )
        for member, stub in pairs:
            if not _named(member):
                yield self.item(member, response, stub if same else None, retrieved_at)

    def lost(self, failure: Failure) -> Iterator[Request]:
        """A page that cannot be had: say so, and go on behind it where the chain is known."""
        request: Request = failure.request  # type: ignore[attr-defined]  # set by Scrapy
        number = request.meta["page"]
        self.census.lost_page(f"page {number}: {failure.getErrorMessage()}")
        for url in self.chain.lost(number):
            yield self.page_request(url)

    def lost_stubs(self, failure: Failure) -> Iterator[SchemaItem]:
        """Stubs that cannot be had: their records are rejected whole, for want of an id."""
        request: Request = failure.request  # type: ignore[attr-defined]  # set by Scrapy
        nameless = request.cb_kwargs["nameless"]
        for member in self.wanted(nameless):
            if not _named(member):
                yield self.item(member, None, None, request.cb_kwargs["retrieved_at"])

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

    def stub_request(self, response: Response, page: Page) -> Request:
        """The same rows as *page*, as stubs: they have the ids that some full records lack."""
        query = {**self.query(full=False), "page": str(page.number), "itemsPerPage": str(page.size)}
        return Request(
            urljoin(self.base_url, f"{self.path}?{urlencode(query)}"),
            self.parse_stubs,
            errback=self.lost_stubs,
            meta={"page": page.number},
            cb_kwargs={"nameless": page, "retrieved_at": response.meta["retrieved_at"]},
            dont_filter=True,
        )

    def wanted(self, page: Page) -> list[Any]:
        """The records of *page* within ``limit``."""
        if self.chain.rows is None:
            return page.members
        return page.members[: max(0, self.chain.rows - page.first_row)]

    def item(
        self,
        member: Any,
        response: Response | None,
        known_id: str | None = None,
        retrieved_at: str | None = None,
    ) -> SchemaItem:
        """An item of *member* as it came; the pipelines do the rest."""
        return ITEM_CLASSES[self.kind](
            id=known_id,
            record=member,
            retrieved_at=retrieved_at or (response and response.meta["retrieved_at"]),
        )


def _named(member: Any) -> bool:
    return isinstance(member, dict) and isinstance(member.get("@id"), str) or not isinstance(member, dict)


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
