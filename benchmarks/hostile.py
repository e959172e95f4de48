"""Hostile inputs of fifteen kinds: how each crawl ends, its peak memory and its time.

Exit code 1 if a crawl ends otherwise than it must.
"""

from __future__ import annotations

import argparse
import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from benchmarks.measure import MAXRSS_UNIT
from tests.conftest import Scrapy
from tests.hostile_cases import CASES


def main() -> int:
    """Run all cases and print a table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    print("| kind | input | verdict | exit | peak MB | wall s |")
    print("| --- | --- | --- | --- | --- | --- |")
    failed = False
    # A process for each: the kernel tells a peak of all children of one.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for case, (verdict, code, memory, wall) in zip(
            CASES, pool.map(run, range(len(CASES))), strict=True
        ):
            is_right = (verdict, code) == (case.verdict, case.code)
            failed |= not is_right
            name = case.name if is_right else f"{case.name} (WRONG)"
            print(
                f"| {case.kind} | {name} | {verdict or 'refused at once'} | {code} "
                f"| {memory:.0f} | {wall:.1f} |",
                flush=True,
            )
    return int(failed)


def run(number: int) -> tuple[str, int, float, float]:
    """Run a case; return verdict, exit code, peak memory in MB and seconds."""
    with TemporaryDirectory() as folder:
        began = monotonic()
        crawl = CASES[number].run(Scrapy(Path(folder), plain=True))
        wall = monotonic() - began
        try:
            verdict = str(crawl.certificate["verdict"])
        except OSError:
            verdict = ""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * MAXRSS_UNIT
    return verdict, crawl.code, peak / 1024**2, wall


if __name__ == "__main__":
    sys.exit(main())
