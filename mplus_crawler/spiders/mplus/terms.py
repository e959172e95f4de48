"""Values of the filters of M+'s API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from scrapy import Request
from scrapy.http import Response
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from mplus_crawler.errors import InvalidResponseError
from mplus_crawler.records.batch import Records
from mplus_crawler.spiders.arguments import Parser
from mplus_crawler.spiders.base import request_of
from mplus_crawler.spiders.mplus.base import MplusSpider
from mplus_crawler.spiders.mplus.tms import term_columns

# Each is an operation of the document; its aliases are languages.
_LISTS = ("areas", "categories", "mediums", "archivalLevels", "fonds", "tags", "makertypes")
# As the server's default. Each retry requests one less, to bypass the cache.
_PER_PAGE = 9_990
# Maker types have no page size: they are the same in both languages.
_LANGUAGES = ("en", "zh-hant")


class MplusTermsSpider(MplusSpider):
    """Values of M+'s filters: areas, categories, mediums, archival levels, fonds, tags, roles."""

    name = "mplus_terms"
    kind = "mplus_term"
    document = "terms.graphql"
    terms = 0
    lists_left = 0

    @classmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """Return no arguments."""
        return {}

    async def start(self) -> AsyncIterator[Request]:
        """Request the first list; the others follow in its session."""
        self.census.expect_pages(len(_LISTS))
        self.lists_left = len(_LISTS)
        yield self.request(_LISTS[0])

    def request(self, list_: str, tries: int = 0) -> Request:
        """Return the request for *list_*."""
        key: dict[str, Any] = {"per_page": _PER_PAGE - tries}
        if list_ == "makertypes":
            key = {"lang": _LANGUAGES[tries % len(_LANGUAGES)]}
        return self.post(
            [self.operation(list_, **key)],
            callback=self.parse,
            errback=self.request_failed,
            meta={"vocabulary": list_, "tries": tries, "ledger_key": f"terms {list_}"},
        )

    def retry_of(self, request: Request) -> Request:
        """Return a request for the same list with another key in the server's cache."""
        tries = request.meta["tries"] + 1
        again = self.request(request.meta["vocabulary"], tries)
        return request.replace(body=again.body, meta={**request.meta, "tries": tries})

    def accept(self, request: Request, response: Response) -> None:
        """Read the list in each language; raise InvalidResponseError if one failed.

        An empty list must come twice, since some failures look like it.
        """
        results = self.read(request, response, len(_LANGUAGES) * _PER_PAGE)
        for alias, reason in results.errors.items():
            raise InvalidResponseError(f"{alias}: {reason}")
        lists = {alias: results.rows(alias) for alias in results.data}
        if not lists or None in lists.values():
            raise InvalidResponseError("the list is not in the response")
        if not all(lists.values()) and not request.meta.get("empty_seen"):
            request.meta["empty_seen"] = True
            raise InvalidResponseError("empty list; retrying to confirm")
        request.cb_kwargs["lists"] = lists

    def parse(
        self, response: Response, lists: Mapping[str, list[dict[str, Any]]]
    ) -> Iterator[Request | Records]:
        """Yield the terms of one list, and requests for the next lists."""
        name = response.meta["vocabulary"]
        self.census.page(replayed=response.meta.get("replayed", False))
        members: list[tuple[str | None, Any]] = [
            (f"{name}/{alias if alias in ('en', 'zh') else ''}/{row.get('title')}", row)
            for alias, rows in lists.items()
            for row in rows
        ]
        self.terms += len(dict(members))
        if empty := [alias for alias, rows in lists.items() if not rows]:
            where = f" in {empty[0]}" if members else ""
            self.census.note(f"{name}: the list is empty{where}")
        yield Records(response.meta["retrieved_at"], members)
        yield from self.others(name)

    def request_failed(self, failure: Failure) -> Iterator[Request]:
        """Report a list that failed for good."""
        name = request_of(failure).meta["vocabulary"]
        self.census.lost_page(f"{name}: {failure.getErrorMessage()}")
        yield from self.others(name)

    def others(self, name: str) -> Iterator[Request]:
        """Request the lists after the first; count the terms when all lists are in."""
        self.lists_left -= 1
        if name == _LISTS[0]:
            yield from map(self.request, _LISTS[1:])
        if not self.lists_left:
            self.census.total(self.terms)

    def columns(self, record: Any, known_id: str | None) -> dict[str, Any]:
        """Return the columns of a term."""
        return term_columns(record, known_id, self.credit)
