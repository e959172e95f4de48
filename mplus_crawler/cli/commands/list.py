"""``scrapy list``: the names of the spiders."""

from __future__ import annotations

import argparse

from scrapy.spiderloader import get_spider_loader

from mplus_crawler.cli.command import ProjectCommand
from mplus_crawler.cli.console import print_line


class Command(ProjectCommand):
    """Print one spider a line, as Scrapy's own command does."""

    summary = "List available spiders"

    def execute(self, args: list[str], opts: argparse.Namespace) -> int:
        """Print the names in alphabetical order."""
        for name in sorted(get_spider_loader(self.current_settings).list()):
            print_line(name)
        return 0
