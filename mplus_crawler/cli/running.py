"""The base of commands that run spiders."""

from __future__ import annotations

import argparse
from abc import abstractmethod
from collections.abc import Sequence

from scrapy.crawler import Crawler, CrawlerProcessBase
from scrapy.exceptions import UsageError as ScrapyUsageError

from mplus_crawler.cli.command import BaseCommand
from mplus_crawler.cli.console import report, run_command
from mplus_crawler.cli.home import expand_home
from mplus_crawler.cli.signals import end_with
from mplus_crawler.cli.values import check_given, check_objects
from mplus_crawler.errors import HarvestError, StoppedError, UsageError


class RunningCommand(BaseCommand):
    """A command that runs spiders and exits with their verdict.

    Subclasses implement :meth:`execute`, which also sets :attr:`reported`: the crawlers whose
    results it has printed.
    """

    reported: Sequence[Crawler] = ()

    @property
    def process(self) -> CrawlerProcessBase:
        """Scrapy's process for crawls."""
        assert self.crawler_process is not None
        return self.crawler_process

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Read the options and prepare the log; exit with one line if that fails."""
        end_with(StoppedError("interrupted before the first request"))
        try:
            self.read_options(args, opts)
        except HarvestError as error:
            raise SystemExit(report(error)) from None

    def read_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Read the options and prepare the log; raise HarvestError for one that is wrong."""
        from mplus_crawler.cli.process import prepare_log

        check_objects(opts.set)
        try:
            super().process_options(args, opts)
        except ScrapyUsageError as error:
            raise UsageError(str(error)) from None
        check_given(self.current_settings, opts.set)
        expand_home(self.current_settings)
        prepare_log(self.current_settings)

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Run the spiders, and take the exit code from the verdict."""
        self.exitcode = run_command(lambda: self.execute(args, opts))
        if self.reported:
            from mplus_crawler.cli.process import end_at_once

            end_at_once(self.exitcode, self.reported)

    @abstractmethod
    def execute(self, args: list[str], opts: argparse.Namespace) -> int:
        """Check, crawl, print the result, and return the exit code; may raise HarvestError."""
