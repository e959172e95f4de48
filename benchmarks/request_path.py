"""The way of one page through our code: ``python -m benchmarks.request_path``.

It harvests five agents, one page, with the real command, and follows every call of Python code
from the moment when the request is scheduled. Reported are the files of ``mplus_crawler/`` that
were entered, and the moves: pairs of files of which the second is called after the first, each
pair counted once, so that the number of records does not matter. The request's
way ends when its response has passed all middlewares; the page's way goes on through the spider,
the pipelines and the feed. Scrapy's own files and the sandbox do not count.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.measure import ROOT, museum, workplace

_PACKAGE = str(ROOT / "mplus_crawler")


class Trace:
    """The calls into our files; :attr:`ways` has what was counted at the end of each way."""

    def __init__(self) -> None:
        self.ways: dict[str, dict[str, Any]] = {}
        self._files: Counter[str] = Counter()
        self._moves: set[tuple[str, str]] = set()
        self._last = ""

    def start(self, **signal: Any) -> None:
        """Follow calls from now on."""
        sys.setprofile(self._follow)

    def response(self, **signal: Any) -> None:
        """The request's way ends."""
        self._end("request")

    def idle(self, **signal: Any) -> None:
        """The page's way ends."""
        sys.setprofile(None)
        self._end("page")

    def _end(self, way: str) -> None:
        self.ways[way] = {"moves": len(self._moves), "files": dict(self._files)}

    def _follow(self, frame: FrameType, event: str, argument: object) -> None:
        file = frame.f_code.co_filename
        if event != "call" or not file.startswith(_PACKAGE) or "/sandbox/" in file:
            return
        if file != self._last:
            self._moves.add((self._last, file))
        self._last = file
        self._files[file.removeprefix(f"{_PACKAGE}/")] += 1


def follow(report: Path) -> None:
    """Run the harvest in this process, and write what it called to *report*."""
    from pydispatch import dispatcher  # type: ignore[import-untyped]  # Scrapy's own
    from scrapy import signals
    from scrapy.cmdline import execute

    trace = Trace()
    dispatcher.connect(trace.start, signal=signals.request_scheduled)
    dispatcher.connect(trace.response, signal=signals.response_received)
    dispatcher.connect(trace.idle, signal=signals.spider_idle)
    try:
        execute(["scrapy", "crawl", "agents", "-a", "limit=5"])
    finally:
        report.write_text(json.dumps(trace.ways))


def main() -> None:
    """Print the files with their calls, and the number of moves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--follow", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.follow:
        follow(options.follow)
        return
    with museum(100) as base_url, workplace(base_url) as (folder, settings):
        report = folder / "report.json"
        subprocess.run(
            [sys.executable, "-m", "benchmarks.request_path", "--follow", str(report)],
            cwd=ROOT,
            env=settings,
            check=True,
            capture_output=True,
        )
        ways = json.loads(report.read_text())
    for file, calls in sorted(ways["page"]["files"].items()):
        print(f"{ways['request']['files'].get(file, 0):7}{calls:7}  {file}")
    for way, found in ways.items():
        calls = sum(found["files"].values())
        print(f"{way}: {len(found['files'])} files, {found['moves']} moves, {calls} calls")


if __name__ == "__main__":
    main()
