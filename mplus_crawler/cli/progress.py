"""Progress: a bar on a terminal, elsewhere a line in the log at intervals."""

from __future__ import annotations

import logging
import sys
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING, Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.utils.asyncio import create_looping_call

from mplus_crawler.census import Census
from mplus_crawler.wire.throttle import Throttle

if TYPE_CHECKING:
    from rich.progress import Progress

logger = logging.getLogger(__name__)

_LONG_WAIT = 3  # seconds; shorter ones are normal where a second has one request


class ProgressExtension:
    """Reports the progress of a harvest every ``LOGSTATS_INTERVAL`` seconds (0: never)."""

    def __init__(self, crawler: Crawler) -> None:
        self._interval = crawler.settings.getfloat("LOGSTATS_INTERVAL")
        if not self._interval or not crawler.settings.getbool("LOG_ENABLED"):
            raise NotConfigured
        self._crawler = crawler
        self._bar: Progress | None = None
        self._began = monotonic()
        on_terminal = sys.stderr.isatty() and not crawler.settings.get("LOG_FILE")
        if on_terminal:
            self._interval = 0.2
            self._bar = _bar()  # shared by all crawls of this process
        self._loop = create_looping_call(self._report)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Return the progress of *crawler*'s harvest."""
        progress = cls(crawler)
        crawler.signals.connect(progress._open, signals.spider_opened)
        crawler.signals.connect(progress._close, signals.spider_closed)
        return progress

    def line(self) -> str:
        """Return pages and records so far, the rate, and the time that is left."""
        census = Census.of(self._crawler)
        pages = census.pages
        done, expected = census.accounted, census.expected
        seconds = max(monotonic() - self._began, 0.001)
        rate = done / seconds
        text = (
            f"page {pages.fetched + pages.replayed:,} of {_count(pages.expected)}, "
            f"record {done:,} of {_count(expected)}, {rate:,.0f} records/s"
        )
        if (wait := Throttle.of(self._crawler).wait) >= _LONG_WAIT:
            text += f", waiting {wait:,.0f} s for the rate limit"
        elif expected and rate:
            text += f", {max(0, expected - done) / rate:,.0f} s left"
        return text

    def _open(self) -> None:
        self._name = self._crawler.spider.name if self._crawler.spider else ""
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self._name, line="", total=None)
        self._loop.start(self._interval, now=False)

    def _close(self) -> None:
        if self._loop.running:
            self._loop.stop()
        if self._bar is not None:
            self._bar.stop_task(self._task)
            if all(task.stop_time is not None for task in self._bar.tasks):
                self._bar.stop()

    def _report(self) -> None:
        if self._bar is None:
            logger.info("%s: %s", self._name, self.line())
            return
        census = Census.of(self._crawler)
        self._bar.update(
            self._task,
            completed=census.accounted,
            total=census.expected,
            line=self.line(),
        )


@cache
def _bar() -> Progress:
    """Return the bar. Its library is slow to import, and most crawls have no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[line]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"
