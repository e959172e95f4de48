"""What the spiders of M+'s API share: the key, the session, and how an answer is read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings

from mplus_crawler.census import Census
from mplus_crawler.errors import InvalidResponseError
from mplus_crawler.protocols.graphql.calls import Answer, call, first_error, read_answer
from mplus_crawler.protocols.graphql.questions import Operation
from mplus_crawler.spiders.base import MuseumSpider
from mplus_crawler.spiders.mplus.tms import Credit

# A backend that hangs is answered for by the server itself, with nothing, after half a minute
# and longer: one has to be there to see it.
_TIMEOUT = 90
_DAY = 86_400
# How often a page in HTML is asked for again where nothing else has ever come.
_PATIENCE = 1


class MplusSpider(MuseumSpider):
    """A spider of M+'s GraphQL API.

    The terms want a key for every call, so there is none without; the service itself does not
    tell a wrong key from a good one. Its session cookie is kept, since every call without one
    makes the museum store another.
    """

    museum = "mplus"
    keyed = True
    session = True
    in_harvest = True
    document: ClassVar[str]

    credit: Credit

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        """Patience, and an unfinished harvest that may wait for another day's quota."""
        super().update_settings(settings)
        settings.set("DOWNLOAD_TIMEOUT", _TIMEOUT, priority="spider")
        # Content must not be kept beyond its date, and a cache has none: not even by request.
        settings.set("HTTPCACHE_ENABLED", False, priority="cmdline")
        if "RESUME_MAX_AGE" not in os.environ:
            days = cls.load_policy(settings).retention_days
            settings.set("RESUME_MAX_AGE", days * _DAY, priority="spider")

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """The spider, with the credit that its records carry."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        spider.credit = Credit.of(spider.policy)
        return spider

    def post(
        self, operations: Iterable[Operation], meta: Mapping[str, Any], **request: Any
    ) -> Request:
        """A call that carries *operations*. It follows no redirect, which would make it a GET."""
        return Request(
            self.base_url.rstrip("/"),
            method="POST",
            headers={"Content-Type": "application/json"},
            body=call(operations),
            meta={**meta, "dont_redirect": True},
            dont_filter=True,
            **request,
        )

    def operation(self, name: str, prefix: str = "", **variables: object) -> Operation:
        """The operation *name* of the spider's document."""
        return Operation(__package__, self.document, name, variables, prefix)

    def read(self, request: Request, response: Response) -> Answer:
        """The answer in *response*; raises :class:`InvalidResponseError` for what is none."""
        if response.body.lstrip()[:1] == b"<":
            if not Census.of(self.crawler).pages.fetched:  # it is no API that is asked
                request.meta["max_retry_times"] = _PATIENCE
            raise InvalidResponseError(
                "the answer is a page in HTML, not data: look at MPLUS_URL and MPLUS_API_KEY"
            )
        return read_answer(response.body)

    def not_retryable(self, response: Response) -> str:
        """Refusals of the question itself, and redirects, which would lose it."""
        advice = "the call is too large for it" if response.status == 413 else "look at MPLUS_URL"
        said = first_error(response.body) or advice
        if 300 <= response.status < 500 and response.status != 408:
            return f"the museum answered {response.status}, and would again: {said}"
        if response.status == 500 and "got invalid value" in said:
            return f"the museum answered 500, and would again: {said}"
        return ""
