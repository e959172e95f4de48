"""``scrapy doctor``: whether this installation can harvest, in plain lines."""

from __future__ import annotations

import argparse
from typing import ClassVar

from scrapy.commands import ScrapyCommand

from mplus_crawler.cli.process import end_with
from mplus_crawler.errors import ExitCode, HarvestError, UsageError, refused
from mplus_crawler.policies.reading import policy_keys


class Command(ScrapyCommand):
    """Look at everything that a harvest needs; exit 1 when something is wrong, with the cure."""

    requires_project = True
    requires_crawler_process = False
    default_settings: ClassVar[dict[str, object]] = {"LOG_ENABLED": False}

    def syntax(self) -> str:
        """As ``scrapy doctor --help`` shows it."""
        return "[options] [MUSEUM...]"

    def short_desc(self) -> str:
        """As ``scrapy`` lists it."""
        return "Say whether this installation can harvest, and the cure for what is wrong"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """``--offline``."""
        super().add_options(parser)
        parser.add_argument("--offline", action="store_true", help="leave out the network")

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Print a line for each finding."""
        from mplus_crawler.cli.diagnosis import diagnose  # Scrapy imports every command for any

        assert self.settings is not None
        end_with(HarvestError("stopped before it had looked at everything"))
        known = policy_keys(self.settings.get("POLICY_DIR"))
        if strange := set(args) - set(known):
            fault = UsageError(f"there is no museum {min(strange)!r}; there are {', '.join(known)}")
            self.exitcode = refused(fault)
            return
        for finding in diagnose(self.settings, args or known, offline=opts.offline):
            print(finding, flush=True)
            if not finding.healthy:
                self.exitcode = ExitCode.FAILED
