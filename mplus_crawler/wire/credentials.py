"""Keys: read from the environment, and added to a request when it is sent, nowhere else."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from urllib.parse import quote

from scrapy import Request
from w3lib.url import url_query_cleaner

from mplus_crawler.errors import AccessDeniedError, UsageError
from mplus_crawler.museum.policies.policy import Policy
from mplus_crawler.wire.addresses import origin
from mplus_crawler.wire.spellings import Spellings, spellings_of

# Characters of a key that a header can carry: visible ASCII (RFC 9110 section 5.5).
_VISIBLE = re.compile(r"[\x21-\x7e]+")


def secret(policy: Policy) -> str:
    """Return the key for the museum's API from the environment; empty if there is none."""
    credential = policy.credential
    return os.environ.get(credential.environment, "").strip() if credential else ""


def is_sendable(key: str) -> bool:
    """Whether a header can carry *key*."""
    return _VISIBLE.fullmatch(key) is not None


def check_key(policy: Policy, spider: str) -> None:
    """Raise :class:`AccessDeniedError` for a missing key, :class:`UsageError` for a malformed one.

    Neither message contains the key.
    """
    credential, key = policy.credential, secret(policy)
    if credential is None:
        return
    if not key:
        raise AccessDeniedError(f"{spider} needs a key: {credential.ask}")
    if not is_sendable(key):
        raise UsageError(
            f"{credential.environment} is not a key: it contains a space, a line break or another "
            "character that cannot be sent; set it again"
        )


def signed(request: Request, policy: Policy, base_url: str) -> Request:
    """Return *request* with the key in its header or query, if the policy requires one.

    The key is added on the API's own origin and below the policy's paths only. The request that
    Scrapy holds has no key, so that no log, ledger or redirect can contain it.
    """
    credential, key = policy.credential, secret(policy)
    if not key or not credential or origin(request.url) != origin(base_url):
        return request
    if not policy.is_below(request.url, base_url, credential.paths):
        return request
    if credential.query:
        bare = url_query_cleaner(request.url, (credential.query,), remove=True, unique=False)
        pair = f"{credential.query}={quote(key, safe='')}"
        return request.replace(url=f"{bare}{'&' if '?' in bare else '?'}{pair}")
    value = f"{credential.scheme} {key}".strip()
    return request.replace(headers={**request.headers, credential.header: value})


def spellings(policy: Policy) -> Spellings:
    """Return every spelling of the key, for removing it from responses and messages."""
    parameter = policy.credential.query if policy.credential else ""
    return spellings_of(secret(policy), parameter)


def without_key(text: str, policy: Policy) -> str:
    """Return *text* without the key."""
    return spellings(policy).removed(text.encode(errors="replace")).decode(errors="replace")


def remove_key(error: BaseException, policy: Policy) -> None:
    """Remove the key from the texts of *error* and of its causes."""
    cause: BaseException | None = error
    while cause is not None:
        cause.args = tuple(
            without_key(text, policy) if isinstance(text, str) else text for text in cause.args
        )
        if isinstance(cause, OSError) and cause.strerror:  # OSError prints this, not its arguments
            cause.strerror = without_key(cause.strerror, policy)
        cause = cause.__cause__ or cause.__context__


class KeyFilter(logging.Filter):
    """Removes the key from log messages about requests that have it in their URL."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self._policy = policy

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without the key."""
        record.msg, record.args = without_key(record.getMessage(), self._policy), ()
        return True


def fingerprint(policy: Policy) -> str:
    """Return a name for the key that does not reveal it; empty if there is none."""
    key = secret(policy)
    return hashlib.sha256(key.encode()).hexdigest()[:12] if key else ""
