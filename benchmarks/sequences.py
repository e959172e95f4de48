"""Random sequences of commands, kills among them: ``python -m benchmarks.sequences``.

Whole, filtered and limited harvests, ``-O``, failing starts, faults, other days, kills before a
rename and at random moments, the same command again; both museums. After each command, every
published file is verified by its name.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Scrapy
from tests.sequences import SMALL, Sequence


def main() -> None:
    """Run the sequences, and print what was done."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sequences", description=__doc__)
    parser.add_argument("--sequences", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--commands", type=int, default=6, help="of each; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1000, help="default: %(default)s")
    options = parser.parse_args()
    began, done, verified = time.monotonic(), Counter[str](), 0
    for number in range(options.sequences):
        with (
            TemporaryDirectory(prefix="sequence") as name,
            Sandbox(limits="off", **SMALL) as museum,
        ):
            dice = random.Random(options.seed + number)
            sequence = Sequence(Scrapy(Path(name)), museum, dice)
            sequence.run(options.commands)
            done += sequence.done
            verified += sequence.verified
        if number % 20 == 19:
            print(f"{number + 1} sequences, {time.monotonic() - began:.0f} s", flush=True)
    what = ", ".join(f"{count} {step.replace('_', ' ')}" for step, count in done.most_common())
    print(f"{options.sequences} sequences of {options.commands} commands: {what}")
    print(f"{verified} files verified, each agrees with its certificate")


if __name__ == "__main__":
    main()
