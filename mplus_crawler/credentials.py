"""Keys: read from the environment, and put on a request next to the wire, nowhere else."""

from __future__ import annotations

import hashlib
import os

from scrapy import Request

from mplus_crawler.addresses import origin
from mplus_crawler.policy import Policy


def secret(policy: Policy) -> str:
    """The key for the museum's API, from the environment; empty where there is none."""
    wanted = policy.credential
    return os.environ.get(wanted.environment, "").strip() if wanted else ""


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


def fingerprint(policy: Policy) -> str:
    """A name for the key that tells nothing of it; empty where there is none."""
    key = secret(policy)
    return hashlib.sha256(key.encode()).hexdigest()[:12] if key else ""
