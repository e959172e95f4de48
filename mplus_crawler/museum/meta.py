"""Our keys of ``Request.meta``, beside Scrapy's own (docs.scrapy.org, "Request.meta special keys").

A key that a spider needs only in its callback belongs in ``cb_kwargs`` instead.
"""

from __future__ import annotations

from typing import Any, TypedDict

from mplus_crawler.museum.policies.policy import Tier


class Meta(TypedDict, total=False):
    """One line per key: its type, who sets it, what it does."""

    # Set by spiders and pipelines, read by the runtime.
    third_party: bool  # a URL named by a record: any public host; never ends the harvest
    optional: bool  # given up, not waited for, where the budget is spent
    loss_reported: bool  # a failure goes to the rejected file; an off-site URL is no problem
    skip_ledger: bool  # always request it anew; do not save the response
    ledger_key: str  # what the ledger knows the request by, instead of its fingerprint
    dont_revalidate: bool  # send no validators: the full response is needed
    max_error_retries: int  # as max_retry_times, for the statuses of RETRY_HTTP_CODES only
    retry_delay: float  # seconds to wait before sending; the throttle consumes it
    local_feed: bool  # a file on this machine that stands for the first response

    # Set by the runtime.
    rate_limit: tuple[str, Tier]  # the API and the tier that count this request
    retrieved_at: str  # when the accepted response arrived: ISO 8601, UTC
    replayed: bool  # the response came from the ledger
    accepted_invalid: bool  # invalid after all retries; its readable part was accepted
    back_off_times: int  # how often the server has refused it with 429
    parse_error: str  # why the response to the former try could not be read
    probe: bool  # sent to see if a server that was away is back
    health_check: bool  # its success shows that the server is healthy

    # Set and read by spiders.
    page: int  # number of the requested page, from 1
    size: int  # rows requested per page
    single_record: bool  # one record's own page, not a list
    second_try: bool  # requested a second time to confirm a 404
    max_members: int  # members that the response may have at most
    queries: Any  # GraphQL: the queries that the request carries
    vocabulary: str  # M+ terms: the requested list
    tries: int  # M+ terms: how often it was requested
    empty_seen: bool  # M+ terms: the list was empty once
