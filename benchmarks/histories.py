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
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from mplus_crawler.feeds.transaction import roll_forward
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.verification import verify
from tests.conftest import Scrapy, limit
from tests.fixtures.mplus import PUBLISHED
from tests.sandbox.wire import get
from tests.test_change_feeds import CLOCK, DAY
from tests.test_names import KILLED

QUICK = ("-s", "MAX_DELETE_SHARE=0.2", "-s", "RETRY_BACKOFF_BASE=0.01")
HERE = ("Create", "Update", "Restore")
GONE = ("Delete", "Move")


class WrongError(Exception):
    """A feed deletes a record that exists, misses a deletion, or does not replay."""


class Museum:
    """A museum that changes: *spiders* harvest it; *listed* and *gone* are its truth."""

    spiders: ClassVar[tuple[str, ...]]
    command: tuple[str, ...]

    def __init__(self, dice: random.Random, counts: Counter[str]) -> None:
        self.dice = dice
        self.counts = counts
        self.gone: set[str] = set()
        self.day = 0

    def open(self, scrapy: Scrapy) -> AbstractContextManager[None]:
        """Serve the museum to *scrapy*."""
        raise NotImplementedError

    def next_day(self) -> None:
        """Let a day pass."""
        self.day += 1

    def disturb(self) -> None:
        """Make some requests fail."""

    def recover(self) -> None:
        """End all disturbances."""

    def listed(self, spider: str) -> set[str]:
        """Return the ids that the museum lists today."""
        raise NotImplementedError

    def says_gone(self, line: dict[str, Any]) -> bool:
        """Whether the museum has the record of a *line* no more."""
        return line["id"] in self.gone


class Gent(Museum):
    """Design Museum Gent in the sandbox."""

    spiders = ("objects", "agents", "exhibitions", "concepts")
    command = ("harvest", "dmg")
    kinds = ("", "", "not found", "database", "empty", "short", "lost", "errors")

    @contextmanager
    def open(self, scrapy: Scrapy) -> Iterator[None]:
        """Serve the museum to *scrapy*."""
        sizes = {"objects": 60, "agents": 30, "exhibitions": 24, "concepts": 24}
        seed = self.dice.randrange(1000)
        with Sandbox(**sizes, seed=seed, invalid=0, limits="off", rights=0.5) as self.sandbox:
            scrapy.at(self.sandbox).policy(limit(1_000_000, 1) + limit(1_000_000, 1, "single"))
            yield

    def next_day(self) -> None:
        """Move the sandbox, and note what has gone."""
        super().next_day()
        self.sandbox.move_to(self.day)
        for spider in self.spiders:
            changes = self.sandbox.truth(day=self.day)[spider]["changes"]
            self.gone |= {*changes["removed"], *changes["missing"], *changes["moved"]}

    def disturb(self) -> None:
        """Disturb each collection in its way."""
        for spider in self.spiders:
            kind = self.dice.choice(self.kinds)
            self.counts[f"fault: {kind or 'none'}"] += 1
            for fault in self._faults(kind, spider, spider.removesuffix("s")):
                self.sandbox.fault(fault)

    def _faults(self, kind: str, many: str, one: str) -> list[str]:
        return {
            "not found": [f"status:code=404,path={one},times=always"],
            "database": [f"database:path={one},times=always"],
            "empty": [
                f"total:path={many},value=0,times=always",
                f"empty_page:path={many},times=always",
            ],
            "short": [f"short:path={many},rows=2,times=always"],
            "lost": [f"status:code=404,path={many},page=2,times=always"],
            "errors": [f"status:code=503,path={many},times=2", f"truncate:path={many},times=1"],
        }.get(kind, [])

    def recover(self) -> None:
        """Clear all faults."""
        self.sandbox.clear()

    def listed(self, spider: str) -> set[str]:
        """Return the ids of the truth."""
        return {*self.sandbox.truth(day=self.day)[spider]["ids"]}

    def says_gone(self, line: dict[str, Any]) -> bool:
        """Whether it is gone; some merged records are listed all the time, and redirect."""
        if super().says_gone(line):
            return True
        self.recover()
        path = line["id"].partition("/v2/")[2]
        return get(self.sandbox, path).status in (301, 410)


