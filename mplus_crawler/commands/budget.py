"""``scrapy budget``: what of each limit is used, and who waits for it."""

from __future__ import annotations

import argparse
import sys
import time

from rich.console import Console
from rich.live import Live
from rich.table import Table
from scrapy.commands import ScrapyCommand

from mplus_crawler.errors import Fault
from mplus_crawler.politeness.budget import Budget
from mplus_crawler.politeness.stores import open_budget

_SECONDS_BETWEEN_LOOKS = 1.0


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
            budget = open_budget(self.settings.get("BUDGET_URL"))
            _watch(budget) if opts.watch else _console().print(_table(budget))
        except Fault as fault:
            print(f"error: {fault}", file=sys.stderr)
            self.exitcode = fault.exit_code


def _watch(budget: Budget) -> None:
    try:
        with Live(_table(budget), console=_console()) as live:
            while True:
                time.sleep(_SECONDS_BETWEEN_LOOKS)
                live.update(_table(budget))
    except KeyboardInterrupt:
        return


def _console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=200)


def _table(budget: Budget) -> Table:
    table = Table("api", "tier", "window", "used", "left", "resets in", "parked", "waiting")
    for usage in budget.usage():
        api, tier, _identity = usage.key.split(" ", 2)
        table.add_row(
            api,
            tier,
            f"{usage.window:g} s",
            f"{usage.used:,} of {usage.limit:,}",
            f"{max(0, usage.limit - usage.used):,}",
            f"{usage.resets_in:,.0f} s",
            f"{usage.parked_for:,.0f} s" if usage.parked_for else "",
            ", ".join(usage.waiting),
        )
    return table
