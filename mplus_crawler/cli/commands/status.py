"""``scrapy status``: snapshots, and harvests that are not complete."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mplus_crawler import program
from mplus_crawler.cli.command import ProjectCommand
from mplus_crawler.cli.console import TextTable, print_error, print_line, print_table
from mplus_crawler.errors import DeliveryError, ExitCode, printable

if TYPE_CHECKING:
    from mplus_crawler.cli.status import SnapshotStatus, Status, UnfinishedHarvest

_WORDS = {
    "create": "new",
    "update": "changed",
    "missing": "missing",
    "delete": "gone",
    "move": "moved",
    "restore": "back",
}
_DAY, _HOUR, _MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


class Command(ProjectCommand):
    """Print what HARVEST_DIR holds: a line per snapshot, and how to resume unfinished harvests."""

    summary = "Show snapshots, their age and changes, and unfinished harvests"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add ``--json``."""
        super().add_options(parser)
        parser.add_argument("--json", action="store_true", help="print JSON, for programs")

    def execute(self, args: list[str], opts: argparse.Namespace) -> int:
        """Print the status; return 0, whatever the harvests' verdicts."""
        from mplus_crawler.cli.status import read_status

        now = datetime.now(UTC)
        try:
            status = read_status(self.current_settings, now)
        except OSError as error:
            raise DeliveryError(f"HARVEST_DIR cannot be read: {error}") from None
        if opts.json:
            import orjson

            print_line(orjson.dumps(status.document(), option=orjson.OPT_INDENT_2).decode())
        else:
            _print(status, now)
        for file in status.unreadable:
            print_error(f"{printable(file)}: not a certificate that can be read")
        return ExitCode.COMPLETE


def _print(status: Status, now: datetime) -> None:
    if not status.snapshots and not status.unfinished:
        print_line(f"no snapshots in {status.place}; start with: {program()} crawl objects")
        return
    if status.snapshots:
        table = TextTable(("snapshot", "verdict", "expires"), ("age", "records"), "last change")
        for snapshot in status.snapshots:
            table.add_row(*_cells(snapshot, now))
        print_table(table)
    for harvest in status.unfinished:
        print_line("\n".join(_lines(harvest)))


def _cells(snapshot: SnapshotStatus, now: datetime) -> Iterator[str]:
    yield snapshot.spider
    yield "complete" if snapshot.verdict == "complete" else "with drift"
    yield _expiry(snapshot.expires_at, now)
    yield _duration(timedelta(seconds=max(0, snapshot.age_s)))
    yield f"{snapshot.records:,}"
    counts = ", ".join(f"{count:,} {_WORDS[kind]}" for kind, count in snapshot.changes.items())
    yield f"{snapshot.changed_at[:10]}: {counts}" if snapshot.changed_at else ""


def _expiry(expires_at: str | None, now: datetime) -> str:
    if expires_at is None:
        return "never"
    left = datetime.fromisoformat(expires_at) - now
    return f"in {_duration(left)}" if left > timedelta() else "past"


def _lines(harvest: UnfinishedHarvest) -> Iterator[str]:
    given = "".join(f" {name}={value}" for name, value in harvest.arguments.items())
    yield printable(f"{harvest.spider}{given}: {harvest.verdict}, {harvest.reason}")
    if harvest.resume:
        purpose = "to publish it" if harvest.verdict == "held_back" else "to resume"
        yield f"  {purpose}: {printable(harvest.resume)}"


def _duration(span: timedelta) -> str:
    if span >= 2 * _DAY:
        return f"{span // _DAY} days"
    return f"{span // _HOUR} h" if span >= 2 * _HOUR else f"{span // _MINUTE} min"
