"""Crawls in this process: what is the same whether one spider runs or a whole museum."""

from __future__ import annotations

import gc
import logging
import signal
import sys
from typing import Any, NoReturn

# Here, since its import looks at all callers: quick from here, slow from deep in the engine.
import scrapy.core.downloader.handlers.http11  # noqa: F401
from scrapy.crawler import Crawler, CrawlerProcessBase
from scrapy.settings import BaseSettings

from mplus_crawler.census import Census
from mplus_crawler.errors import DeliveryError, ExitCode, HarvestError, UsageError, refused
from mplus_crawler.feeds.publication import Publication

# Scrapy's own reports of what it has loaded say nothing about the harvest.
_CHATTER = (
    "scrapy.addons",
    "scrapy.core.engine",
    "scrapy.crawler",
    "scrapy.extensions.feedexport",
    "scrapy.middleware",
    "scrapy.spidermiddlewares.httperror",
    "scrapy.utils.log",
)


def prepare_log(settings: BaseSettings) -> None:
    """Keep the log to what concerns the harvest, unless all of it is wanted.

    Raises :class:`HarvestError` where there can be none as the settings want it.
    """
    level, file = settings.get("LOG_LEVEL"), settings.get("LOG_FILE")
    if level not in (levels := logging.getLevelNamesMapping()):
        raise UsageError(f"LOG_LEVEL={level} is not known; there are {', '.join(levels)}")
    try:
        if file:
            open(file, "a").close()
    except OSError as error:
        raise DeliveryError(f"the log {file} cannot be written ({error.strerror})") from None
    if level != "DEBUG":
        for logger in _CHATTER:
            logging.getLogger(logger).addFilter(_warnings_only)


def end_with(fault: HarvestError) -> None:
    """From now on, until crawls run, a signal that ends the command ends it with *fault*."""

    def end(*signalled: object) -> NoReturn:  # noqa: ARG001
        raise SystemExit(refused(fault))

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


def run(process: CrawlerProcessBase) -> None:
    """Run the crawls of *process* until all of them have ended."""
    # Records are trees without cycles: collecting seldom saves a fifth of the CPU.
    gc.set_threshold(100_000, 20, 100)
    process.start()


def outcome(crawler: Crawler) -> tuple[ExitCode, dict[str, Any] | None]:
    """How *crawler* ended, and its certificate, if it came to one."""
    try:
        publication, census = Publication.of(crawler), Census.of(crawler)
    except (RuntimeError, AssertionError):
        return ExitCode.FAILED, None
    if publication.certificate is not None:
        return publication.certificate["exit_code"], publication.certificate
    if census.ended:  # while it was being opened, and told already
        publication.abandon()
        return census.verdict()[0].exit_code, None
    print("error: the crawl was ended before its verdict; run it again", file=sys.stderr)
    return ExitCode.FAILED, None


def _warnings_only(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
