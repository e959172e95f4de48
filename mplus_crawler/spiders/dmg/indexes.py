"""The museum's indexes and catalogue: lists in one response, one row per member.

A further index is one class: ``name``, ``kind``, ``path`` below the base URL, ``flatten`` for its
columns, ``filters`` for the museum's parameters, and ``lists`` where its members do not stand in
``hydra:member``. It needs a schema only if none in ``schemas/`` has its columns.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode, urljoin

from scrapy import Request
from scrapy.http import Response
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from mplus_crawler.errors import InvalidResponseError
from mplus_crawler.protocols.hydra.collections import MemberList, read_listing, read_lists
from mplus_crawler.records.batch import Records
from mplus_crawler.spiders.arguments import Parser, text, whole, yes
from mplus_crawler.spiders.dmg.base import GentSpider
from mplus_crawler.spiders.dmg.cidoc.catalogue import dataset_columns
from mplus_crawler.spiders.dmg.cidoc.indexes import (
    agent_entry_columns,
    object_entry_columns,
    production_columns,
)


class IndexSpider(GentSpider):
    """A list that the museum sends whole, in one response.

    :attr:`filters` are the museum's parameters. :attr:`lists` names the properties that hold the
    members; without it they stand in ``hydra:member``, and ``hydra:totalItems`` counts them.
    """

    path: ClassVar[str]
    filters: ClassVar[Mapping[str, Parser]] = {}
    lists: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """Return the museum's parameters."""
        return cls.filters

    async def start(self) -> AsyncIterator[Request]:
        """Request the list."""
        self.census.expect_pages(1)
        yield Request(self.url(), errback=self.lost, dont_filter=True)

    def url(self) -> str:
        """Return the address of the list."""
        query = {name: value for name, value in self.arguments.items() if name in self.filters}
        return urljoin(self.base_url, self.path) + (f"?{urlencode(query)}" if query else "")

    def access_denied(self, response: Response) -> str:
        """Name the missing endpoint: older versions of the API respond with 404 and HTML."""
        if response.status == 404 and response.url == self.url():
            return f"404 from {response.url}: this version of the API has no {self.path}"
        return super().access_denied(response)

    def accept(self, request: Request, response: Response) -> None:
        """Read the list and pass it to the callback."""
        request.cb_kwargs["page"] = self.read(response.body)

    def read(self, body: bytes) -> MemberList:
        """Return the list in *body*; raise :class:`InvalidResponseError` if it has none.

        A list without a total may be empty only if a parameter selects its members.
        """
        if not self.lists:
            return read_listing(body)
        page = read_lists(body, *self.lists)
        if not page.members and not set(self.filters) & set(self.arguments):
            raise InvalidResponseError(f"the response has no members in {' or '.join(self.lists)}")
        return page

    def parse(self, response: Response, page: MemberList) -> Iterator[Request | Records]:
        """Count the members and yield them."""
        self.census.page(replayed=response.meta.get("replayed", False))
        ids = [self.id_of(member) for member in page.members]
        self.census.total(len(ids) if page.total is None else page.total)
        self.census.listed(len({*ids} - {None}) + ids.count(None))
        yield from self.items(response.meta["retrieved_at"], page.members)

    def items(self, retrieved_at: str, members: list[Any]) -> Iterator[Request | Records]:
        """Yield the items of *members*."""
        yield Records(retrieved_at, [(None, member) for member in members])

    def lost(self, failure: Failure) -> None:
        """Report that the list could not be fetched."""
        self.census.failed_page()
        self.census.lost_page(f"the list {self.path}: {failure.getErrorMessage()}")


# The museum's bounds: a bucket is 5 to 100 years, and the index ends in 2100.
_PERIODS = {
    "bucket": whole(5, 100),
    "yearFrom": whole(0, 2100),
    "yearTo": whole(0, 2100),
    "onDisplay": yes,
    "q": text,
}


class TypesSpider(IndexSpider):
    """Types of objects, and how many objects there are of each."""

    name = "types"
    kind = "type"
    path = "id/types"
    flatten = staticmethod(object_entry_columns)
    filters = {"onDisplay": yes}


class MaterialsSpider(IndexSpider):
    """Materials, and how many objects are made of each."""

    name = "materials"
    kind = "material"
    path = "id/materials"
    flatten = staticmethod(object_entry_columns)
    filters = {"onDisplay": yes}


class NationalitiesSpider(IndexSpider):
    """Nationalities of agents, and how many agents have each."""

    name = "nationalities"
    kind = "nationality"
    path = "id/nationalities"
    flatten = staticmethod(agent_entry_columns)


class RolesSpider(IndexSpider):
    """Roles of agents, and how many agents have each."""

    name = "roles"
    kind = "role"
    path = "id/roles"
    flatten = staticmethod(agent_entry_columns)


class ProductionSpider(IndexSpider):
    """Periods, and how many objects were made and acquired in each."""

    name = "production"
    kind = "production"
    path = "id/production"
    flatten = staticmethod(production_columns)
    lists = ("buckets",)
    filters = _PERIODS


class DcatSpider(IndexSpider):
    """The museum's catalogue of its data, and each data set in it."""

    name = "dcat"
    kind = "dataset"
    path = "dcat"
    flatten = staticmethod(dataset_columns)
    lists = ("dcat:dataset",)

    def read(self, body: bytes) -> MemberList:
        """Return the catalogue, then its data sets."""
        page = super().read(body)
        return MemberList(page.document, [page.document, *page.members], None)
