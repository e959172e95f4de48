"""``scrapy harvest``: a whole museum, its spiders side by side under one budget."""

from __future__ import annotations

import argparse
from typing import ClassVar

from scrapy.commands import ScrapyCommand
from scrapy.crawler import Crawler
from scrapy.exceptions import UsageError as ScrapyUsageError

from mplus_crawler.cli import process
from mplus_crawler.cli.preflight import check_launch
from mplus_crawler.cli.summary import Row, table
from mplus_crawler.errors import HarvestError, StoppedError, UsageError, refused, worst
from mplus_crawler.spiders.base import MuseumSpider


class Command(ScrapyCommand):
    """Run every spider that a museum's harvest consists of, and exit with the worst verdict."""

    requires_project = True
    default_settings: ClassVar[dict[str, object]] = {"RESUME_WITH": "harvest"}

    def syntax(self) -> str:
        """As ``scrapy harvest --help`` shows it."""
        return "[options] MUSEUM..."

    def short_desc(self) -> str:
        """As ``scrapy`` lists it."""
        return "Harvest whole museums: dmg, mplus, or all"

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """As Scrapy does, and keep the log to what concerns the harvest."""
        assert self.settings is not None
        process.end_with(StoppedError("stopped before the first request"))
        try:
            super().process_options(args, opts)
            process.prepare_log(self.settings)
        except ScrapyUsageError as error:
            raise SystemExit(refused(UsageError(str(error)))) from None
        except HarvestError as fault:
            raise SystemExit(refused(fault)) from None

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Check each spider, run those that can go, and tell how each ended."""
        assert self.crawler_process is not None
        try:
            spiders = self._spiders(args)
            self._check_feeds(spiders)
        except HarvestError as fault:
            self.exitcode = refused(fault)
            return
        crawlers: dict[str, Crawler] = {}
        rows: list[Row] = []
        for name in spiders:
            try:
                crawlers[name] = self._checked(name, opts)
            except HarvestError as fault:
                rows.append(Row.refused(name, fault))
        for crawler in crawlers.values():
            self.crawler_process.crawl(crawler)
        if crawlers:
            process.run(self.crawler_process)
        for name, crawler in crawlers.items():
            rows.append(Row.of(name, *process.outcome(crawler)))
        table(rows)
        self.exitcode = worst(row.exit_code for row in rows)

    def _checked(self, name: str, opts: argparse.Namespace) -> Crawler:
        assert self.crawler_process is not None
        crawler = self.crawler_process.create_crawler(name)
        check_launch(crawler.spidercls, crawler.settings, {}, opts.set)
        return crawler

    def _check_feeds(self, spiders: list[str]) -> None:
        """Each spider must have feeds of its own."""
        assert self.settings is not None
        for uri in map(str, self.settings.getdict("FEEDS")):
            if len(spiders) > 1 and "%(name)s" not in uri and not uri.startswith("stdout:"):
                raise UsageError(f"the spiders have one feed, {uri}: put %(name)s into its path")

    def _spiders(self, args: list[str]) -> list[str]:
        """The spiders of the museums that are named."""
        assert self.crawler_process is not None
        assert self.settings is not None
        loader = self.crawler_process.spider_loader
        spiders: dict[str, list[str]] = {}
        for name in loader.list():
            cls = loader.load(name)
            if issubclass(cls, MuseumSpider) and cls.in_harvest:
                spiders.setdefault(cls.museum, []).append(name)
        if not args or not {*args} <= {*spiders, "all"}:
            known = ", ".join([*sorted(spiders), "all"])
            strange = [arg for arg in args if arg not in (*spiders, "all")]
            raise UsageError(f"name a museum to harvest: {', not '.join([known, *strange[:1]])}")
        wanted = spiders if "all" in args else args
        return [name for museum in dict.fromkeys(wanted) for name in spiders[museum]]
