"""The museum's indexes and catalogue: one answer each, and every member of it an item."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self
from urllib.parse import urlencode, urljoin

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from mplus_crawler.census import Census
from mplus_crawler.errors import InvalidResponseError
from mplus_crawler.protocols.hydra.collections import MemberList, read_listing, read_lists
from mplus_crawler.records.batch import Records
from mplus_crawler.responses.ledger import Ledger
from mplus_crawler.spiders.arguments import Parser, flag, yes
from mplus_crawler.spiders.base import request_of
from mplus_crawler.spiders.dmg.base import GentSpider
from mplus_crawler.spiders.dmg.cidoc.indexes import dominant_objects, palette
from mplus_crawler.wire.throttle import Throttle

logger = logging.getLogger(__name__)


class IndexSpider(GentSpider):
    """A list that the museum gives whole, in one answer; :attr:`filters` are its own."""

    path: ClassVar[str]
    filters: ClassVar[Mapping[str, Parser]] = {}
    census: Census

    @classmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """The index's filters."""
        return cls.filters

    async def start(self) -> AsyncIterator[Request]:
        """Ask for the list."""
        self.census = Census.of(self.crawler)
        self.census.expect_pages(1)
        yield Request(self.url(), errback=self.lost, dont_filter=True)

    def url(self) -> str:
        """Where the list is."""
        asked = {name: value for name, value in self.arguments.items() if name in self.filters}
        return urljoin(self.base_url, self.path) + (f"?{urlencode(asked)}" if asked else "")

    def accept(self, request: Request, response: Response) -> None:
        """Read the list, and hand it to the callback."""
        request.cb_kwargs["page"] = self.read(response.body)

    def read(self, body: bytes) -> MemberList:
        """The list in *body*; raises :class:`InvalidResponseError` where there is none."""
        return read_listing(body)

    def parse(self, response: Response, page: MemberList) -> Iterator[Request | Records]:
        """What is listed, and how many there should be."""
        self.census.page(replayed=response.meta.get("replayed", False))
        ids = [self.id_of(member) for member in page.members]
        self.census.total(len(ids) if page.total is None else page.total)
        self.census.listed(len({*ids} - {None}) + ids.count(None))
        yield from self.items(response.meta["retrieved_at"], page.members)

    def items(self, retrieved_at: str, members: list[Any]) -> Iterator[Request | Records]:
        """The items of these *members*."""
        yield Records(retrieved_at, [(None, member) for member in members])

    def id_of(self, member: Any) -> str | None:
        """The id that *member* goes by."""
        found = self.columns(member, None)["id"] if isinstance(member, dict) else None
        return found if isinstance(found, str) else None

    def lost(self, failure: Failure) -> None:
        """The list cannot be had."""
        self.census.failed_page()
        self.census.lost_page(f"the list {self.path}: {failure.getErrorMessage()}")


class TypesSpider(IndexSpider):
    """Types of objects, and how many objects are of each."""

    name = "types"
    kind = "type"
    path = "id/types"
    filters = {"onDisplay": yes}


class MaterialsSpider(IndexSpider):
    """Materials, and how many objects are made of each."""

    name = "materials"
    kind = "material"
    path = "id/materials"
    filters = {"onDisplay": yes}


class NationalitiesSpider(IndexSpider):
    """Nationalities of agents, and how many agents have each."""

    name = "nationalities"
    kind = "nationality"
    path = "id/nationalities"


