"""The result of one of the doctor's checks, and how it is printed."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from mplus_crawler.cli.console import print_line, render
from mplus_crawler.errors import printable


@dataclass(frozen=True, slots=True)
class Check:
    """What was checked, the result, and a fix if there is a problem.

    A *warning* is a problem that does not keep a harvest from running.
    """

    name: str
    result: str
    fix: str = ""
    warning: bool = False

    @property
    def healthy(self) -> bool:
        """Whether this check found nothing that prevents harvests."""
        return self.warning or not self.fix

    @property
    def mark(self) -> str:
        """``ok``, ``warn`` or ``FAIL``."""
        if not self.fix:
            return "ok"
        return "warn" if self.warning else "FAIL"

    def __str__(self) -> str:
        line = f"{self.mark:<5}{self.name}: {printable(self.result)}"
        return f"{line}\n     fix: {printable(self.fix)}" if self.fix else line


def print_check(check: Check) -> None:
    """Print *check*: a row of a table on a terminal, elsewhere one or two plain lines."""
    if not sys.stdout.isatty():
        print_line(str(check))
        return
    from rich.table import Table

    row = Table.grid(padding=(0, 1))
    row.add_column(width=4)
    row.add_column(width=24)
    row.add_column()
    row.add_row(check.mark, check.name, printable(check.result))
    if check.fix:
        row.add_row("", "fix", printable(check.fix))
    print_line(render(row, sys.stdout))
