"""The museum's index of colours, and the objects in which each colour is strongest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self
from urllib.parse import urljoin

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from mplus_crawler.errors import InvalidResponseError
from mplus_crawler.protocols.hydra.collections import MemberList, read_listing
from mplus_crawler.records.batch import Records
from mplus_crawler.spiders.arguments import Parser, flag, yes
from mplus_crawler.spiders.base import request_of
from mplus_crawler.spiders.dmg.cidoc.indexes import color_columns, dominant_objects, palette
from mplus_crawler.spiders.dmg.indexes import IndexSpider


class ColorsSpider(IndexSpider):
    """Base and CSS colours of the images, and how many objects have each.

    ``dominant`` adds the objects in which each colour is strongest, with one request per colour.
    """

    name = "colors"
    kind = "color"
    path = "id/colors"
    flatten = staticmethod(color_columns)
    lists = ("base_colors", "css_colors")
    filters = {"onDisplay": yes}
    # By the colour's id, until its row is made.
    dominant: dict[str, list[dict[str, Any]]]

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Return the spider, without dominant objects yet."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        spider.dominant = {}
        return spider

    @classmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """Return the museum's parameters, and ``dominant``."""
        return {**cls.filters, "dominant": flag}

    def accept(self, request: Request, response: Response) -> None:
        """Read the colours, or the objects in which one is strongest."""
        most = request.meta.get("max_members")
        if most is None:
            super().accept(request, response)
            return
        page = read_listing(response.body, most)
        if not all(isinstance(member, dict) for member in page.members):
            raise InvalidResponseError("the response has members that are not records")
        request.cb_kwargs["page"] = page

    def items(self, retrieved_at: str, members: list[Any]) -> Iterator[Request | Records]:
        """Yield the colours, or the requests for their dominant objects."""
        if self.arguments.get("dominant") != "true":
            yield from super().items(retrieved_at, members)
            return
        same: dict[str | None, list[Any]] = {}
        for member in members:
            id_ = self.id_of(member)
            same.setdefault(id_ if palette(id_) else None, []).append(member)
        yield from super().items(retrieved_at, same.pop(None, []))
        self.census.expect_pages(1 + len(same))
        if "onDisplay" in self.arguments:
            self.census.note("dominant objects come from the whole collection, on display or not")
        for id_, twins in same.items():
            if id_:
                yield self.dominant_request(id_, twins, retrieved_at)

    def dominant_request(self, id_: str, members: list[Any], retrieved_at: str) -> Request:
        """Return the request for the dominant objects of the colour *id_*, listed as *members*."""
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

    def parse_dominant(
        self, response: Response, page: MemberList, id_: str, members: list[Any], retrieved_at: str
    ) -> Iterator[Records]:
        """Yield the colour, with its dominant objects."""
        self.census.page(replayed=response.meta.get("replayed", False))
        self.dominant[id_] = dominant_objects(page.members, self.canonical)
        if not page.members and members[0].get("object_count"):
            self.census.note(
                f"{id_} has objects, but the museum lists none in which it is strongest"
            )
        yield Records(retrieved_at, [(None, member) for member in members])

    def lost_dominant(self, failure: Failure) -> Iterator[Records]:
        """Yield the colour without its dominant objects, which could not be fetched."""
        lost = request_of(failure).cb_kwargs
        self.census.failed_page()
        reason = failure.getErrorMessage()
        self.census.lost_page(f"the dominant objects of {lost['id_']}: {reason}")
        yield Records(lost["retrieved_at"], [(None, member) for member in lost["members"]])

    def columns(self, record: Any, known_id: str | None) -> dict[str, Any]:
        """Return the columns of a colour, with its dominant objects if they were fetched."""
        columns = super().columns(record, known_id)
        return {**columns, "dominant_objects": self.dominant.pop(columns["id"], None)}
