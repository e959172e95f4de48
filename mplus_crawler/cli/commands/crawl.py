"""``scrapy crawl``: checks everything before the first request, and exits with the verdict."""

from __future__ import annotations

import argparse
from typing import Any

from scrapy.commands.crawl import Command as ScrapyCrawl
from scrapy.exceptions import UsageError as ScrapyUsageError

from mplus_crawler.cli import process
from mplus_crawler.cli.jobs import Job
from mplus_crawler.cli.preflight import check_launch
from mplus_crawler.cli.summary import tell
from mplus_crawler.errors import HarvestError, StoppedError, UsageError, refused


class Command(ScrapyCrawl):
    """Run a spider and exit with its verdict: 0 is complete, anything else is not."""

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """As Scrapy does, and keep the log to what concerns the harvest."""
        assert self.settings is not None
        arguments = dict(pair.partition("=")[::2] for pair in opts.spargs)
        process.end_with(StoppedError("stopped before the first request"))
        try:
            super().process_options(args, opts)
            process.prepare_log(self.settings)
        except (ScrapyUsageError, HarvestError) as error:
            fault = error if isinstance(error, HarvestError) else UsageError(str(error))
            if job := Job.of(" ".join(args), arguments, self.settings):
                job.uncertified(fault.exit_code, "not_started", str(fault))
            raise SystemExit(refused(fault)) from None

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Check, crawl, and take the exit code from the publication."""
        assert self.settings is not None
        job = Job.of(" ".join(args), opts.spargs, self.settings)
        try:
            certificate = self._crawl(args, opts)
        except HarvestError as fault:
            self.exitcode = refused(fault)
            if job:
                job.uncertified(fault.exit_code, "not_started", str(fault))
            return
        if job and certificate:
            job.certify(certificate)
        elif job:
            job.uncertified(self.exitcode, "failed", "ended before its verdict; its log says why")

    def _crawl(self, args: list[str], opts: argparse.Namespace) -> dict[str, Any] | None:
        """Run the spider, set the exit code, and tell what it came to: its certificate, if any."""
        assert self.crawler_process is not None
        if len(args) != 1:
            raise UsageError("name one spider: scrapy crawl SPIDER; `scrapy list` shows them")
        name = args[0]
        loader = self.crawler_process.spider_loader
        if name not in loader.list():
            raise UsageError(f"there is no spider {name!r}; there are {', '.join(loader.list())}")
        crawler = self._create_crawler(name)
        check_launch(crawler.spidercls, crawler.settings, opts.spargs, opts.set)
        self.crawler_process.crawl(crawler, **opts.spargs)
        process.run(self.crawler_process)
        self.exitcode, certificate = process.outcome(crawler)
        if certificate:
            tell(certificate)
        return certificate
