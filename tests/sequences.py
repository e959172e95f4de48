"""Random sequences of commands; after each, every published file agrees with its certificate."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired

from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.verification import verify
from tests.conftest import Scrapy, limit

UNLIMITED = limit(1_000_000, 1)
SMALL = {"objects": 120, "agents": 8, "exhibitions": 4, "concepts": 5, "invalid": 0.01}
SPIDERS = ("objects", "agents", "concepts", "mplus_terms")
# Kills the process before it renames a file for the nth time.
KILLED = """
import os, signal
rename, left = os.replace, int(os.environ["RENAMES"])
def replace(source, target, **kwargs):
    global left
    left -= not str(target).endswith(".json.lock")
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target, **kwargs)
os.replace = replace
"""


class UnverifiedError(Exception):
    """A published file does not agree with its certificate."""


class Sequence:
    """Commands in one folder, against one *sandbox*, as the *dice* have it."""

    def __init__(self, scrapy: Scrapy, sandbox: Sandbox, dice: random.Random) -> None:
        self._scrapy = scrapy.at(sandbox).policy(UNLIMITED)
        scrapy.policy(UNLIMITED.replace('"collections"', '"api"'), "mplus")
        scrapy.environment |= {"MPLUS_URL": sandbox.mplus_url, "MPLUS_API_KEY": "key"}
        self._sandbox, self._dice = sandbox, dice
        self._data, self._out = scrapy.folder / "data", scrapy.folder / "out"
        self._killing = scrapy.first(KILLED)
        self._day = 0
        self._last: tuple[str, ...] = ("objects",)
        self.done: Counter[str] = Counter()
        self.log: list[str] = []
        self.verified = 0

    def run(self, commands: int) -> None:
        """Run so many commands; raises :class:`UnverifiedError`."""
        for _ in range(commands):
            step = self._dice.choice(_STEPS)
            code = step(self)
            self.done[step.__name__.strip("_")] += 1
            self.log.append(f"{step.__name__.strip('_')} {' '.join(self._last)}: {code}")
            self._sandbox.clear()
            self.check()

    def check(self) -> None:
        """Verify each published file by its name."""
        for file in self._published():
            findings = [*verify(file, None, self._data)]
            self.verified += 1
            if not findings or not all(finding.agrees for finding in findings):
                raise UnverifiedError("\n".join([*self.log, *map(str, findings), str(file)]))

    def _published(self) -> Iterator[Path]:
        for folder in (self._data, self._out):
            for ending in ("jsonl", "csv", "certificate.json"):
                yield from sorted(folder.glob(f"[!.]*.{ending}"))

    def _crawl(self, *arguments: str, **environment: str) -> int:
        self._last = arguments
        return self._scrapy.crawl(*arguments, **environment).code

    def _spider(self) -> str:
        return self._dice.choice(SPIDERS)

    def _whole(self) -> int:
        return self._crawl(self._spider())

    def _filtered(self) -> int:
        chosen = self._dice.choice(("hasImages=true", "since=2020-01-01"))
        return self._crawl("objects", "-a", chosen)

    def _limited(self) -> int:
        return self._crawl("objects", "-a", f"limit={self._dice.randint(1, 130)}")

    def _elsewhere(self) -> int:
        name = self._dice.choice(("one.csv", "two.jsonl", "objects.jsonl"))
        return self._crawl(self._spider(), "-O", str(self._out / name))

    def _failing_start(self) -> int:
        wrong = (
            ("objects", "-a", "colour=red"),
            ("objects", "-O", str(self._data / "objects.jsonl")),
            ("objects", "-O", str(self._out / "x.certificate.json")),
        )
        code = self._crawl(*self._dice.choice(wrong))
        if code != 2:
            raise UnverifiedError(f"{self._last}: exit {code}")
        return code

    def _away(self) -> int:
        given = ("-a", "fresh=true", "-s", "RETRY_BACKOFF_BASE=0.01")
        return self._crawl("objects", *given, DMG_BASE_URL="http://127.0.0.1:9/v2/")

    def _incomplete(self) -> int:
        self._sandbox.fault("status:code=404,path=objects,page=2,times=always")
        return self._crawl("objects", "-a", "fresh=true", "-s", "RETRY_BACKOFF_BASE=0.01")

    def _another_day(self) -> int:
        self._day += 1
        self._sandbox.move_to(self._day)
        return self._whole()

    def _killed(self) -> int:
        """A harvest that is killed before it renames a file."""
        environment = {"RUN_FIRST": self._killing, "RENAMES": str(self._dice.randint(0, 14))}
        given = self._dice.choice(((), ("-a", "limit=50"), ("-O", str(self._out / "one.csv"))))
        return self._crawl(self._dice.choice(("objects", "agents")), *given, **environment)

    def _killed_at_random(self) -> int:
        """A harvest that is killed at a random moment."""
        self._last = (self._spider(),)
        process = self._scrapy.start("crawl", *self._last)
        with suppress(TimeoutExpired):
            process.wait(self._dice.uniform(0.1, 2.0))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return process.wait()

    def _resumed(self) -> int:
        """The last command once more."""
        return self._crawl(*self._last)


_STEPS: tuple[Callable[[Sequence], int], ...] = (
    Sequence._whole,
    Sequence._filtered,
    Sequence._limited,
    Sequence._elsewhere,
    Sequence._failing_start,
    Sequence._away,
    Sequence._incomplete,
    Sequence._another_day,
    Sequence._killed,
    Sequence._killed,
    Sequence._killed_at_random,
    Sequence._resumed,
    Sequence._resumed,
)
