"""``scrapy doctor``: check whether this installation can harvest."""

from __future__ import annotations

import argparse

from mplus_crawler.cli.command import ProjectCommand
from mplus_crawler.errors import ExitCode, HarvestError, UsageError


class Command(ProjectCommand):
    """Check everything that a harvest needs; print a fix for every problem and exit with 1."""

    summary = "Check whether this installation can harvest, and print a fix for every problem"
    usage = "[options] [MUSEUM...]"
    interrupted = HarvestError("interrupted before the last check")

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add ``--offline``."""
        super().add_options(parser)
        parser.add_argument("--offline", action="store_true", help="skip checks of the network")

    def execute(self, args: list[str], opts: argparse.Namespace) -> int:
        """Print a line for each check."""
        from mplus_crawler.cli.diagnosis import diagnose
        from mplus_crawler.cli.diagnosis.check import print_check
        from mplus_crawler.museum.policies.reading import policy_keys

        known = policy_keys(self.current_settings.get("POLICY_DIR"))
        if unknown := set(args) - set(known):
            raise UsageError(f"unknown museum {min(unknown)!r}; known are {', '.join(known)}")
        code = ExitCode.COMPLETE
        for check in diagnose(self.current_settings, args, known, offline=opts.offline):
            print_check(check)
            if not check.healthy:
                code = ExitCode.FAILED
        return code
