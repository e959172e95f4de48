"""The result of one of the doctor's checks, and how it is printed."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from mplus_crawler.cli.console import columns_of, hanging, print_line
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
    width = columns_of(sys.stdout)
    print_line(hanging(f"{check.mark:<5}{check.name:<25}", printable(check.result), width))
    if check.fix:
        print_line(hanging(f"{'':<5}{'fix':<25}", printable(check.fix), width))
