"""The table of rate limits that ``scrapy budget`` prints."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterable

from mplus_crawler.cli.console import TextTable, columns_of, print_line
from mplus_crawler.cli.signals import stop_signals
from mplus_crawler.storage.streams import writing_output
from mplus_crawler.wire.budget.budget import Budget, Usage

_REFRESH = 1.0  # seconds


def show(budget: Budget) -> None:
    """Print the table once."""
    print_line(tables_of(budget.usage(), columns_of(sys.stdout)))


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
    from rich.console import Console
    from rich.live import Live

    console = Console(markup=False, highlight=False, emoji=False)
    with writing_output(), Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(tables_of(budget.usage(), console.width), refresh=True)
            time.sleep(_REFRESH)


def tables_of(usages: Iterable[Usage], width: int | None) -> str:
    """Return a table for each API, with a row for each limit; 80 columns are enough."""
    tables: dict[str, TextTable] = {}
    for usage in usages:
        api, tier, _identity = usage.key.split(" ", 2)
        if api not in tables:
            tables[api] = TextTable(("tier",), ("used", "left", "resets in"), "now")
        tables[api].add_row(
            tier,
            f"{usage.used:,} of {usage.limit:,} in {round(usage.window, 1):g} s",
            f"{max(0, usage.limit - usage.used):,}",
            f"{usage.resets_in:,.0f} s",
            _now(usage),
        )
    if not tables:
        return "no request has been counted yet"
    return "\n".join(f"{api}\n{table.text(width)}" for api, table in tables.items())


def _now(usage: Usage) -> str:
    """Return how long the tier backs off, and which processes wait."""
    state = [f"backs off for {usage.backs_off_for:,.0f} s"] if usage.backs_off_for else []
    if usage.waiting:
        state.append(f"waiting: {', '.join(usage.waiting)}")
    return "; ".join(state)
