"""``scrapy crawl``: checks everything before the first request, and exits with the verdict."""

from __future__ import annotations

import argparse
import gc
import logging
import sys

from scrapy.commands.crawl import Command as ScrapyCrawl
from scrapy.crawler import Crawler
from scrapy.exceptions import UsageError

from mplus_crawler.census import Census
from mplus_crawler.errors import ExitCode, Fault, UsageFault
from mplus_crawler.launch import check_launch
from mplus_crawler.publication import Publication

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


class Command(ScrapyCrawl):
    """Run a spider and exit with its verdict: 0 is complete, anything else is not."""

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """As Scrapy does, and keep the log to what concerns the harvest."""
        try:
            super().process_options(args, opts)
        except UsageError as error:
            raise SystemExit(_refused(UsageFault(str(error)))) from None
        assert self.settings is not None
        if self.settings.get("LOG_LEVEL") != "DEBUG":
            for logger in _CHATTER:
                logging.getLogger(logger).addFilter(_warnings_only)

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Check, crawl, and take the exit code from the publication."""
        try:
            self._crawl(args, opts)
        except Fault as fault:
            self.exitcode = _refused(fault)

    def _crawl(self, args: list[str], opts: argparse.Namespace) -> None:
        assert self.crawler_process is not None
        if len(args) != 1:
            raise UsageFault("name one spider: scrapy crawl SPIDER; `scrapy list` shows them")
        name = args[0]
        loader = self.crawler_process.spider_loader
        if name not in loader.list():
            raise UsageFault(f"there is no spider {name!r}; there are {', '.join(loader.list())}")
        crawler = self._create_crawler(name)
        check_launch(crawler.spidercls, crawler.settings, opts.spargs, opts.set)
        # Records are trees without cycles: collecting seldom saves a fifth of the CPU.
        gc.set_threshold(100_000, 20, 100)
        self.crawler_process.crawl(crawler, **opts.spargs)
        self.crawler_process.start()
        self.exitcode = self._exit_code(crawler)

    def _exit_code(self, crawler: Crawler) -> int:
        try:
            publication, census = Publication.of(crawler), Census.of(crawler)
        except (RuntimeError, AssertionError):
            return ExitCode.FAILED
        if publication.exit_code is not None:
            return publication.exit_code
        if census.ended:  # while it was being opened, and told already
            publication.abandon()
            return census.verdict()[0].exit_code
        print("error: the crawl was ended before its verdict; run it again", file=sys.stderr)
        return ExitCode.FAILED


def _refused(fault: Fault) -> ExitCode:
    print(f"error: {' '.join(str(fault).split())}", file=sys.stderr)
    return fault.exit_code


def _warnings_only(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
