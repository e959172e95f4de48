"""Common to the spiders of Design Museum Gent: the API, ids and columns of CIDOC-CRM records."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, ClassVar, Self

from scrapy.crawler import Crawler

from mplus_crawler.museum.policies.policy import Policy
from mplus_crawler.spiders.base import MuseumSpider
from mplus_crawler.spiders.dmg.cidoc import Flatten, canonical_id

# Ids of these kinds are the museum's URIs for the records; ids of the others name something else.
_WITH_URI = ("object", "agent", "exhibition", "concept", "dataset")


class GentSpider(MuseumSpider):
    """A spider of Design Museum Gent's API.

    :attr:`flatten` makes the columns of a record; :attr:`canonical` spells the museum's URIs in
    one way.
    """

    museum = "dmg"
    linked_data = True

    flatten: ClassVar[Flatten]
    canonical: Callable[[str], str]

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Return the spider, with the canonical spelling of its URIs."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        # Few types, materials and makers are named by many records, hence the cache.
        spider.canonical = lru_cache(maxsize=4096)(cls.spelling(spider.policy, spider.base_url))
        return spider

    @classmethod
    def spelling(cls, policy: Policy, base_url: str) -> Callable[[str], str]:
        """Return a function that spells the museum's URIs in one way, also those at *base_url*."""
        return partial(canonical_id, base_url=policy.base_url, also=(base_url,))

    def uri(self, id_: str) -> str:
        """Return the museum's own URI of the record, if it has one."""
        return id_ if self.kind in _WITH_URI else super().uri(id_)

    def columns(self, record: Any, known_id: str | None) -> dict[str, Any]:
        """Return the columns of a CIDOC-CRM record."""
        return self.flatten(record, self.canonical, known_id)


def uri_of(member: Any) -> str | None:
    """Return the member's ``@id``, if it has one."""
    uri = member.get("@id") if isinstance(member, dict) else None
    return uri if isinstance(uri, str) else None
