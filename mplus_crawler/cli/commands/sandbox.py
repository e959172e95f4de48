"""``scrapy sandbox``: local museums for trying and testing the crawler."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from mplus_crawler.cli.command import ProjectCommand
from mplus_crawler.cli.console import print_line
from mplus_crawler.cli.signals import stop_signals
from mplus_crawler.errors import UsageError

if TYPE_CHECKING:
    from mplus_crawler.sandbox.options import Options

_HELP = {
    "host": ("ADDRESS", "loopback address to listen on, 127.0.0.1 or ::1"),
    "port": ("N", "port to listen on; 0 selects a free one"),
    "objects": ("N", "objects in the collection"),
    "agents": ("N", "agents"),
    "exhibitions": ("N", "exhibitions"),
    "concepts": ("N", "concepts in the thesaurus"),
    "seed": ("N", "the same seed generates the same museum"),
    "invalid": ("FACTOR", "multiplies the number of records that fail their schema; 0 for none"),
    "unlinked": ("FACTOR", "multiplies the number of rows without linked data; 0 for none"),
    "twins": ("N", "exhibitions that share their number with another one"),
    "limits": ("LIMITS", "museum, off, or TIER=REQUESTS/SECONDS,… for some tiers"),
    "window_scale": (
        "FACTOR",
        "multiplies the length of the limits' windows; 0.1 turns 60 s into 6 s",
    ),
    "links": ("WHOSE", "address in links: museum (the real API's) or local (this server's)"),
    "rights": ("SHARE", "share of images whose rights are in the objects' records, 0 to 1"),
    "v1": ("STATE", "state of version 1, missing (404), gone (410) or live"),
    "api_key": ("KEY", "key that opens id/private/"),
    "latency": ("SECONDS", "delay of every response"),
    "day": ("N", "serve the museums as they are N days after day 0"),
    "mplus_data": (
        "PLACE",
        "M+'s published data set, folder or archive (default a sample)",
    ),
    "mplus_window": ("N", "number of records after which M+ lists no further ones"),
    "mplus_cache": ("SECONDS", "how long M+ caches results, empty ones included"),
    "mplus_key": ("KEY", "the only key that M+ accepts (default: any, or none)"),
}
_REPEATABLE = ("faults", "mplus_faults", "schema_changes")


class Command(ProjectCommand):
    """Serve the local museums until interrupted."""

    summary = "Serve local museums that behave like the real ones, faults included"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add a flag for every option of the sandbox."""
        super().add_options(parser)
        from mplus_crawler.sandbox import schema_changes
        from mplus_crawler.sandbox.dmg import faults as gent
        from mplus_crawler.sandbox.mplus import faults as mplus
        from mplus_crawler.sandbox.options import Options

        group = parser.add_argument_group(title="Sandbox")
        for name, (metavar, text) in _HELP.items():
            default = getattr(Options, name)
            group.add_argument(
                f"--{name.replace('_', '-')}",
                metavar=metavar,
                type=type(default),
                default=default,
                help=f"{text} (default {default})" if default != "" else text,
            )
        for name, meaning, kinds, example in (
            ("fault", "a fault of Gent", gent.KINDS, "status:code=503,path=objects,page=3"),
            ("mplus-fault", "a fault of M+", mplus.KINDS, "backend:root=objects,every=20"),
            (
                "schema-change",
                "a changed field",
                schema_changes.KINDS,
                "drop:field=crm:P46_has_component",
            ),
        ):
            group.add_argument(
                f"--{name}",
                metavar="SPEC",
                action="append",
                default=[],
                dest=f"{name.replace('-', '_')}s",
                help=f"{meaning}, for example {example}; kinds are {', '.join(kinds)} (repeatable)",
            )

    def execute(self, args: list[str], opts: argparse.Namespace) -> int:
        """Serve until a signal; return 0."""
        import asyncio

        from mplus_crawler.sandbox.options import Options

        try:
            options = Options(**{name: getattr(opts, name) for name in (*_HELP, *_REPEATABLE)})
            asyncio.run(_serve(options))
        except ValueError as error:
            raise UsageError(str(error)) from None
        except OSError as error:
            reason = os.strerror(error.errno or 0).lower()
            raise UsageError(f"port {opts.port} on {opts.host}: {reason}") from None
        return 0


async def _serve(options: Options) -> None:
    import asyncio

    from mplus_crawler.sandbox.app import start  # aiohttp is slow to import

    runner, gent, mplus = await start(options)
    stop = asyncio.Event()
    for number in stop_signals():
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        print_line(f"sandbox: {gent} (Ctrl-C stops)\nM+: {mplus}")
        await stop.wait()
    finally:
        await runner.cleanup()
