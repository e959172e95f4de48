"""Random sequences of commands; after each, every published file agrees with its certificate."""

from __future__ import annotations

import json
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
from tests.fixtures.mplus import PUBLISHED

UNLIMITED = limit(1_000_000, 1) + limit(1_000_000, 1, "single")
SMALL = {"objects": 120, "agents": 8, "exhibitions": 4, "concepts": 5, "invalid": 0.01}
SPIDERS = (
    *("objects", "objects", "agents", "exhibitions", "concepts"),
    *("mplus_objects", "mplus_constituents", "mplus_exhibitions", "mplus_terms"),
    "mplus_open_constituents",
)
_IMPATIENT = ("-s", "RETRY_BACKOFF_BASE=0.01")
# Kills the process before it changes the disk for the nth time: a rename, a removal, a file opened
# for writing. Databases write without being seen.
KILLED = """
import os, signal, sys
left = int(os.environ["STEPS"])
def before(event, given):
    global left
    if event not in ("open", "os.rename", "os.remove"):
        return
    path, reads = str(given[0]), event == "open" and not given[2] & (os.O_WRONLY | os.O_RDWR)
    if reads or "/.state/" in path or not ("/data/" in path or "/out/" in path):
        return
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(before)
"""


class UnverifiedError(Exception):
    """A published file does not agree with its certificate, or a command ended otherwise."""


