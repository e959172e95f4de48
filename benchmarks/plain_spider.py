"""A plain spider with Scrapy's default settings, for comparison.

::

    scrapy runspider plain_spider.py -a url=URL_OF_THE_FIRST_PAGE -O objects.jsonl
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

from scrapy import Request, Spider
from scrapy.http import Response


class PlainSpider(Spider):
    """The members of the object collection, unchanged."""

    name = "plain"
    custom_settings = {"LOG_LEVEL": "INFO"}  # DEBUG would print every record
    url: str  # of the first page

    async def start(self) -> AsyncIterator[Request]:
        """Request the first page."""
        yield Request(self.url, self.read_page)

    def read_page(self, response: Response) -> Iterator[Request | dict[str, Any]]:
        """Yield the page's members and the next page; links name the real museum's host."""
        page = json.loads(response.body)
        yield from page["hydra:member"]
        if following := page["hydra:view"].get("hydra:next"):
            yield response.follow(f"?{urlsplit(following).query}", self.read_page)
