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

Job = tuple[list[str], Path, Mapping[str, str]]  # the words after `scrapy`, folder, environment


def main() -> None:
    """Print CPU seconds, and the differences from Scrapy's."""
    parser = ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="default: %(default)s")
    runs = parser.parse_args().runs
    with museum(100) as base_url, workplace(base_url) as (folder, settings):
        one_page = ["-a", f"url={first_page(base_url)}", "-O", f"{folder}/plain.jsonl"]
        crawl = ["crawl", "objects", "-a", "limit=1"]
        _cpu([*SCRAPY, *crawl], ROOT, settings)  # writes the feed
        quick = [
            ["--help"],
            ["status"],
            ["budget"],
            ["verify", f"{folder}/objects.selection.jsonl"],
        ]
        bare, *others, plain, ours = least(
            (["version"], folder, environment()),
            *((words, ROOT, settings) for words in quick),
            (["runspider", str(PLAIN_SPIDER), *one_page], folder, environment()),
            (crawl, ROOT, settings),
            runs=runs,
        )
    print(f"{bare:6.2f}  scrapy version, outside a project")
    for words, cpu in zip(quick, others, strict=True):
        print(f"{cpu:6.2f}  scrapy {words[0]}: {1000 * (cpu - bare):+.0f} ms")
    print(f"{plain:6.2f}  plain spider, one page")
    print(f"{ours:6.2f}  scrapy crawl objects -a limit=1: {ours / plain:.2f} of the plain spider")


def least(*jobs: Job, runs: int) -> list[float]:
    """Return the least CPU seconds of each of *jobs* in so many *runs*.

    The jobs alternate, so that other load affects all of them.
    """
    times = [
        [_cpu([*SCRAPY, *words], folder, settings) for words, folder, settings in jobs]
        for _ in range(runs)
    ]
    return [min(column) for column in zip(*times, strict=True)]


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
