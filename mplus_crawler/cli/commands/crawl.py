"""``scrapy crawl``: run one spider and exit with its verdict."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from scrapy.commands.crawl import Command as ScrapyCrawl
from scrapy.exceptions import UsageError as ScrapyUsageError

from mplus_crawler.cli.command import plain_help
from mplus_crawler.cli.console import report, run_command
from mplus_crawler.cli.home import expand_home
from mplus_crawler.cli.signals import end_with
from mplus_crawler.cli.spelling import check_spelling
from mplus_crawler.cli.values import check_given, check_objects
from mplus_crawler.errors import HarvestError, StoppedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scrapy.crawler import Crawler

    from mplus_crawler.cli.jobs import Job


class Command(ScrapyCrawl):
    """Run a spider and exit with its verdict: 0 is complete, anything else is not."""

    _reported: Sequence[Crawler] = ()

    def syntax(self) -> str:
        """Return what ``--help`` prints after the command's name."""
        return "[options] SPIDER"

    def short_desc(self) -> str:
        """Return the line that ``scrapy -h`` prints."""
        return "Run a spider; `crawl SPIDER --help` explains its arguments"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add Scrapy's options, and ``--help`` about the spider that is named."""
        super().add_options(parser)
        plain_help(parser)
        if {"-h", "--help"} & {*sys.argv}:
            from mplus_crawler.cli.guide import SpiderHelp

            parser.add_argument("-h", "--help", action=SpiderHelp, settings=self.settings)

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Read the options and prepare the log; exit with one line if that fails."""
        from mplus_crawler.cli.jobs import Job
        from mplus_crawler.cli.process import prepare_log
        from mplus_crawler.feeds.checks import check_output

        assert self.settings is not None
        arguments = dict(pair.partition("=")[::2] for pair in opts.spargs)
        end_with(StoppedError("interrupted before the first request"))
        try:
            for output in (*(opts.output or ()), *(opts.overwrite_output or ())):
                check_output(output, self.settings)
            check_objects(opts.set)
            super().process_options(args, opts)
            check_given(self.settings, opts.set)
            expand_home(self.settings)
            prepare_log(self.settings)
        except (ScrapyUsageError, HarvestError) as caught:
            error = caught if isinstance(caught, HarvestError) else UsageError(str(caught))
            if job := Job.of(" ".join(args), arguments, self.settings):
                job.certify_failure(error.exit_code, "not_started", str(error))
            raise SystemExit(report(error)) from None

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Check, crawl, and take the exit code from the verdict."""
        from mplus_crawler.cli.jobs import Job

        assert self.settings is not None
        job = Job.of(" ".join(args), opts.spargs, self.settings)
        self.exitcode = run_command(lambda: self._run(args, opts, job))
        if self._reported:
            from mplus_crawler.cli import process

            process.end_at_once(self.exitcode, self._reported)

    def _run(self, args: list[str], opts: argparse.Namespace, job: Job | None) -> int:
        try:
            code, certificate = self._crawl(args, opts)
        except HarvestError as error:
            if job:
                job.certify_failure(error.exit_code, "not_started", str(error))
            raise
        if job and certificate:
            job.certify(certificate)
        elif job:
            job.certify_failure(code, "failed", "ended without a verdict; see the job's log")
        return code

    def _crawl(
        self, args: list[str], opts: argparse.Namespace
    ) -> tuple[int, dict[str, Any] | None]:
        """Run the spider and print the summary; return the exit code and the certificate."""
        from mplus_crawler.cli import process
        from mplus_crawler.cli.preflight import check_launch
        from mplus_crawler.cli.summary import print_summary
        from mplus_crawler.cli.words import the_spider
        from mplus_crawler.museum.policies.policy import base_settings

        assert self.crawler_process is not None
        assert self.settings is not None
        check_spelling(opts.set, self.settings)
        name = the_spider(args, self.crawler_process.spider_loader)
        crawler = self._create_crawler(name)
        check_launch(crawler.spidercls, crawler.settings, opts.spargs, opts.set)
        self.crawler_process.crawl(crawler, **opts.spargs)
        process.run(self.crawler_process)
        code, certificate = process.outcome(crawler)
        if certificate:
            names = base_settings(getattr(crawler.spidercls, "museum", ""))
            print_summary(certificate, names)
            self._reported = [crawler]
        return code, certificate
