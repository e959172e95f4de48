"""What of each limit is used, as a table."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.live import Live
from rich.table import Table

from mplus_crawler.wire.budget.budget import Budget

_SECONDS_BETWEEN_LOOKS = 1.0


def show(budget: Budget) -> None:
    """Show the budget once."""
    _console().print(_table(budget))


def watch(budget: Budget) -> None:
    """Show the budget every second, until Ctrl-C."""
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
    table = Table("api", "tier", "window", "used", "left", "resets in", "backs off", "waiting")
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
