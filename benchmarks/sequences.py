"""Random sequences of commands, kills among them: ``python -m benchmarks.sequences``.

Whole, filtered and limited harvests, ``-o`` and ``-O``, failing starts, faults, other days, runs
held back and accepted, kills before a step and at random moments, the same command again; both
museums. After each command, every published file is verified by its name, and the folder with its
change feeds; a failing start must not change a file.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Scrapy
from tests.sequences import SMALL, Sequence, UnverifiedError


def main() -> None:
    """Run the sequences, and print what was done; exit 1 if a file does not agree."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sequences", description=__doc__)
    parser.add_argument("--sequences", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--commands", type=int, default=6, help="of each; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1000, help="default: %(default)s")
    options = parser.parse_args()
    began, done, verified = time.monotonic(), Counter[str](), 0
    codes, failed = Counter[int](), 0
    for number in range(options.sequences):
        with (
            TemporaryDirectory(prefix="sequence") as name,
            Sandbox(limits="off", **SMALL) as museum,
        ):
            dice = random.Random(options.seed + number)
            sequence = Sequence(Scrapy(Path(name)), museum, dice)
            try:
                sequence.run(options.commands)
            except UnverifiedError as error:
                failed += 1
                print(f"seed {options.seed + number}: {error}", flush=True)
            done += sequence.done
            codes += sequence.codes
            verified += sequence.verified
        if number % 10 == 9:
            print(f"{number + 1} sequences, {time.monotonic() - began:.0f} s", flush=True)
    what = ", ".join(f"{count} {step.replace('_', ' ')}" for step, count in done.most_common())
    print(f"{options.sequences} sequences of {options.commands} commands: {what}")
    print("exit codes:", ", ".join(f"{count} times {code}" for code, count in codes.most_common()))
    print(f"{verified} files verified; {failed} sequences failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
