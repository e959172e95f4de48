"""``scrapy spiders``: what each spider harvests, and its arguments."""

from __future__ import annotations

import argparse

from mplus_crawler.cli.command import ProjectCommand
from mplus_crawler.cli.console import print_line
from mplus_crawler.errors import UsageError


class Command(ProjectCommand):
    """Print the spiders of each museum: what each harvests, and its arguments."""

    summary = "Show what each spider harvests, and its arguments"
    usage = "[options] [SPIDER...]"

    def execute(self, args: list[str], opts: argparse.Namespace) -> int:
        """Print all spiders, or those that are named."""
        from scrapy.spiderloader import get_spider_loader

        from mplus_crawler.cli.guide import overview
        from mplus_crawler.cli.words import unknown_spider

        loader = get_spider_loader(self.current_settings)
        if unknown := [name for name in args if name not in loader.list()]:
            raise UsageError(unknown_spider(unknown[0], loader))
        classes = [loader.load(name) for name in args or loader.list()]
        print_line("\n".join(overview(classes, self.current_settings)))
        return 0
