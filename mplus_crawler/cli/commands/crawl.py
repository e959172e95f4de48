"""``scrapy crawl``: run one spider and exit with its verdict."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scrapy.commands.crawl import Command as ScrapyCrawl

from mplus_crawler.cli.running import RunningCommand
from mplus_crawler.cli.spelling import check_spelling
from mplus_crawler.errors import HarvestError

if TYPE_CHECKING:
    from mplus_crawler.cli.jobs import Job


class Command(RunningCommand, ScrapyCrawl):
    """Run a spider and exit with its verdict: 0 is complete, anything else is not."""

    summary = "Run a spider; `crawl SPIDER --help` explains its arguments"
    usage = "[options] SPIDER"
    _job: Job | None = None  # of a scheduler

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add Scrapy's options, and ``--help`` about the spider that is named."""
        super().add_options(parser)
        if {"-h", "--help"} & {*sys.argv}:
            from mplus_crawler.cli.guide import SpiderHelp

            parser.add_argument("-h", "--help", action=SpiderHelp, settings=self.settings)

    def read_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Read the options and prepare the log; raise HarvestError for one that is wrong."""
        from mplus_crawler.cli.jobs import Job
        from mplus_crawler.feeds.checks import check_output

        arguments = dict(pair.partition("=")[::2] for pair in opts.spargs)
        self._job = Job.of(" ".join(args), arguments, self.current_settings)
        with self._failure_certified():
            for outputs, append in ((opts.output, True), (opts.overwrite_output, False)):
                for output in outputs or ():
                    check_output(output, self.current_settings, append=append)
            super().read_options(args, opts)

    def execute(self, args: list[str], opts: argparse.Namespace) -> int:
        """Run the spider, and write the certificate of a scheduler's job."""
        with self._failure_certified():
            code, certificate = self._crawl(args, opts)
        if self._job and certificate:
            self._job.certify(certificate)
        elif self._job:
            reason = "ended without a verdict; see the job's log"
            self._job.certify_failure(code, "failed", reason)
        return code

    @contextmanager
    def _failure_certified(self) -> Iterator[None]:
        """Write a certificate for a job that fails inside the block."""
        try:
            yield
        except HarvestError as error:
            if self._job:
                self._job.certify_failure(error.exit_code, "not_started", str(error))
            raise

    def _crawl(
        self, args: list[str], opts: argparse.Namespace
    ) -> tuple[int, dict[str, Any] | None]:
        """Run the spider and print the summary; return the exit code and the certificate."""
        from mplus_crawler.cli import process
        from mplus_crawler.cli.preflight import check_launch
        from mplus_crawler.cli.summary import print_summary
        from mplus_crawler.cli.words import the_spider
        from mplus_crawler.museum.policies.policy import base_settings

        check_spelling(opts.set, self.current_settings)
        crawler = self._create_crawler(the_spider(args, self.process.spider_loader))
        check_launch(crawler.spidercls, crawler.settings, opts.spargs, opts.set)
        self.process.crawl(crawler, **opts.spargs)
        process.run(self.process)
        code, certificate = process.outcome(crawler)
        if certificate:
            names = base_settings(getattr(crawler.spidercls, "museum", ""))
            print_summary(certificate, names)
            self.reported = [crawler]
        return code, certificate