class Mplus(Museum):
    """M+'s API in the sandbox."""

    spiders = ("mplus_objects", "mplus_constituents", "mplus_exhibitions")
    command = ("harvest", "mplus")
    faults = (
        "status:code=503,times=2",
        "truncate:times=1",
        "total:root={},times=always",
        "crosstalk:root={},times=2",
        "status:code=504,times=3",
        "html:times=2",
    )

    @contextmanager
    def open(self, scrapy: Scrapy) -> Iterator[None]:
        """Serve the museum to *scrapy*."""
        sizes = dict.fromkeys(("objects", "agents", "exhibitions", "concepts"), 1)
        with Sandbox(**sizes, seed=self.dice.randrange(1000), limits="off") as self.sandbox:
            scrapy.environment |= {"MPLUS_URL": self.sandbox.mplus_url, "MPLUS_API_KEY": "any"}
            scrapy.policy(limit(1_000_000, 1, "calls"), "mplus")
            yield

    def next_day(self) -> None:
        """Move the sandbox, and note what is no longer listed: that is all the API shows."""
        super().next_day()
        self.sandbox.move_to(self.day)
        for root in self.sandbox.truth("mplus", day=self.day).values():
            changes = root["changes"]
            left = (*changes["removed"], *changes["missing"], *changes["unlisted"])
            self.gone |= {str(id_) for id_ in (*left, *changes["moved"])}

    def disturb(self) -> None:
        """Disturb some calls."""
        for fault in self.dice.sample(self.faults, self.dice.choice((0, 1, 2))):
            root = self.dice.choice(("objects", "constituents", "exhibitions"))
            self.sandbox.fault(fault.format(root), "mplus")
            self.counts[f"fault: M+ {fault.partition(':')[0]}"] += 1

    def recover(self) -> None:
        """Clear all faults, and the responses that the museum keeps for ten minutes."""
        self.sandbox.clear()
        self.sandbox.reset()

    def listed(self, spider: str) -> set[str]:
        """Return the ids of the truth."""
        root = self.sandbox.truth("mplus", day=self.day)[spider.removeprefix("mplus_")]
        return {str(id_) for id_ in root["ids"]}


class Releases(Museum):
    """M+'s published data set: a folder of which each day is a release."""

    spiders = ("mplus_open_objects",)

    @contextmanager
    def open(self, scrapy: Scrapy) -> Iterator[None]:
        """Make the first release."""
        self._folder = scrapy.folder / "set"
        shutil.copytree(PUBLISHED, self._folder)
        self._files = {str(int(file.stem)): file for file in self._all()}
        self._list(self._files)
        self.command = ("crawl", *self.spiders, "-a", f"source={self._folder}")
        yield

    def _all(self) -> list[Path]:
        return sorted(self._folder.glob("objects_JSON/*/*.json"))

    def _list(self, ids: Iterable[str]) -> None:
        lines = ["id", *sorted(ids, key=int)]
        (self._folder / "objects.csv").write_text("\n".join(lines) + "\n")

    def next_day(self) -> None:
        """Release the set again: a record may be gone, back or edited."""
        super().next_day()
        id_, file = self.dice.choice([*self._files.items()])
        change = self.dice.choice(("remove", "back", "edit"))
        here = {str(int(each.stem)) for each in self._all()}
        if change == "edit" and file.exists():
            record = json.loads(file.read_text())
            file.write_text(json.dumps(record | {"edition": str(self.day)}))
        elif change == "back" or id_ not in here:
            shutil.copy(PUBLISHED / file.relative_to(self._folder), file)
        elif len(here) > 8:
            file.unlink()
            self.gone.add(id_)
        self._list(self.listed(""))

    def disturb(self) -> None:
        """Leave out a listed record, or the list."""
        kind = self.dice.choice(("", "", "lost", "empty list"))
        self.counts[f"fault: release {kind or 'none'}"] += 1
        if kind == "lost":
            self._list([*self.listed(""), "99999"])
        elif kind == "empty list":
            self._list([])

    def recover(self) -> None:
        """List what is there."""
        self._list(self.listed(""))

    def listed(self, spider: str) -> set[str]:
        """Return the ids of the files."""
        return {str(int(file.stem)) for file in self._all()}


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
