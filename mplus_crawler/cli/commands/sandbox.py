"""``scrapy sandbox``: try the crawler, or test it, without touching a museum."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from typing import ClassVar

from scrapy.commands import ScrapyCommand
from scrapy.exceptions import UsageError

from mplus_crawler.sandbox.options import Options

# No colons before a space: a line that ends in one is a heading to Scrapy.
_HELP = {
    "host": ("ADDRESS", "loopback address to listen on, 127.0.0.1 or ::1"),
    "port": ("N", "port to listen on; 0 takes a free one"),
    "objects": ("N", "objects in the collection"),
    "agents": ("N", "agents"),
    "exhibitions": ("N", "exhibitions"),
    "concepts": ("N", "concepts in the thesaurus"),
    "seed": ("N", "the same seed makes the same museum"),
    "invalid": ("FACTOR", "more or fewer records that no schema accepts; 0 for none"),
    "limits": ("LIMITS", "museum, off, or TIER=REQUESTS/SECONDS,… for some tiers"),
    "window_scale": ("FACTOR", "stretch or shrink the limits' windows; 0.1 makes 60 s 6 s"),
    "links": ("WHOSE", "whose address links name, museum (as its own do) or local (this server)"),
    "rights": ("SHARE", "images whose rights stand in objects' records, 0 to 1"),
    "v1": ("STATE", "what became of version 1, missing (404), gone (410), or live (nothing yet)"),
    "api_key": ("KEY", "key that opens id/private/"),
    "latency": ("SECONDS", "wait before every answer"),
    "mplus_data": ("PLACE", "M+'s published data set, a folder or an archive; else a sample of it"),
    "mplus_window": ("N", "records of a list after which M+ gives none"),
    "mplus_cache": ("SECONDS", "how long M+ remembers what was found, or not"),
    "mplus_key": ("KEY", "the only key that M+ takes; else it takes any, and none"),
}


class Command(ScrapyCommand):
    """Serves the local museums until it is interrupted."""

    requires_project = True
    requires_crawler_process = False
    default_settings: ClassVar[dict[str, object]] = {"LOG_ENABLED": False}

    def syntax(self) -> str:
        """The flags alone; there are no arguments."""
        return "[options]"

    def short_desc(self) -> str:
        """One line for ``scrapy -h``."""
        return "Serve local museums that behave like the real ones, faults included"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """One flag for every option of the sandbox."""
        super().add_options(parser)
        # Only this command's own start pays for them.
        from mplus_crawler.sandbox.dmg import faults as gent
        from mplus_crawler.sandbox.mplus import faults as mplus

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
        for name, kinds, example in (
            ("fault", gent.KINDS, "status:code=503,path=objects,page=3"),
            ("mplus-fault", mplus.KINDS, "backend:root=objects,every=20"),
        ):
            group.add_argument(
                f"--{name}",
                metavar="SPEC",
                action="append",
                default=[],
                dest=f"{name.replace('-', '_')}s",
                help=f"what goes wrong and when, for instance {example}; "
                f"kinds are {', '.join(kinds)} (repeatable)",
            )

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Serve until SIGINT or SIGTERM."""
        if args:
            raise UsageError(f"{args[0]!r}: sandbox takes no arguments", print_help=False)
        try:
            options = Options(
                **{name: getattr(opts, name) for name in (*_HELP, "faults", "mplus_faults")}
            )
            asyncio.run(_serve(options))
        except ValueError as problem:
            raise UsageError(str(problem), print_help=False) from None
        except OSError as problem:
            reason = os.strerror(problem.errno or 0).lower()
            where = f"port {opts.port} on {opts.host}"
            raise UsageError(f"{where}: {reason}", print_help=False) from None


async def _serve(options: Options) -> None:
    from mplus_crawler.sandbox.app import start  # aiohttp is slow to import, and only needed here

    runner, gent, mplus = await start(options)
    print(f"sandbox: {gent} (Ctrl-C stops)\nM+: {mplus}", flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await runner.cleanup()
