"""Crawls in this process: the log, the run, and the outcome of each crawler."""

from __future__ import annotations

import atexit
import gc
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import Any

from scrapy.crawler import Crawler, CrawlerProcessBase
from scrapy.settings import BaseSettings

from mplus_crawler.census import Census, Verdict
from mplus_crawler.cli.console import print_error
from mplus_crawler.cli.signals import hang_up_as_terminate
from mplus_crawler.errors import DeliveryError, ExitCode, UsageError
from mplus_crawler.feeds.publication import Publication

# Each of its classes looks at all callers of its import: there are few in a thread.
_importer = Thread(target=import_module, args=("scrapy.core.downloader.handlers.http11",))
_importer.start()
_importer.join()

# Loggers that report what Scrapy has loaded, not how the harvest fares.
_VERBOSE = (
    "scrapy.addons",
    "scrapy.core.engine",
    "scrapy.crawler",
    "scrapy.extensions.feedexport",
    "scrapy.middleware",
    "scrapy.spidermiddlewares.httperror",
    "scrapy.utils.log",
)


def prepare_log(settings: BaseSettings) -> None:
    """Limit Scrapy's own loggers to warnings, unless ``LOG_LEVEL`` is ``DEBUG``.

    Raises :class:`UsageError` for an unknown level, :class:`DeliveryError` for a log file that
    cannot be written.
    """
    level, file = settings.get("LOG_LEVEL"), settings.get("LOG_FILE")
    if level not in (levels := logging.getLevelNamesMapping()):
        raise UsageError(f"LOG_LEVEL={level} is unknown; use one of {', '.join(levels)}")
    try:
        if file:
            open(file, "a").close()
    except OSError as error:
        raise DeliveryError(f"the log file {file} cannot be written ({error.strerror})") from None
    if level != "DEBUG":
        for logger in _VERBOSE:
            logging.getLogger(logger).addFilter(_warnings_only)


def run(process: CrawlerProcessBase) -> None:
    """Run the crawls of *process* until all of them have ended."""
    # Records are trees without cycles: collecting seldom saves a fifth of the CPU.
    gc.set_threshold(100_000, 20, 100)
    hang_up_as_terminate()
    process.start()


def outcome(crawler: Crawler) -> tuple[ExitCode, dict[str, Any] | None]:
    """Return *crawler*'s exit code, and its certificate if there is one."""
    try:
        publication, census = Publication.of(crawler), Census.of(crawler)
    except (RuntimeError, AssertionError):
        return ExitCode.FAILED, None
    if publication.interrupted:  # by a second signal, which stops the event loop at once
        census.end(Verdict.STOPPED, "stopped by two signals, without finishing the current pages")
        publication.publish()
    if publication.certificate is not None:
        return publication.certificate["exit_code"], publication.certificate
    if census.ended:  # while the spider was being opened; already reported
        publication.abandon()
        return census.verdict()[0].exit_code, None
    print_error("error: the crawl ended without a verdict; run the same command again")
    return ExitCode.FAILED, None


def end_at_once(code: int, crawlers: Sequence[Crawler]) -> None:
    """Let the process end with *code* as soon as the command returns; objects are not freed.

    At the very end, acknowledge the results of *crawlers*. If the command is killed before, even
    after its summary, the next one repeats it, so that nothing is appended twice.
    """

    def end() -> None:
        logging.shutdown()
        for crawler in crawlers:
            with suppress(RuntimeError, AssertionError):
                Publication.of(crawler).acknowledge()
        os._exit(code)

    atexit.register(end)


def _warnings_only(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
