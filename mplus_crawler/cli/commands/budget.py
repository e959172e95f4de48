"""``scrapy budget``: what of each limit is used, and who waits for it."""

from __future__ import annotations

import argparse

from scrapy.commands import ScrapyCommand

from mplus_crawler.errors import HarvestError, refused
from mplus_crawler.wire.budget.stores import open_budget


class Command(ScrapyCommand):
    """Show, per API and tier, what is used, what is left, and when it comes back."""

    requires_project = True
    requires_crawler_process = False
    default_settings = {"LOG_ENABLED": False}

    def short_desc(self) -> str:
        """As ``scrapy`` lists it."""
        return "Show what is left of the museums' limits, and who waits"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """``--watch``."""
        super().add_options(parser)
        parser.add_argument("--watch", action="store_true", help="go on showing it until Ctrl-C")

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Show it once, or every second."""
        assert self.settings is not None
        try:
            # Scrapy imports every command for any of them; only this one needs tables.
            from mplus_crawler.cli.budgets import show, watch

            budget = open_budget(self.settings.get("BUDGET_URL"))
            (watch if opts.watch else show)(budget)
        except HarvestError as fault:
            self.exitcode = refused(fault)
