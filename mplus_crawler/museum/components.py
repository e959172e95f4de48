"""The base classes of our Scrapy components: each is built from a crawler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Self

from scrapy.crawler import Crawler

from mplus_crawler.museum.contract import Museum

# By signal of scrapy.signals; each takes the signal's arguments that it names.
Handlers = Mapping[object, Callable[..., Any]]


class Component:
    """A middleware or pipeline.

    To write one:

    1. Inherit, and define the methods that Scrapy calls (``process_request``, ``process_item`` …).
    2. In ``__init__``, find extensions with their ``of``, and raise ``NotConfigured`` if the
       spider, ``self._museum``, has no use for the component.
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
        """Build the component for *crawler*, and connect its handlers; Scrapy calls this."""
        component = cls(crawler)
        for signal, handler in component.handlers().items():
            crawler.signals.connect(handler, signal)
        return component

    def handlers(self) -> Handlers:
        """Return the methods to call on Scrapy's signals, by signal."""
        return {}

    @cached_property
    def _museum(self) -> Museum:
        """The spider that the crawler runs."""
        return Museum.of(self._crawler)


class Extension(Component):
    """A component that the others look up with :meth:`of`.

    To write one, inherit, list the class under ``EXTENSIONS_BASE`` in ``settings.py``, and name
    its handlers of signals::

        class Stopwatch(Extension):
            def handlers(self) -> Handlers:
                return {signals.spider_opened: self.start}

        Stopwatch.of(crawler).elapsed
    """

    @classmethod
    def of(cls, crawler: Crawler) -> Self:
        """The extension of this class in *crawler*."""
        extension = crawler.get_extension(cls)
        assert extension is not None, f"EXTENSIONS_BASE lacks {cls.__name__}"
        return extension
