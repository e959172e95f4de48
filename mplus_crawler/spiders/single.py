"""Requests for single records, and the responses that are not a record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

from mplus_crawler.errors import LONGEST_MESSAGE, one_line

# Seconds before a 404 is confirmed by a second request: a database error also causes 404.
CONFIRM_AFTER = 2.0
MERGED = (301, 308)


def record_request(
    url: str,
    callback: Callable[..., Any],
    errback: Callable[[Failure], Any],
    *,
    again: bool = False,
    priority: int = 0,
    **cb_kwargs: Any,
) -> Request:
    """Return the request for the record at *url*; if *again*, it is sent some seconds later.

    Redirects, 404 and 410 also reach the *callback*, which receives *cb_kwargs* by name.
    """
    return Request(
        url,
        callback,
        errback=errback,
        meta={
            "single_record": True,
            "ledger_key": url,  # Scrapy's fingerprint does not distinguish %2F and %252F
            "second_try": again,
            "retry_delay": CONFIRM_AFTER if again else 0.0,
            "handle_httpstatus_list": [*MERGED, 404, 410],
            "dont_redirect": True,
        },
        cb_kwargs=cb_kwargs,
        priority=priority,
        dont_filter=True,
    )


def of_existing(request: Request) -> Request:
    """Return *request*, for a record that exists, made unconditional: a 404 means an outage."""
    request.meta.update(skip_ledger=True, dont_revalidate=True)
    return request


def is_doubtful(response: Response) -> bool:
    """Whether *response* is a first 404, which a second one must confirm."""
    return response.status == 404 and not response.meta["second_try"]


def location(response: Response) -> str:
    """Return the target of a redirect; an empty string if *response* names none."""
    return (response.headers.get("Location") or b"").decode("utf-8", "replace")


def described(response: Response) -> str:
    """Return status, redirect target and text of *response* in one line."""
    body = response.body[:LONGEST_MESSAGE].decode("utf-8", "replace")
    return one_line(f"the museum responds with {response.status} {location(response)} {body}")
