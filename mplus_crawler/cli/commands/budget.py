"""``scrapy budget``: how much of each rate limit is used, and which processes wait."""

from __future__ import annotations

import argparse
from contextlib import closing

from mplus_crawler.cli.command import ProjectCommand


class Command(ProjectCommand):
    """Print a table of each API's rate limits: used, left, and when they are reset."""

    summary = "Show what is left of the museums' rate limits, and which processes wait"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add ``--watch``."""
        super().add_options(parser)
        parser.add_argument("--watch", action="store_true", help="refresh it until Ctrl-C")

    def execute(self, args: list[str], opts: argparse.Namespace) -> int:
        """Print the table once, or every second."""
        from mplus_crawler.cli.budgets import show, watch
        from mplus_crawler.wire.budget.stores import open_budget

        with closing(open_budget(self.current_settings.get("BUDGET_URL"))) as budget:
            (watch if opts.watch else show)(budget)
        return 0