class Sequence:
    """Commands in one folder, against one *sandbox*, as the *dice* have it."""

    def __init__(self, scrapy: Scrapy, sandbox: Sandbox, dice: random.Random) -> None:
        self._scrapy = scrapy.at(sandbox).policy(UNLIMITED)
        scrapy.policy(limit(1_000_000, 1, "calls"), "mplus")
        scrapy.environment |= {
            "MPLUS_URL": sandbox.mplus_url,
            "MPLUS_API_KEY": "key",
            "MAX_REJECT_SHARE": "0.5",  # one of eight agents is not valid
        }
        self._sandbox, self._dice = sandbox, dice
        self._data, self._out = scrapy.folder / "data", scrapy.folder / "out"
        self._killing = scrapy.first(KILLED)
        self._day = 0
        self._last: tuple[str, ...] = ("objects",)
        self.done: Counter[str] = Counter()
        self.codes: Counter[int] = Counter()
        self.log: list[str] = []
        self.verified = 0

    def run(self, commands: int) -> None:
        """Run so many commands; raises :class:`UnverifiedError`."""
        for _ in range(commands):
            step = self._dice.choice(_STEPS)
            code = step(self)
            name = step.__name__.strip("_")
            self.done[name] += 1
            self.codes[code] += 1
            self.log.append(f"{name} {' '.join(self._last)}: {code}")
            self._sandbox.clear()
            self.check()
            if code == 2 and name not in ("failing_start", "elsewhere", "resumed"):
                self._fail(f"{name} was refused")

    def check(self) -> None:
        """Verify each published file by its name, and the folder with its change feeds."""
        for file in self._published():
            findings = [*verify(file, None, self._data)]
            self.verified += 1
            if not findings or not all(finding.agrees for finding in findings):
                self._fail(*findings, file)
        for snapshot in self._data.glob("[!.]*.jsonl"):
            # After a kill, the certificate may be in runs/ only.
            if snapshot.with_suffix(".certificate.json").exists() and "." not in snapshot.stem:
                self._check_snapshot(snapshot.stem)

    def _check_snapshot(self, spider: str) -> None:
        """Fail unless the snapshot's certificate is that of a whole, complete harvest."""
        kept = json.loads((self._data / f"{spider}.certificate.json").read_bytes())
        selected = {*kept["arguments"]} - {"source", "fresh", "accept"}
        if not kept["verdict"].startswith("complete") or selected:
            self._fail(f"{spider}: a snapshot that is {kept['verdict']}, {kept['arguments']}")
        if not [*(self._data / "runs").glob(f"*-{spider}-{kept['run']}.certificate.json")]:
            self._fail(f"{spider}: run {kept['run']} is not in runs/")
        if not (self._data / f"{spider}.rejected.jsonl").exists():
            self._fail(f"{spider}: no rejected file")

    def _fail(self, *what: object) -> None:
        raise UnverifiedError("\n".join(map(str, [*self.log, *what])))

    def _published(self) -> Iterator[Path]:
        for folder in (self._data, self._out):
            for ending in ("jsonl", "csv", "certificate.json"):
                yield from sorted(folder.glob(f"[!.]*.{ending}"))
        if any((self._data / "changes").glob("*/[!.]*.jsonl")):
            yield self._data

    def _contents(self) -> dict[Path, bytes]:
        files = (file for folder in (self._data, self._out) for file in folder.rglob("*"))
        return {file: file.read_bytes() for file in files if _is_output(file)}

    def _crawl(self, *arguments: str, **environment: str) -> int:
        self._last = arguments
        return self._scrapy.crawl(*arguments, **environment).code

    def _spider(self, *given: str) -> tuple[str, ...]:
        spider = self._dice.choice(SPIDERS)
        source = ("-a", f"source={PUBLISHED}") if "open" in spider else ()
        return (spider, *source, *given)

    def _whole(self) -> int:
        return self._crawl(*self._spider())

    def _filtered(self) -> int:
        chosen = self._dice.choice(("hasImages=true", "since=2020-01-01"))
        return self._crawl("objects", "-a", chosen)

    def _limited(self) -> int:
        spider = self._dice.choice(("objects", "agents", "mplus_objects", "mplus_exhibitions"))
        return self._crawl(spider, "-a", f"limit={self._dice.randint(1, 130)}")

    def _elsewhere(self) -> int:
        name = self._dice.choice(("one.csv", "two.jsonl", "objects.jsonl"))
        option = self._dice.choice(("-O", "-O", "-o"))
        return self._crawl(*self._spider(option, str(self._out / name)))

    def _failing_start(self) -> int:
        wrong = (
            ("objects", "-a", "colour=red"),
            ("mplus_objects", "-a", "since=yesterday"),
            ("objects", "-O", str(self._data / "objects.jsonl")),
            ("objects", "-O", str(self._out / "x.certificate.json")),
        )
        before = self._contents()
        code = self._crawl(*self._dice.choice(wrong))
        if code != 2 or self._contents() != before:
            self._fail(f"{self._last}: exit {code}, or a file was changed")
        return code

    def _away(self) -> int:
        away = {"DMG_BASE_URL": "http://127.0.0.1:9/v2/", "MPLUS_URL": "http://127.0.0.1:9/graphql"}
        spider = self._dice.choice(("objects", "mplus_terms"))
        return self._crawl(spider, *_IMPATIENT, **away)

    def _incomplete(self) -> int:
        self._sandbox.fault("status:code=404,path=objects,page=2,times=always")
        return self._crawl("objects", "-a", "fresh=true", *_IMPATIENT)

    def _another_day(self) -> int:
        """A museum that has changed; so small a one may be held back."""
        self._day += 1
        self._sandbox.move_to(self._day)
        return self._whole()

    def _accepted(self) -> int:
        """Publish the last run that was held back, if there is one."""
        held = sorted(self._data.glob("*.held.certificate.json"))
        if not held:
            return self._another_day()
        certificate = json.loads(self._dice.choice(held).read_bytes())
        source = [f"source={PUBLISHED}"] if "open" in certificate["spider"] else []
        given = [f"accept={certificate['run']}", *source]
        arguments = [part for each in given for part in ("-a", each)]
        return self._crawl(certificate["spider"], *arguments)

    def _killed(self) -> int:
        """A harvest that is killed before a step that changes the disk."""
        environment = {"RUN_FIRST": self._killing, "STEPS": str(self._dice.randint(0, 40))}
        selected = ("-a", "limit=50"), ("-O", str(self._out / "one.csv"))
        spider = self._dice.choice(("objects", "objects", "agents", "mplus_objects"))
        return self._crawl(spider, *self._dice.choice(((), (), *selected)), **environment)

    def _killed_at_random(self) -> int:
        """A harvest that is killed at a random moment."""
        self._last = self._spider()
        process = self._scrapy.start("crawl", *self._last)
        with suppress(TimeoutExpired):
            process.wait(self._dice.uniform(0.1, 2.0))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return process.wait()

    def _resumed(self) -> int:
        """The last command once more."""
        return self._crawl(*self._last)


def _is_output(file: Path) -> bool:
    """Whether a harvest publishes *file*: not state, not a lock, not a log of refused starts."""
    return file.is_file() and not any(part.startswith(".") for part in file.parts)


_STEPS: tuple[Callable[[Sequence], int], ...] = (
    Sequence._whole,
    Sequence._filtered,
    Sequence._limited,
    Sequence._elsewhere,
    Sequence._failing_start,
    Sequence._away,
    Sequence._incomplete,
    Sequence._another_day,
    Sequence._accepted,
    Sequence._killed,
    Sequence._killed,
    Sequence._killed_at_random,
    Sequence._resumed,
    Sequence._resumed,
)
