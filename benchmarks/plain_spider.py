"""A plain spider with Scrapy's default settings, for comparison.

::

    scrapy runspider plain_spider.py -a base_url=http://127.0.0.1:8000/v2/ -O objects.jsonl
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

from scrapy import Request, Spider
from scrapy.http import Response


class PlainSpider(Spider):
    """The members of the object collection, unchanged."""

    name = "plain"
    custom_settings = {"LOG_LEVEL": "INFO"}  # DEBUG would print every record
    base_url: str
    rows = "100"  # of a page

    async def start(self) -> AsyncIterator[Request]:
        """Request the first page."""
        query = f"page=1&itemsPerPage={self.rows}&fullRecord=true"
        yield Request(urljoin(self.base_url, f"id/objects?{query}"), self.read_page)

    def read_page(self, response: Response) -> Iterator[Request | dict[str, Any]]:
        """Yield the page's members and the next page; links name the real museum's host."""
        page = json.loads(response.body)
        yield from page["hydra:member"]
        if following := page["hydra:view"].get("hydra:next"):
            yield response.follow(f"?{urlsplit(following).query}", self.read_page)
