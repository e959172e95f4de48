"""``scrapy retention``: content that must be refreshed or deleted, and when."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mplus_crawler.cli.command import ProjectCommand
from mplus_crawler.cli.console import TextTable, print_error, print_line, print_table
from mplus_crawler.errors import DeliveryError, ExitCode, StoppedError, UsageError, printable

if TYPE_CHECKING:
    from mplus_crawler.feeds.retention.holdings import Holding
    from mplus_crawler.feeds.retention.register import Register

_DAY = timedelta(days=1)
_UNKNOWN = 1000  # days; an older date is no date


class Command(ProjectCommand):
    """List content that a museum wants refreshed or deleted in time; delete what is overdue."""

    summary = "List content that must be refreshed or deleted, and when; --purge deletes it"
    interrupted = StoppedError("interrupted; run the same command again")

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add ``--purge``, ``--check`` and ``--at``."""
        super().add_options(parser)
        one = parser.add_mutually_exclusive_group()
        one.add_argument("--purge", action="store_true", help="delete what is overdue")
        one.add_argument("--check", action="store_true", help="exit 1 if anything is overdue")
        parser.add_argument(
            "--at",
            metavar="WHEN",
            default="+0",
            help="compare with this date, YYYY-MM-DD[THH:MM:SS] (UTC) or +DAYS from now",
        )

    def execute(self, args: list[str], opts: argparse.Namespace) -> int:
        """Print the list, and check or purge."""
        from mplus_crawler.feeds.retention.register import Register
        from mplus_crawler.storage.folders import state_folder

        at = _moment(opts.at)
        try:
            with Register(state_folder(self.current_settings)).opened() as register:
                if register.damaged:
                    _warn(
                        register.damaged,
                        "damaged register set aside; the list has the files found without it",
                    )
                return self._list(opts, at, register)
        except OSError as error:
            raise DeliveryError(f"the state folder cannot be used: {error}") from None

    def _list(self, opts: argparse.Namespace, at: datetime, register: Register) -> int:
        from mplus_crawler.feeds.retention.holdings import Search
        from mplus_crawler.feeds.retention.terms import terms

        search = Search(self.current_settings, terms(self.current_settings), register, at)
        found = search.holdings()
        _print(found, at)
        overdue = [holding for holding in found if holding.due <= at]
        for holding in found:
            if holding.fault and not (opts.purge and holding in overdue):
                _warn(holding.uri, f"cannot be reached: {holding.fault}")
        if search.blind:
            _warn("HARVEST_DIR", search.blind)
        left = [holding for holding in overdue if opts.check and holding.kind != "stream"]
        if opts.purge:
            left = [holding for holding in overdue if not self._purge(holding, register)]
        if left:
            return ExitCode.FAILED
        return ExitCode.UNDELIVERED if search.blind else ExitCode.COMPLETE

    def _purge(self, holding: Holding, register: Register) -> bool:
        """Delete the overdue content of *holding*; return whether none is left."""
        from mplus_crawler.feeds.retention.purge import NotOursError, NotPurgedError, purge
        from mplus_crawler.storage.folders import state_folder

        uri = holding.uri
        try:
            done = purge(holding, register, state_folder(self.current_settings))
        except NotOursError as reason:
            _warn(uri, reason)
        except NotPurgedError as reason:
            _warn(uri, reason)
            return False
        else:
            print_line(printable(f"{uri}: {done}"))
        return True


def _print(holdings: Sequence[Holding], at: datetime) -> None:
    """Print a table of *holdings*, as it is *at* that moment."""
    if not holdings:
        print_line("no content with a retention date")
        return
    table = TextTable(("due", "", "age", "spider", "what"), (), "place")
    for holding in holdings:
        table.add_row(*_cells(holding, at))
    print_table(table)


def _cells(holding: Holding, at: datetime) -> tuple[str, ...]:
    from mplus_crawler.records.batch import stamp

    days = (at - holding.since) / _DAY
    known = days < _UNKNOWN
    return (
        stamp(holding.due) if known else "now",
        "past" if holding.due <= at else "",
        f"{days:.1f} days" if known else "unknown",
        holding.spider,
        holding.kind,
        printable(holding.uri),
    )


def _moment(text: str) -> datetime:
    """Return the time that ``--at`` names; raises :class:`UsageError`."""
    from mplus_crawler.feeds.retention.contents import moment

    try:
        found = datetime.now(UTC) + timedelta(days=float(text)) if text[:1] == "+" else moment(text)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise UsageError(f"--at {text} is not a date; write YYYY-MM-DD[THH:MM:SS] or +DAYS")
    return found


def _warn(what: object, message: object) -> None:
    print_error(printable(f"{what}: {message}"))
