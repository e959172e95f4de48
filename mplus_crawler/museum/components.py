"""The base classes of our Scrapy components: each is built from a crawler."""

from __future__ import annotations

from functools import cached_property
from typing import Self

from scrapy.crawler import Crawler

from mplus_crawler.museum.contract import Museum


class Component:
    """A middleware or pipeline.

    To write one:

    1. Inherit, and define the methods that Scrapy calls (``process_request``, ``process_item`` …).
    2. Find extensions in ``__init__`` with their ``of``. The spider is ``self._museum``; it
       exists once requests and items are handled, not earlier.
    3. List the class in ``settings.py``.

    ::

        class LanguageMiddleware(Component):
            def process_request(self, request: Request) -> None:
                request.headers["Accept-Language"] = self._museum.policy.language
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build the component for *crawler*; Scrapy calls this."""
        return cls(crawler)

    @cached_property
    def _museum(self) -> Museum:
        """The spider that the crawler runs."""
        return Museum.of(self._crawler)


class Extension(Component):
    """A component that the others look up with :meth:`of`.

    To write one, inherit, list the class under ``EXTENSIONS_BASE`` in ``settings.py``, and connect
    it to signals where it needs any::

        class Stopwatch(Extension):
            @classmethod
            def from_crawler(cls, crawler: Crawler) -> Self:
                stopwatch = cls(crawler)
                crawler.signals.connect(stopwatch.start, signals.spider_opened)
                return stopwatch

        Stopwatch.of(crawler).elapsed
    """

    @classmethod
    def of(cls, crawler: Crawler) -> Self:
        """The extension of this class in *crawler*."""
        extension = crawler.get_extension(cls)
        assert extension is not None, f"EXTENSIONS_BASE lacks {cls.__name__}"
        return extension
