"""A record's own page: how it is asked for, and what an answer that is no record says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

# Seconds between the two 404s by which a page is none: a database fault answers 404, too.
APART = 2.0
MERGED = (301, 308)
# More of an answer says nothing more.
_LONGEST = 300


def ask(
    url: str,
    callback: Callable[..., Any],
    errback: Callable[[Failure], Any],
    *,
    again: bool = False,
    priority: int = 0,
    **carried: Any,
) -> Request:
    """The request for the record at *url*; *again* for a second time, some seconds later.

    Redirects, 404 and 410 come to the *callback*, which gets what is *carried* by name.
    """
    return Request(
        url,
        callback,
        errback=errback,
        meta={
            "single_record": True,
            "ledger_key": url,  # Scrapy's fingerprint takes %2F and %252F for the same
            "second_try": again,
            "retry_delay": APART if again else 0.0,
            "handle_httpstatus_list": [*MERGED, 404, 410],
            "dont_redirect": True,
        },
        cb_kwargs=carried,
        priority=priority,
        dont_filter=True,
    )


def is_doubtful(response: Response) -> bool:
    """Whether *response* is the first 404, which counts only if a second one follows."""
    return response.status == 404 and not response.meta["second_try"]


def location(response: Response) -> str:
    """Where *response* leads; empty if it doesn't say."""
    return (response.headers.get("Location") or b"").decode("utf-8", "replace")


def told(response: Response) -> str:
    """What the museum answers, for people to read."""
    body = " ".join(response.body[:_LONGEST].decode("utf-8", "replace").split())
    parts = (f"the museum answers {response.status}", location(response), body)
    return " ".join(filter(None, parts))
