"""Random histories: ``python -m benchmarks.histories [--wire 100] [--random 1000] [--seed 1]``.

Of the first kind, a museum changes from day to day, and harvests of it meet faults, empty
collections, databases that find nothing, and kills before a random rename. After each harvest
all feeds are replayed. No record that the museum still has may be deleted; at the end, two
undisturbed harvests a day apart must have found every deletion.

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

from mplus_crawler.feeds.transaction import roll_forward
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.verification import verify
from tests.conftest import Scrapy, limit
from tests.test_change_feeds import CLOCK, DAY
from tests.test_names import KILLED

SPIDERS = ("objects", "agents")
FAULTS = {
    "objects": ("object", "objects"),
    "agents": ("agent", "agents"),
}


class WrongError(Exception):
    """A feed deletes a record that exists, misses a deletion, or does not replay."""


class History:
    """One museum, and the harvests of one of its collections."""

    def __init__(self, folder: Path, dice: random.Random, counts: Counter[str]) -> None:
        self._dice = dice
        self._counts = counts
        self._spider = dice.choice(SPIDERS)
        self._scrapy = Scrapy(folder)
        self._data = folder / "data"
        self._time = 0.0  # days
        self._gone: set[str] = set()  # by the museum's truth
        self._day = 0

    def run(self) -> None:
        """Let some days pass, and compare in the end."""
        sizes = {"objects": 60, "agents": 60, "exhibitions": 3, "concepts": 3}
        seed = self._dice.randrange(1000)
        with Sandbox(**sizes, seed=seed, invalid=0, limits="off", rights=0.5) as museum:
            self._scrapy.at(museum).policy(limit(1_000_000, 1))
            self._harvest(museum)
            for _ in range(self._dice.randint(1, 4)):
                self._pass_time(museum, self._dice.choice((0.05, 0.9, 1.1, 2.2)))
                self._disturb(museum)
                self._harvest(museum, killed=self._dice.random() < 0.4)
                museum.clear()
            for _ in range(2):
                self._pass_time(museum, 1.1, stand_still=True)
                self._harvest(museum)
            self._compare(museum)

    def _pass_time(self, museum: Sandbox, days: float, *, stand_still: bool = False) -> None:
        self._time += days
        while not stand_still and self._day < int(self._time):
            self._day += 1
            museum.move_to(self._day)
            changes = museum.truth(day=self._day)[self._spider]["changes"]
            self._gone |= {*changes["removed"], *changes["missing"], *dict(changes["moved"])}

    def _disturb(self, museum: Sandbox) -> None:
        one, many = FAULTS[self._spider]
        kind = self._dice.choice(
            ("", "", "not found", "database", "empty", "short", "lost", "errors")
        )
        faults = {
            "not found": [f"status:code=404,path={one},times=always"],
            "database": [f"database:path={one},times=always"],
            "empty": [
                f"total:path={many},value=0,times=always",
                f"empty_page:path={many},times=always",
            ],
            "short": [f"short:path={many},rows=2,times=always"],
            "lost": [f"status:code=404,path={many},page=2,times=always"],
            "errors": [f"status:code=503,path={many},times=2", f"truncate:path={many},times=1"],
        }
        for fault in faults.get(kind, ()):
            museum.fault(fault)
        self._counts[f"fault: {kind or 'none'}"] += 1

    def _harvest(self, museum: Sandbox, *, killed: bool = False) -> None:
        """Harvest; a run that is killed is repeated at once."""
        code = Path(CLOCK).read_text() + (KILLED if killed else "")
        environment = {
            "RUN_FIRST": self._scrapy.first(code),
            "CLOCK_AHEAD": str(self._time * DAY),
            "RENAMES": str(self._dice.randrange(8)),
        }
        given = ("-s", "MAX_DELETE_SHARE=0.2", "-s", "RETRY_BACKOFF_BASE=0.01")
        done = self._scrapy.run("crawl", self._spider, *given, **environment)
        self._counts[f"exit {done.returncode}"] += 1
        if "Traceback" in done.stderr:
            raise WrongError(done.stderr)
        roll_forward(self._data / ".state")
        self._check(museum)
        if done.returncode == -signal.SIGKILL:
            self._harvest(museum)

    def _check(self, museum: Sandbox) -> None:
        """Replay all feeds, and see that nothing is deleted that the museum has."""
        if not (self._data / "changes").exists():
            return
        wrong = [str(found) for found in verify(self._data, None, self._data) if not found.agrees]
        lines = self._lines()
        false = [
            line
            for line in lines
            if line["type"] in ("Delete", "Move") and line["id"] not in self._gone
        ]
        if wrong or false:
            raise WrongError(f"day {self._day}: {wrong}, false deletions {false}")

    def _lines(self) -> list[dict[str, Any]]:
        feeds = sorted((self._data / "changes" / self._spider).glob("*.jsonl"))
        return [
            json.loads(line) for feed in feeds for line in feed.read_text("utf-8").splitlines()[1:]
        ]

    def _compare(self, museum: Sandbox) -> None:
        """Every id of the list is in the copy; every one that is gone is known to be."""
        last: dict[str, str] = {}
        for line in self._lines():
            last[line["id"]] = line["type"]
            if "after" in line and line["type"] == "Move":
                last[line["to"]] = "Create"
        here = {id_ for id_, type_ in last.items() if type_ in ("Create", "Update", "Restore")}
        listed = {*museum.truth(day=self._day)[self._spider]["ids"]}
        missed = [
            id_ for id_ in last.keys() & self._gone - listed if last[id_] not in ("Delete", "Move")
        ]
        if listed - here or missed:
            raise WrongError(f"not in the copy: {listed - here}; deletions missed: {missed}")
        self._counts["deletions proven"] += len(last.keys() & self._gone - listed)


def at_the_wire(histories: int, seed: int, seconds: float) -> None:
    """Run *histories* with the real command for some *seconds*, and print what has happened."""
    counts: Counter[str] = Counter()
    began, done = time.monotonic(), 0
    for number in range(histories):
        if time.monotonic() - began > seconds:
            break
        dice = random.Random(f"{seed}-{number}")
        with TemporaryDirectory() as folder:
            try:
                History(Path(folder), dice, counts).run()
            except (WrongError, AssertionError) as error:
                raise SystemExit(f"history {number} of seed {seed}: {error}") from None
        done += 1
    print(f"{done} histories at the wire in {time.monotonic() - began:,.0f} s")
    for what, count in sorted(counts.items()):
        print(f"  {what}: {count:,}")
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
    parser.add_argument("--wire", type=int, default=100, metavar="N")
    parser.add_argument("--random", type=int, default=1000, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=500, help="stop after these")
    options = parser.parse_args()
    in_process(options.random)
    at_the_wire(options.wire, options.seed, options.seconds)


if __name__ == "__main__":
    main()
