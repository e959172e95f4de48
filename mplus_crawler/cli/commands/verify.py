"""``scrapy verify``: whether feeds are what their certificates say."""

from __future__ import annotations

import argparse
from pathlib import Path

from scrapy.commands import ScrapyCommand

from mplus_crawler.errors import ExitCode, HarvestError, UsageError, refused
from mplus_crawler.storage.folders import in_s3
from mplus_crawler.verification import verify


class Command(ScrapyCommand):
    """Read feeds again, and tell where they differ from their certificates."""

    requires_project = True
    requires_crawler_process = False
    default_settings = {"LOG_ENABLED": False}

    def syntax(self) -> str:
        """As ``scrapy verify --help`` shows it."""
        return "[options] FILE..."

    def short_desc(self) -> str:
        """As ``scrapy`` lists it."""
        return "Check feeds against their certificates, independently of the harvest"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """``--certificate``."""
        super().add_options(parser)
        parser.add_argument(
            "--certificate",
            type=Path,
            metavar="FILE",
            help="the feeds' certificate; else it is looked for beside them and in HARVEST_DIR",
        )

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Check each file; exit 1 when one differs, 2 when one cannot be checked."""
        codes = [self._verify(name, opts.certificate) for name in args]
        if not codes:
            codes = [refused(UsageError("name a feed or a certificate: scrapy verify FILE"))]
        self.exitcode = max(codes)

    def _verify(self, file: str, certificate: Path | None) -> int:
        assert self.settings is not None
        code = ExitCode.COMPLETE
        try:
            if in_s3(file):
                raise UsageError(f"{file} is in S3: copy it here, with its certificate")
            for finding in verify(Path(file), certificate, Path(self.settings["HARVEST_DIR"])):
                print(finding, flush=True)
                if not finding.agrees:
                    code = ExitCode.FAILED
        except HarvestError as fault:
            code = max(code, refused(fault))
        return code
