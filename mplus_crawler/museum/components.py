"""What our components of Scrapy have in common: they are made of a crawler, and found in one."""

from __future__ import annotations

from typing import Self

from scrapy.crawler import Crawler


class Component:
    """A middleware, pipeline or extension that knows the crawler that it runs in."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """The component of *crawler*."""
        return cls(crawler)


class Extension(Component):
    """A component that others look up."""

    @classmethod
    def of(cls, crawler: Crawler) -> Self:
        """The one that runs in *crawler*."""
        extension = crawler.get_extension(cls)
        assert extension is not None, f"EXTENSIONS lacks {cls.__name__}"
        return extension
