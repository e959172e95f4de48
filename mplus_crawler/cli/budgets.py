"""The table of rate limits that ``scrapy budget`` prints."""

from __future__ import annotations

import signal
import sys
import time

from rich.live import Live
from rich.table import Table

from mplus_crawler.cli.console import make_table, print_table, terminal
from mplus_crawler.cli.signals import stop_signals
from mplus_crawler.storage.streams import writing_output
from mplus_crawler.wire.budget.budget import Budget

_REFRESH = 1.0  # seconds


def show(budget: Budget) -> None:
    """Print the table once."""
    print_table(_table(budget))


def watch(budget: Budget) -> None:
    """Print the table every second until a signal ends it: in place on a terminal."""
    for number in stop_signals():
        signal.signal(number, signal.default_int_handler)
    try:
        if sys.stdout.isatty():
            _watch_in_place(budget)
        while True:
            show(budget)
            time.sleep(_REFRESH)
    except KeyboardInterrupt:
        return


def _watch_in_place(budget: Budget) -> None:
    with (
        writing_output(),
        Live(console=terminal(sys.stdout, sys.stdout), auto_refresh=False) as live,
    ):
        while True:
            live.update(_table(budget), refresh=True)
            time.sleep(_REFRESH)


def _table(budget: Budget) -> Table:
    table = make_table(
        ("API", "tier"), ("window", "used", "left", "resets in", "backs off"), "waiting"
    )
    for usage in budget.usage():
        api, tier, _identity = usage.key.split(" ", 2)
        table.add_row(
            api,
            tier,
            f"{usage.window:g} s",
            f"{usage.used:,} of {usage.limit:,}",
            f"{max(0, usage.limit - usage.used):,}",
            f"{usage.resets_in:,.0f} s",
            f"{usage.backs_off_for:,.0f} s" if usage.backs_off_for else "",
            ", ".join(usage.waiting),
        )
    return table
