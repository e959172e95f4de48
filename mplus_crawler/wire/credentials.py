"""Keys: read from the environment, and put on a request next to the wire, nowhere else."""

from __future__ import annotations

import hashlib
import json
import os
import re
from urllib.parse import quote

from scrapy import Request

from mplus_crawler.errors import AccessDeniedError, UsageError
from mplus_crawler.policies.policy import Policy
from mplus_crawler.wire.addresses import origin

# What a header can carry of a key: visible ASCII (RFC 9110 section 5.5).
_VISIBLE = re.compile(r"[\x21-\x7e]+")
# A shorter key may stand anywhere by chance.
_SHORTEST = 8


def secret(policy: Policy) -> str:
    """The key for the museum's API, from the environment; empty where there is none."""
    wanted = policy.credential
    return os.environ.get(wanted.environment, "").strip() if wanted else ""


def is_sendable(key: str) -> bool:
    """Whether a header can carry *key*."""
    return _VISIBLE.fullmatch(key) is not None


def check_key(policy: Policy, spider: str) -> None:
    """Raise :class:`AccessDeniedError` for a missing key, :class:`UsageError` for a malformed one.

    Neither says what the key is.
    """
    wanted, key = policy.credential, secret(policy)
    if wanted is None:
        return
    if not key:
        raise AccessDeniedError(f"{spider} needs a key: {wanted.ask}")
    if not is_sendable(key):
        raise UsageError(
            f"{wanted.environment} holds no key: it has a space, a line break or another "
            "character that cannot be sent; set it anew"
        )


def signed(request: Request, policy: Policy, base_url: str) -> Request:
    """*request* with the key in its header, where the policy wants one there.

    Only on the API's own origin, and only below the policy's paths. The request that Scrapy
    holds stays without, so that no log, ledger or redirect can carry the key further.
    """
    wanted, key = policy.credential, secret(policy)
    if not key or not wanted or origin(request.url) != origin(base_url):
        return request
    if not policy.is_below(request.url, base_url, wanted.paths):
        return request
    value = f"{wanted.scheme} {key}".strip()
    return request.replace(headers={**request.headers, wanted.header: value})


def spellings(policy: Policy) -> tuple[bytes, ...]:
    """The key as an answer may repeat it: plain, in a URL, in JSON; none of a very short one."""
    key = secret(policy)
    if len(key) < _SHORTEST:
        return ()
    plain, escaped = json.dumps(key)[1:-1], (quote(key, safe=""), quote(key))
    lower = (re.sub("%..", lambda octet: octet[0].lower(), one) for one in escaped)
    spelled = (key, plain, plain.replace("/", "\\/"), *escaped, *lower)
    return tuple(one.encode() for one in dict.fromkeys(spelled))


def fingerprint(policy: Policy) -> str:
    """A name for the key that tells nothing of it; empty where there is none."""
    key = secret(policy)
    return hashlib.sha256(key.encode()).hexdigest()[:12] if key else ""
