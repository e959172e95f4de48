"""``scrapy harvest``: a whole museum, its spiders side by side under one budget."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from scrapy.commands import ScrapyCommand
from scrapy.exceptions import UsageError as ScrapyUsageError

from mplus_crawler.cli.command import plain_help
from mplus_crawler.cli.console import report, run_command
from mplus_crawler.cli.home import expand_home
from mplus_crawler.cli.signals import end_with
from mplus_crawler.cli.spelling import check_spelling
from mplus_crawler.cli.values import check_given, check_objects
from mplus_crawler.errors import HarvestError, StoppedError, UsageError, worst

if TYPE_CHECKING:
    from scrapy.crawler import Crawler

    from mplus_crawler.cli.summary import SpiderResult


class Command(ScrapyCommand):
    """Run all spiders of a museum's harvest and exit with the worst verdict."""

    requires_project = True
    default_settings: ClassVar[dict[str, object]] = {"RESUME_WITH": "harvest"}
    _reported: Sequence[Crawler] = ()

    def syntax(self) -> str:
        """Return what ``--help`` prints after the command's name."""
        return "[options] MUSEUM..."

    def short_desc(self) -> str:
        """Return the line that ``scrapy -h`` prints."""
        return "Harvest whole museums: dmg, mplus, or all"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add Scrapy's options, ``-s`` among them."""
        super().add_options(parser)
        plain_help(parser)

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Read the options and prepare the log; exit with one line if that fails."""
        from mplus_crawler.cli.process import prepare_log

        assert self.settings is not None
        end_with(StoppedError("interrupted before the first request"))
        try:
            check_objects(opts.set)
            super().process_options(args, opts)
            check_given(self.settings, opts.set)
            expand_home(self.settings)
            prepare_log(self.settings)
        except ScrapyUsageError as error:
            raise SystemExit(report(UsageError(str(error)))) from None
        except HarvestError as error:
            raise SystemExit(report(error)) from None

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Run each spider that passes its checks, and print how each ended."""
        self.exitcode = run_command(lambda: self._run(args, opts))
        if self._reported:
            from mplus_crawler.cli import process

            process.end_at_once(self.exitcode, self._reported)

    def _run(self, args: list[str], opts: argparse.Namespace) -> int:
        from mplus_crawler.cli import process
        from mplus_crawler.cli.summary import SpiderResult, print_results
        from mplus_crawler.cli.words import the_museums
        from mplus_crawler.museum.policies.policy import base_settings

        assert self.crawler_process is not None
        assert self.settings is not None
        check_spelling(opts.set, self.settings)
        spiders = the_museums(args, self.crawler_process.spider_loader)
        self._check_feeds(spiders)
        crawlers: dict[str, Crawler] = {}
        results: list[SpiderResult] = []
        for name in spiders:
            try:
                crawlers[name] = self._checked(name, opts)
            except HarvestError as error:
                results.append(SpiderResult.not_started(name, error))
        for crawler in crawlers.values():
            self.crawler_process.crawl(crawler)
        if crawlers:
            process.run(self.crawler_process)
        for name, crawler in crawlers.items():
            results.append(SpiderResult.of(name, *process.outcome(crawler)))
        museums = {getattr(crawler.spidercls, "museum", "") for crawler in crawlers.values()}
        print_results(results, {name for museum in museums for name in base_settings(museum)})
        self._reported = [*crawlers.values()]
        return worst(result.exit_code for result in results)

    def _checked(self, name: str, opts: argparse.Namespace) -> Crawler:
        from mplus_crawler.cli.preflight import check_launch

        assert self.crawler_process is not None
        crawler = self.crawler_process.create_crawler(name)
        check_launch(crawler.spidercls, crawler.settings, {}, opts.set)
        return crawler

    def _check_feeds(self, spiders: list[str]) -> None:
        """Raise UsageError where several spiders would write one feed."""
        assert self.settings is not None
        for uri in map(str, self.settings.getdict("FEEDS")):
            if len(spiders) > 1 and "%(name)s" not in uri and not uri.startswith("stdout:"):
                raise UsageError(f"spiders share the feed {uri}: put %(name)s in its path")
