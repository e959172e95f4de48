"""``scrapy verify``: check feeds against their certificates."""

from __future__ import annotations

import argparse
from pathlib import Path

from mplus_crawler import program
from mplus_crawler.cli.command import ProjectCommand
from mplus_crawler.cli.console import print_line, report
from mplus_crawler.errors import DeliveryError, ExitCode, HarvestError, StoppedError, UsageError


class Command(ProjectCommand):
    """Read feeds again and print where they differ from their certificates.

    Of a ``HARVEST_DIR``, all change feeds are replayed.
    """

    summary = "Check feeds against their certificates, independently of the harvest"
    usage = "[options] FILE|FOLDER..."
    interrupted = StoppedError("interrupted before the last file")

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add ``--certificate``."""
        super().add_options(parser)
        parser.add_argument(
            "--certificate",
            type=Path,
            metavar="FILE",
            help="the feeds' certificate (default: found next to them, in HARVEST_DIR or in runs/)",
        )

    def execute(self, args: list[str], opts: argparse.Namespace) -> int:
        """Check each file; return 1 if one differs, 2 if one cannot be checked."""
        if not args:
            raise UsageError(
                f"name a feed, a certificate, a package or HARVEST_DIR: {program()} verify FILE"
            )
        return max(self._verify(name, opts.certificate) for name in args)

    def _verify(self, file: str, certificate: Path | None) -> int:
        from mplus_crawler.storage.folders import in_s3
        from mplus_crawler.verification import verify

        code = ExitCode.COMPLETE
        folder = Path(self.current_settings["HARVEST_DIR"])
        try:
            if in_s3(file):
                raise UsageError(f"{file} is in S3; download it together with its certificate")
            for finding in verify(Path(file), certificate, folder):
                print_line(str(finding))
                if not finding.agrees:
                    code = ExitCode.FAILED
        except DeliveryError:
            raise
        except HarvestError as error:
            code = max(code, report(error))
        return code
