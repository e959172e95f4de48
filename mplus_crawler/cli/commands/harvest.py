"""``scrapy harvest``: a whole museum, its spiders side by side under one budget."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, ClassVar

from mplus_crawler.cli.running import RunningCommand
from mplus_crawler.cli.spelling import check_spelling
from mplus_crawler.errors import HarvestError, UsageError, worst

if TYPE_CHECKING:
    from scrapy.crawler import Crawler

    from mplus_crawler.cli.summary import SpiderResult


class Command(RunningCommand):
    """Run all spiders of a museum's harvest and exit with the worst verdict."""

    default_settings: ClassVar[dict[str, object]] = {"RESUME_WITH": "harvest"}
    summary = "Harvest whole museums: dmg, mplus, mplus_open, or all (dmg and mplus)"
    usage = "[options] MUSEUM..."

    def execute(self, args: list[str], opts: argparse.Namespace) -> int:
        """Run each spider that passes its checks, and print how each ended."""
        from mplus_crawler.cli import process
        from mplus_crawler.cli.summary import SpiderResult, print_results
        from mplus_crawler.cli.words import the_museums
        from mplus_crawler.museum.policies.policy import base_settings

        check_spelling(opts.set, self.current_settings)
        spiders = the_museums(args, self.process.spider_loader)
        self._check_feeds(spiders)
        crawlers: dict[str, Crawler] = {}
        results: list[SpiderResult] = []
        for name in spiders:
            try:
                crawlers[name] = self._checked(name, opts)
            except HarvestError as error:
                results.append(SpiderResult.not_started(name, error))
        for crawler in crawlers.values():
            self.process.crawl(crawler)
        if crawlers:
            process.run(self.process)
        for name, crawler in crawlers.items():
            results.append(SpiderResult.of(name, *process.outcome(crawler)))
        museums = {getattr(crawler.spidercls, "museum", "") for crawler in crawlers.values()}
        print_results(results, {name for museum in museums for name in base_settings(museum)})
        self.reported = [*crawlers.values()]
        return worst(result.exit_code for result in results)

    def _checked(self, name: str, opts: argparse.Namespace) -> Crawler:
        from mplus_crawler.cli.preflight import check_launch

        crawler = self.process.create_crawler(name)
        check_launch(crawler.spidercls, crawler.settings, {}, opts.set)
        return crawler

    def _check_feeds(self, spiders: list[str]) -> None:
        """Raise UsageError where several spiders would write one feed."""
        for uri in map(str, self.current_settings.getdict("FEEDS")):
            if len(spiders) > 1 and "%(name)s" not in uri and not uri.startswith("stdout:"):
                raise UsageError(f"spiders share the feed {uri}: put %(name)s in its path")
