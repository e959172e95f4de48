"""Common to the spiders of M+'s API: key, session, requests and responses."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings

from mplus_crawler.errors import InvalidResponseError
from mplus_crawler.protocols.graphql.calls import Results, first_error, read_results, request_body
from mplus_crawler.protocols.graphql.queries import Operation
from mplus_crawler.spiders.base import MuseumSpider
from mplus_crawler.spiders.mplus.tms import Credit

# If the search backend hangs, the server responds after 30 s or more, with an empty list.
_TIMEOUT = 90
# Client errors that say nothing about the query.
_TRANSIENT = (408, 421, 425)
_DAY = 86_400
# Retries of a response in HTML while no other response has come.
_HTML_RETRIES = 1


class MplusSpider(MuseumSpider):
    """A spider of M+'s GraphQL API.

    Subclasses name their :attr:`document`, a ``.graphql`` file beside this module, and send its
    operations with :meth:`post`. The terms require a key for every call, but the service does not
    check it. The session cookie is kept, since the museum stores a session for every call without
    one.
    """

    museum = "mplus"
    keyed = True
    session = True
    in_harvest = True
    document: ClassVar[str]

    credit: Credit

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        """Set a long timeout, and let an unfinished harvest wait for another day's quota."""
        super().update_settings(settings)
        settings.set("DOWNLOAD_TIMEOUT", _TIMEOUT, priority="spider")
        # A cache would keep content beyond its date, so it stays off even if it is set.
        settings.set("HTTPCACHE_ENABLED", False, priority="cmdline")
        if "RESUME_MAX_AGE" not in os.environ:
            days = cls.load_policy(settings).retention_days
            settings.set("RESUME_MAX_AGE", days * _DAY, priority="spider")

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Return the spider, with the credit for its records."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        spider.credit = Credit.of(spider.policy)
        return spider

    def post(
        self, operations: Iterable[Operation], meta: Mapping[str, Any], **request: Any
    ) -> Request:
        """Return a request for *operations*; it follows no redirect, which would make it a GET."""
        return Request(
            self.base_url.rstrip("/"),
            method="POST",
            headers={"Content-Type": "application/json"},
            body=request_body(operations),
            meta={**meta, "dont_redirect": True},
            dont_filter=True,
            **request,
        )

    def operation(self, name: str, prefix: str = "", **variables: object) -> Operation:
        """Return the operation *name* of the spider's document."""
        return Operation(__package__, self.document, name, variables, prefix)

    def read(self, request: Request, response: Response, rows: int) -> Results:
        """Return the results in *response*, for which at most *rows* records were requested.

        Raise :class:`InvalidResponseError` if it has none.
        """
        if response.body.lstrip()[:1] == b"<":
            if not self.census.pages.fetched:  # the URL may not be an API
                request.meta["max_retry_times"] = _HTML_RETRIES
            raise InvalidResponseError(
                "the response is HTML, not data: check MPLUS_URL and MPLUS_API_KEY"
            )
        return read_results(response.body, rows)

    def not_retryable(self, response: Response) -> str:
        """Return a reason for errors of the query itself, and for redirects, which lose it."""
        status = response.status
        if status != 500 and (not 300 <= status < 500 or status in _TRANSIENT):
            return ""
        advice = "the request is too large" if status == 413 else "check MPLUS_URL"
        message = first_error(response.body) or advice
        if status < 500 or "got invalid value" in message:
            return f"{status} from the museum, not retryable: {message}"
        return ""
