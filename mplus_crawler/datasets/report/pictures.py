"""Pictures of the report: addresses of images that may be shown under the museum's terms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mplus_crawler.museum.policies.policy import Policy
from mplus_crawler.protocols.uris import normalized
from mplus_crawler.records.permission import statements
from mplus_crawler.records.rights import Rights

_LONGEST_URL = 2_000


@dataclass(frozen=True, slots=True)
class Picture:
    """An image: its *address*, the *label* and *page* of its record, and the *credit* to print."""

    address: str
    label: str
    page: str | None
    credit: str


class Pictures:
    """Finds the image of a record that may be shown under *policy*.

    Only images under the licences that ``scrapy crawl images`` fetches by default are shown, and
    only from the image hosts that the policy names, over HTTPS.
    """

    def __init__(self, policy: Policy) -> None:
        self._rights = Rights(policy)
        self._licences = policy.images.licences if policy.images else ()
        self.hosts = sorted(policy.images.hosts) if policy.images else []

    def of(self, record: dict[str, Any]) -> Picture | None:
        """Return the first picture of *record* that may be shown, if there is one."""
        if not self.hosts or not record.get("images"):
            return None
        for one in statements(record, self._rights):
            if one.term in self._licences and one.attribution and self._is_at_host(one.image):
                label = one.label or one.object
                return Picture(one.image, label, _page(record.get("url")), one.attribution)
        return None

    def _is_at_host(self, address: str) -> bool:
        if not _is_plain(address):
            return False
        try:
            split = urlsplit(normalized(address))
            port = split.port
        except ValueError:
            return False
        return split.scheme == "https" and split.hostname in self.hosts and port in (None, 443)


def _page(url: Any) -> str | None:
    is_web = isinstance(url, str) and url.startswith(("https://", "http://")) and _is_plain(url)
    return url if is_web else None


def _is_plain(url: str) -> bool:
    """Whether *url* has only characters of RFC 3986, and a length that browsers accept."""
    return len(url) <= _LONGEST_URL and re.fullmatch(r"[!#-;=?-Z_a-z~\[\]]+", url) is not None
