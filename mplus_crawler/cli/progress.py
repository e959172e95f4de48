"""Progress: a bar on a terminal, elsewhere a line in the log at intervals."""

from __future__ import annotations

import logging
import os
import sys
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.utils.asyncio import create_looping_call

from mplus_crawler.census import Census
from mplus_crawler.museum.components import Component, Handlers
from mplus_crawler.wire.throttle import Throttle

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

logger = logging.getLogger(__name__)

_LONG_WAIT = 3  # seconds; shorter ones are normal where a second has one request


class ProgressExtension(Component):
    """Reports the progress of a harvest every ``LOGSTATS_INTERVAL`` seconds (0: never)."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._interval = crawler.settings.getfloat("LOGSTATS_INTERVAL")
        if not self._interval or not crawler.settings.getbool("LOG_ENABLED"):
            raise NotConfigured
        self._bar: Progress | None = None
        self._began = monotonic()
        if _is_terminal() and not crawler.settings.get("LOG_FILE"):
            self._interval = 0.2
            self._bar = _bar()  # shared by all crawls of this process
        self._loop = create_looping_call(self._report)

    def handlers(self) -> Handlers:
        """Return the handlers of Scrapy's signals."""
        return {signals.spider_opened: self._open, signals.spider_closed: self._close}

    def line(self) -> str:
        """Return a line for the log: pages and records so far, the rate, the time that is left."""
        census = Census.of(self._crawler)
        pages = census.pages
        text = (
            f"page {pages.fetched + pages.replayed:,} of {_count(pages.expected)}, "
            f"record {census.accounted:,} of {_count(census.expected)}, "
            f"{self._rate():,.0f} records/s"
        )
        return f"{text}, {state}" if (state := self.state()) else text

    def state(self) -> str:
        """Return what the harvest waits for, or else the time that is left; empty if unknown."""
        throttle, census = Throttle.of(self._crawler), Census.of(self._crawler)
        if throttle.wait >= _LONG_WAIT:
            return f"rate limit: next in {throttle.wait:,.0f} s"
        if throttle.retry_in >= _LONG_WAIT:
            return f"server failed: next try in {throttle.retry_in:,.0f} s"
        if census.expected and (rate := self._rate()):
            return f"{max(0, census.expected - census.accounted) / rate:,.0f} s left"
        return ""

    def _rate(self) -> float:
        return Census.of(self._crawler).accounted / max(monotonic() - self._began, 0.001)

    def _open(self) -> None:
        self._name = self._crawler.spider.name if self._crawler.spider else ""
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self._name, records="", state="", total=None)
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
            records=f"{census.accounted:,} of {_count(census.expected)}",
            state=self.state(),
        )


def _is_terminal() -> bool:
    """Whether a bar can be drawn; in CI and on dumb terminals, lines are better."""
    plain = os.environ.get("CI") or os.environ.get("TERM") == "dumb"
    return sys.stderr.isatty() and not plain


@cache
def _bar() -> Progress:
    """Return the bar. Its library is slow to import, and most crawls have no terminal."""
    from rich.console import Console

    return make_bar(Console(stderr=True))


def make_bar(console: Console) -> Progress:
    """Return a bar with one line per spider, for terminals of 80 columns and more."""
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=10),
        TextColumn("{task.fields[records]}"),
        TextColumn("{task.fields[state]}"),
        console=console,
        transient=True,
    )


def _count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"
