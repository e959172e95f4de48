"""Random histories: ``python -m benchmarks.histories [--museums 40] [--random 1000] [--seed 1]``.

Of the first kind, a museum changes from day to day, and harvests of it meet faults, partial
responses, empty collections, databases that find nothing, and kills before a random rename. Each
collection of a museum is a history. After each harvest all feeds are replayed, and no record that
the museum still has may be deleted; at the end, two undisturbed harvests a day apart must have
found every deletion. Museums are Gent (four collections), M+'s API (three), and releases of M+'s
data set (one); a harvest of a whole museum is one command.

Of the second kind, snapshots and findings about absent ids are random, without a museum: the
test's model runs with as many examples.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.museums import Gent, Mplus, Museum, Releases
from mplus_crawler.feeds.transaction import roll_forward
from mplus_crawler.verification import verify
from tests.conftest import Scrapy
from tests.test_change_feeds import CLOCK, DAY
from tests.test_names import KILLED

QUICK = ("-s", "MAX_DELETE_SHARE=0.2", "-s", "RETRY_BACKOFF_BASE=0.01")
HERE = ("Create", "Update", "Restore")
GONE = ("Delete", "Move")


class WrongError(Exception):
    """A feed deletes a record that exists, misses a deletion, or does not replay."""


class History:
    """One museum, and the harvests of it."""

    def __init__(self, museum: Museum, folder: Path) -> None:
        self._museum = museum
        self._dice = museum.dice
        self._scrapy = Scrapy(folder)
        self._data = folder / "data"
        self._time = 0.0  # days

    def run(self) -> None:
        """Let some days pass, and compare in the end."""
        museum = self._museum
        with museum.open(self._scrapy):
            self._harvest()
            for _ in range(self._dice.randint(1, 4)):
                self._pass_time(self._dice.choice((0.05, 0.9, 1.1, 2.2)))
                museum.disturb()
                self._harvest(killed=self._dice.random() < 0.4)
                museum.recover()
            for _ in range(2):
                self._time += 1.1
                self._harvest()
            for spider in museum.spiders:
                self._compare(spider)

    def _pass_time(self, days: float) -> None:
        self._time += days
        while self._museum.day < int(self._time):
            self._museum.next_day()

    def _harvest(self, *, killed: bool = False) -> None:
        """Harvest; a run that is killed is repeated at once."""
        code = Path(CLOCK).read_text() + (KILLED if killed else "")
        environment = {
            "RUN_FIRST": self._scrapy.first(code),
            "CLOCK_AHEAD": str(self._time * DAY),
            "RENAMES": str(self._dice.randrange(8 * len(self._museum.spiders))),
        }
        done = self._scrapy.run(*self._museum.command, *QUICK, **environment)
        self._museum.counts[f"exit {done.returncode}"] += 1
        if "Traceback" in done.stderr:
            raise WrongError(done.stderr)
        roll_forward(self._data / ".state")
        self._check()
        if done.returncode == -signal.SIGKILL:
            self._harvest()

    def _check(self) -> None:
        """Replay all feeds, and see that nothing is deleted that the museum has."""
        if not (self._data / "changes").exists():
            return
        wrong = [str(found) for found in verify(self._data, None, self._data) if not found.agrees]
        false = [
            line
            for spider in self._museum.spiders
            for line in self._lines(spider)
            if line["type"] in GONE and not self._museum.says_gone(line)
        ]
        if wrong or false:
            raise WrongError(f"day {self._museum.day}: {wrong}, false deletions {false}")

    def _lines(self, spider: str) -> list[dict[str, Any]]:
        feeds = sorted((self._data / "changes" / spider).glob("*.jsonl"))
        return [
            json.loads(line) for feed in feeds for line in feed.read_text("utf-8").splitlines()[1:]
        ]

    def _compare(self, spider: str) -> None:
        """Every id of the list is in the copy; every one that is gone is known to be."""
        last: dict[str, str] = {}
        for line in self._lines(spider):
            last[line["id"]] = line["type"]
            if "after" in line and line["type"] == "Move":
                last[line["to"]] = "Create"
        here = {id_ for id_, type_ in last.items() if type_ in HERE}
        listed, gone = self._museum.listed(spider), last.keys() & self._museum.gone
        missed = [id_ for id_ in gone - listed if last[id_] not in GONE]
        if listed - here or missed:
            raise WrongError(
                f"{spider} not in the copy: {listed - here}; deletions missed: {missed}"
            )
        self._museum.counts["deletions proven"] += len(gone - listed)


KINDS: tuple[type[Museum], ...] = (Gent, Gent, Gent, Mplus, Releases, Releases)


def at_the_wire(museums: int, seed: int, seconds: float | None) -> None:
    """Run the histories of so many *museums* with the real command, and print what has happened.

    No further museum is begun after so many *seconds*.
    """
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    began, histories = time.monotonic(), 0
    for number in range(museums):
        if seconds and time.monotonic() - began > seconds:
            break
        kind = KINDS[number % len(KINDS)]
        with TemporaryDirectory() as folder:
            try:
                History(kind(random.Random(f"{seed}-{number}"), counts), Path(folder)).run()
            except (WrongError, AssertionError) as error:
                wrong.append(f"museum {number} of seed {seed}: {error}")
                print(wrong[-1], flush=True)
                continue
        histories += len(kind.spiders)
        counts[f"histories: {kind.__name__}"] += len(kind.spiders)
        print(f"{histories} histories, {time.monotonic() - began:,.0f} s", flush=True)
    for what, count in sorted(counts.items()):
        print(f"  {what}: {count:,}")
    if wrong:
        raise SystemExit(f"{len(wrong)} museums went wrong")
    print("  false deletions: 0, deletions missed: 0, feeds that do not replay: 0")


def in_process(examples: int) -> None:
    """Run the model of the tests with so many *examples*."""
    from hypothesis import given, settings  # here: each command at the wire imports this module
    from hypothesis import strategies as st

    from tests.test_changes import STEP, check_history, run

    @settings(max_examples=examples, database=None)
    @given(st.lists(STEP, max_size=8))
    def check(steps: list[Any]) -> None:
        check_history(run(steps))

    check()
    print(f"{examples:,} random histories in this process: each feed replays, no false deletion")


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--museums", type=int, default=40, metavar="N")
    parser.add_argument("--random", type=int, default=1000, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="begin no further museum after these")
    options = parser.parse_args()
    in_process(options.random)
    at_the_wire(options.museums, options.seed, options.seconds)


if __name__ == "__main__":
    main()
