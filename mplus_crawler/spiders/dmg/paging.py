"""Gent's collections: pages of full records, and of stubs with the ids that some records lack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from scrapy import Request
from scrapy.http import Response
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from mplus_crawler.errors import UsageError
from mplus_crawler.protocols.hydra.collections import HydraPages
from mplus_crawler.protocols.pagers import Page
from mplus_crawler.records.batch import Records
from mplus_crawler.spiders.arguments import Parser, day
from mplus_crawler.spiders.base import request_of
from mplus_crawler.spiders.dmg.base import GentSpider, uri_of
from mplus_crawler.spiders.paged import PagedSpider
from mplus_crawler.spiders.parts import fails_on_record, is_unreadable

# Arguments that have another name at the museum.
_PARAMETERS = {"since": "modifiedSince"}


class CollectionSpider(GentSpider, PagedSpider):
    """A collection's full records, page by page along ``rel="next"``.

    To add one, set :attr:`name`, :attr:`kind`, :attr:`path` and the museum's :attr:`filters`, and
    :attr:`single` where records have no separate page. ``since`` requests what changed from
    that day on.
    """

    pager = HydraPages()
    full_query: ClassVar[Mapping[str, str]] = {"fullRecord": "true"}
    single: ClassVar[bool] = True

    @classmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """Return ``since`` and the arguments of every collection."""
        return {"since": day, **super().allowed_arguments(settings)}

    @classmethod
    def check(cls, settings: BaseSettings, given: Mapping[str, str]) -> dict[str, str]:
        """Check as everywhere, and refuse filters that the museum would silently ignore."""
        arguments = super().check(settings, given)
        if "agent" in arguments and (
            ignored := set(arguments) & {"since", *cls.filters} - {"agent"}
        ):
            raise UsageError(
                f"{cls.name}: with agent, the museum ignores {', '.join(sorted(ignored))}; "
                "leave one or the other out"
            )
        return arguments

    def query(self, *, full: bool) -> dict[str, str]:
        """Return the query of a page, with the museum's parameter names."""
        return {_PARAMETERS.get(name, name): v for name, v in super().query(full=full).items()}

    def record_url(self, id_: str) -> str | None:
        """Return the URL of the record *id_*: the id itself."""
        return self.place.carry(id_) if self.single else None

    def id_at(self, url: str) -> str | None:
        """Return the canonical URI in *url*, if it is that of a record of the same kind."""
        uri = self.canonical(url.partition("#")[0].partition("?")[0])
        return uri if f"/id/{self.kind}/" in uri else None

    def id_of(self, member: Any) -> str | None:
        """Return the canonical URI of *member*, a stub or a full record."""
        uri = uri_of(member)
        return self.canonical(uri) if uri else None

    def records(self, response: Response, page: Page) -> Iterator[Request | Records]:
        """Yield the page's records, or a request for their stubs if some have no id."""
        members = list(enumerate(self.within_limit(page)))
        retrieved_at = response.meta["retrieved_at"]
        named = [(index, member) for index, member in members if not lacks_id(member)]
        yield self.batch(retrieved_at, page, named)
        if len(named) < len(members):
            yield self.stub_request(replace(page, members=_without_content(page)), retrieved_at)

    def parse_stubs(
        self, response: Response, page: Page, full: Page, retrieved_at: str
    ) -> Iterator[Records]:
        """Yield the records of *full* without id, under the ids of their stubs.

        If a record and its stub have different ids, rows have moved and no stub is trusted: all ids
        are compared in the end, or, with ``limit``, these records are rejected.
        """
        ids = {index: id_ for index, stub in enumerate(page.members) if (id_ := self.id_of(stub))}
        members = list(enumerate(self.within_limit(full)))
        moved = any(ids.get(i) != self.id_of(member) for i, member in members if uri_of(member))
        if moved and self.chain.rows is None:
            self.census.doubt(
                f"rows moved between the requests for page {full.number} and for its ids"
            )
            return
        unnamed = [(index, member) for index, member in members if lacks_id(member)]
        yield self.batch(retrieved_at, full, unnamed, {} if moved else ids)

    def lost_stubs(self, failure: Failure) -> Iterator[Request | Records]:
        """Request stubs singly if one of them breaks the response, else report them missing."""
        request = request_of(failure)
        full: Page = request.cb_kwargs["full"]
        retrieved_at = request.cb_kwargs["retrieved_at"]
        unnamed = [pair for pair in enumerate(self.within_limit(full)) if lacks_id(pair[1])]
        if fails_on_record(failure) and full.size > 1:
            for index, member in unnamed:
                row = full.first_row + index + 1
                one = replace(full, number=row, size=1, members=[member])
                yield self.stub_request(one, retrieved_at)
        elif is_unreadable(failure):  # the record has no id anywhere
            yield self.batch(retrieved_at, full, unnamed)
        else:
            self.census.failed_page()
            reason = failure.getErrorMessage()
            self.census.lost_page(f"the ids of page {full.number} of {full.size}: {reason}")

    def stub_request(self, page: Page, retrieved_at: str) -> Request:
        """Return the request for the rows of *page* as stubs, which all have ids."""
        return Request(
            self.url(page.number, page.size, full=False),
            self.parse_stubs,
            errback=self.lost_stubs,
            meta={"page": page.number, "size": page.size},
            cb_kwargs={"full": page, "retrieved_at": retrieved_at},
            dont_filter=True,
        )


def lacks_id(member: Any) -> bool:
    """Whether *member* is a record without ``@id``; the museum sends some as ``{}``."""
    return isinstance(member, dict) and "@id" not in member


def _without_content(page: Page) -> list[Any]:
    """Return the members of *page*, those with an ``@id`` without anything else."""
    return [{"@id": uri} if (uri := uri_of(member)) else member for member in page.members]
