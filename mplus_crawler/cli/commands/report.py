"""``scrapy report``: a page about a museum's snapshots, for people."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from mplus_crawler import program
from mplus_crawler.cli.command import ProjectCommand
from mplus_crawler.cli.console import print_error, print_line
from mplus_crawler.errors import ExitCode, StoppedError, UsageError
from mplus_crawler.storage.folders import in_s3


class Command(ProjectCommand):
    """Make a page about a museum's certified snapshots."""

    summary = "Make an HTML page about certified snapshots: counts, timeline, changes, licences"
    usage = "[options] MUSEUM"
    interrupted = StoppedError("interrupted; the former report, if any, is unchanged")

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add ``-o``."""
        super().add_options(parser)
        parser.add_argument(
            "-o",
            metavar="FILE",
            dest="place",
            help="the page (default HARVEST_DIR/MUSEUM.report.html)",
        )

    def execute(self, args: list[str], opts: argparse.Namespace) -> int:
        """Make the page, and print what it is about."""
        from mplus_crawler.datasets.making import make_report

        if len(args) != 1:
            raise UsageError(f"name one museum: {program()} report dmg, mplus or mplus_open")
        target = self._target(args[0], opts.place)
        about = make_report(self.current_settings, args[0], target, datetime.now(UTC))
        if about.missing:
            spiders = ", ".join(kind.spider for kind in about.missing)
            print_error(f"left out, since they have no snapshot: {spiders}")
        if about.expires:
            print_line(f"delete by {about.expires}")
        print_line(f"{target}: {about.title}; open it in a browser")
        return ExitCode.COMPLETE

    def _target(self, museum: str, place: str | None) -> Path:
        harvests = self.current_settings["HARVEST_DIR"]
        if place == "-" or in_s3(place or harvests):
            raise UsageError("a report is a local file: give -o FILE")
        return Path(place).expanduser() if place else Path(harvests) / f"{museum}.report.html"
