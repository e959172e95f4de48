"""``scrapy dataset``: a museum's snapshots as one package."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from mplus_crawler import program
from mplus_crawler.cli.command import ProjectCommand
from mplus_crawler.cli.console import print_error, print_line
from mplus_crawler.errors import ExitCode, StoppedError, UsageError, counted
from mplus_crawler.storage.folders import in_s3


class Command(ProjectCommand):
    """Make a package of a museum's certified snapshots."""

    summary = "Make a package of certified snapshots: Parquet, CSV, SQLite, metadata"
    usage = "[options] MUSEUM"
    interrupted = StoppedError("interrupted; the former package, if any, is unchanged")

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add ``-o`` and ``--no-expiring``."""
        super().add_options(parser)
        parser.add_argument(
            "-o",
            metavar="PLACE",
            dest="place",
            help="a folder, or a file that ends in .zip (default HARVEST_DIR/MUSEUM-dataset)",
        )
        parser.add_argument(
            "--no-expiring",
            action="store_true",
            help="leave out records that must be refreshed or deleted by a date",
        )

    def execute(self, args: list[str], opts: argparse.Namespace) -> int:
        """Make the package, and print what it contains and what is missing."""
        from mplus_crawler.datasets.making import make_package

        if len(args) != 1:
            raise UsageError(f"name one museum: {program()} dataset dmg, mplus or mplus_open")
        target = self._target(args[0], opts.place)
        about = make_package(
            self.current_settings, args[0], target, datetime.now(UTC), withhold=opts.no_expiring
        )
        if about.missing:
            spiders = ", ".join(kind.spider for kind in about.missing)
            print_error(f"left out, since they have no snapshot: {spiders}")
        left_out = ", left out because they expire" if about.withheld else ""
        for one in about.snapshots:
            count, read = one.certificate["unique"], one.certificate["finished_at"]
            print_line(f"{one.kind.table}: {counted(count, 'record')} of {read}{left_out}")
        if about.expires:
            print_line(f"refresh or delete by {about.expires}")
        print_line(f"{target}: {about.title}, version {about.version}")
        print_line(f"check it with: {program()} verify {target}")
        return ExitCode.COMPLETE

    def _target(self, museum: str, place: str | None) -> Path:
        harvests = self.current_settings["HARVEST_DIR"]
        if place == "-" or in_s3(place or harvests):
            raise UsageError("a package is a local folder or file: give -o FOLDER or -o FILE.zip")
        return Path(place).expanduser() if place else Path(harvests) / f"{museum}-dataset"