class ColorsSpider(IndexSpider):
    """Base and CSS colours of the images, and how many objects have each.

    ``dominant`` asks for the objects in which each colour is strongest, a request a colour.
    """

    name = "colors"
    kind = "color"
    path = "id/colors"
    filters = {"onDisplay": yes}
    # By the colour's id, until its row is made.
    dominant: dict[str, list[dict[str, Any]]]

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """The spider, with no dominant objects yet."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        spider.dominant = {}
        return spider

    @classmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """The index's filters, and ``dominant``."""
        return {**cls.filters, "dominant": flag}

    def accept(self, request: Request, response: Response) -> None:
        """Read the colours, or the objects in which one is strongest."""
        most = request.meta.get("max_members")
        if most is None:
            super().accept(request, response)
            return
        page = read_listing(response.body, most)
        if not all(isinstance(member, dict) for member in page.members):
            raise InvalidResponseError("the answer has members that are no records")
        request.cb_kwargs["page"] = page

    def read(self, body: bytes) -> MemberList:
        """Both palettes; only the filter can leave nothing of them."""
        page = read_lists(body, "base_colors", "css_colors")
        if not page.members and "onDisplay" not in self.arguments:
            raise InvalidResponseError("the answer has no colours")
        return page

    def items(self, retrieved_at: str, members: list[Any]) -> Iterator[Request | Records]:
        """The colours, or requests for what they dominate."""
        if self.arguments.get("dominant") != "true":
            yield from super().items(retrieved_at, members)
            return
        same: dict[str | None, list[Any]] = {}
        for member in members:
            id_ = self.id_of(member)
            same.setdefault(id_ if palette(id_) else None, []).append(member)
        yield from super().items(retrieved_at, same.pop(None, []))
        requests = [
            self.dominant_request(id_, twins, retrieved_at) for id_, twins in same.items() if id_
        ]
        self.tell(requests)
        yield from requests

    def dominant_request(self, id_: str, members: list[Any], retrieved_at: str) -> Request:
        """The objects in which the colour *id_*, which *members* stand for, is strongest."""
        most = self.policy.page_size
        query = f"{id_.partition('?')[2]}&limit={most}"
        return Request(
            urljoin(self.base_url, f"{self.path}/dominant?{query}"),
            self.parse_dominant,
            errback=self.lost_dominant,
            meta={"max_members": most},
            cb_kwargs={"id_": id_, "members": members, "retrieved_at": retrieved_at},
            dont_filter=True,
        )

    def tell(self, requests: Sequence[Request]) -> None:
        """Say what the dominant objects will cost, before the first of them is asked for."""
        self.census.expect_pages(1 + len(requests))
        if "onDisplay" in self.arguments:
            self.census.note("dominant objects may be any of the collection, on display or not")
        ledger, throttle = Ledger.of(self.crawler), Throttle.of(self.crawler)
        if due := [request for request in requests if not ledger.find(request)]:
            account = throttle.account(due[0])
            limits = [f"{limit.requests:,} in {limit.seconds:g} s" for limit in account.limits]
            logger.info(
                "%s: dominant objects take %s requests, some %.0f s at the %s of the budget",
                *(self.name, f"{len(due):,}", account.seconds_for(len(due)), " and ".join(limits)),
            )

    def parse_dominant(
        self, response: Response, page: MemberList, id_: str, members: list[Any], retrieved_at: str
    ) -> Iterator[Records]:
        """The colour, with its dominant objects."""
        self.census.page(replayed=response.meta.get("replayed", False))
        self.dominant[id_] = dominant_objects(page.members, self.canonical)
        if not page.members and members[0].get("object_count"):
            self.census.note(f"{id_} has objects, and the museum names none that it dominates")
        yield Records(retrieved_at, [(None, member) for member in members])

    def lost_dominant(self, failure: Failure) -> Iterator[Records]:
        """The colour without its dominant objects, which cannot be had."""
        asked = request_of(failure).cb_kwargs
        self.census.failed_page()
        reason = failure.getErrorMessage()
        self.census.lost_page(f"the dominant objects of {asked['id_']}: {reason}")
        yield Records(asked["retrieved_at"], [(None, member) for member in asked["members"]])

    def columns(self, record: Any, known_id: str | None) -> dict[str, Any]:
        """The columns of a colour, with its dominant objects where they are in hand."""
        columns = super().columns(record, known_id)
        return {**columns, "dominant_objects": self.dominant.pop(columns["id"], None)}


class DcatSpider(IndexSpider):
    """The museum's catalogue of its data: the catalogue itself, and each data set in it."""

    name = "dcat"
    kind = "dataset"
    path = "dcat"

    def read(self, body: bytes) -> MemberList:
        """The catalogue, then its data sets."""
        page = read_lists(body, "dcat:dataset")
        if not page.members:
            raise InvalidResponseError("the answer has no data sets")
        return MemberList(page.document, [page.document, *page.members], None)
