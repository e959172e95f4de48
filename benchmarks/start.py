"""CPU time of commands that do little: ``python -m benchmarks.start``.

``scrapy crawl objects -a limit=1`` is compared with the plain spider, which fetches one page; the
other commands with ``scrapy version`` outside a project. Each figure is the least of several runs.
"""

from __future__ import annotations

import os
import subprocess
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.measure import (
    PLAIN_SPIDER,
    ROOT,
    SCRAPY,
    environment,
    first_page,
    museum,
    workplace,
)

_QUICK = (["--help"], ["verify", "--help"], ["status"], ["budget"])


def main() -> None:
    """Print CPU seconds, and the differences from Scrapy's."""
    parser = ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="default: %(default)s")
    runs = parser.parse_args().runs
    with museum(100) as base_url, workplace(base_url) as (folder, settings):
        bare = least(["version"], folder, environment(), runs)
        print(f"{bare:6.2f}  scrapy version, outside a project")
        for words in (*_QUICK, ["verify", f"{folder}/objects.selection.jsonl"]):
            if words[0] == "verify" and words[-1] != "--help":
                least(["crawl", "objects", "-a", "limit=1"], ROOT, settings, 1)
            cpu = least(words, ROOT, settings, runs)
            print(f"{cpu:6.2f}  scrapy {words[0]}: {1000 * (cpu - bare):+.0f} ms")
        one_page = ["-a", f"url={first_page(base_url)}", "-O", f"{folder}/plain.jsonl"]
        plain = least(["runspider", str(PLAIN_SPIDER), *one_page], folder, environment(), runs)
        ours = least(["crawl", "objects", "-a", "limit=1"], ROOT, settings, runs)
    print(f"{plain:6.2f}  plain spider, one page")
    print(f"{ours:6.2f}  scrapy crawl objects -a limit=1: {ours / plain:.2f} of the plain spider")


def least(words: Sequence[str], folder: Path, settings: Mapping[str, str], runs: int) -> float:
    """Return the least CPU seconds of ``scrapy`` with *words* in so many *runs*."""
    return min(_cpu([*SCRAPY, *words], folder, settings) for _ in range(runs))


def _cpu(command: Sequence[str], folder: Path, settings: Mapping[str, str]) -> float:
    with subprocess.Popen(
        command, cwd=folder, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        errors = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {process.returncode}\n{errors.decode()}")
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
