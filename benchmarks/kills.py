"""Kills, at every step and at random moments: ``python -m benchmarks.kills [--kills 500]``.

Harvests into every kind of feed, kills the harvest (SIGKILL) and resumes it with the same command.
The result must equal that of an uninterrupted run: the same records, each once, and no other
file. After a kill already, each name stands for the former file or for the new one, whole. Each
kill may cost one repeated request of a page.

A step is what changes the disk or reaches the network: a file opened for writing, renamed or
removed, a request to S3. Of three kills, two are before a step, from the last to the first, and
one is at a random moment.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.kinds import Kind, kinds
from benchmarks.places import Place, Records
from benchmarks.steps import run
from mplus_crawler.sandbox.app import Sandbox

OBJECTS = 60


class LostError(Exception):
    """A killed and resumed harvest has another result than an uninterrupted one."""


class Trial:
    """Kills harvests of one kind, and compares what comes with an uninterrupted harvest."""

    def __init__(self, place: Place, kind: Kind, dice: random.Random) -> None:
        self._place = place
        self._dice = dice
        self.kills = 0
        self.reached: set[int] = set()
        self.most_requests = 0
        if kind.head:
            (place.folder / kind.head[0]).write_bytes(kind.head[1])
        if kind.former:
            run(place)
            self._check_end("the harvest before")
        place.save()
        place.restore()
        self._before: Records = place.records()
        began = time.monotonic()
        _, self.steps = run(place)
        self._seconds = time.monotonic() - began
        self._whole: Records = place.records()
        self._names: Counter[str] = place.names()
        self._check_end("an uninterrupted harvest")
        self._check_all("an uninterrupted harvest")

    def moments(self) -> Iterator[tuple[int, float | None]]:
        """Yield when to kill: before a step, or after some seconds."""
        while True:
            # From the last step back, since the publication comes last.
            for step in range(self.steps, 0, -1):
                yield step, None
                if step % 2:
                    yield 0, self._dice.uniform(0.1, 1.1) * self._seconds

    def kill(self, step: int, seconds: float | None) -> None:
        """Kill a harvest once or twice, resume it, and check what it leaves."""
        when = f"killed before step {step}" if step else f"killed after {seconds:.2f} s"
        self._place.restore()
        kills = 0
        for _ in range(self._dice.choice((1, 1, 2))):
            if not run(self._place, step, seconds)[0]:
                break
            kills += 1
            self._check_names(when)
        else:
            run(self._place)
        self.kills += kills
        if step and kills:
            self.reached.add(step)
        self._check_end(when)
        self._check_all(when)
        repeated = self._place.most_requests()
        self.most_requests = max(self.most_requests, repeated)
        # The page at the seam is requested once more, to see whether the museum has changed.
        if repeated > kills + 2:
            raise LostError(f"{when}: a page was requested {repeated} times")

    def _check_end(self, when: str) -> None:
        if self._place.code:
            raise LostError(f"{when}: exit {self._place.code}\n{self._place.log.read_text()}")

    def _check_names(self, when: str) -> None:
        """Raise :class:`LostError` if a name stands for half a file; images come one by one."""
        for name, rows in self._place.records().items():
            if "#" not in name and rows not in (self._before.get(name), self._whole.get(name)):
                raise LostError(f"{when}: {name} is neither the former file nor the new one")

    def _check_all(self, when: str) -> None:
        """Raise :class:`LostError` unless all is there, once, and nothing else is."""
        for problem in self._place.problems():
            raise LostError(f"{when}: {problem}")
        # A kill after the end makes the next command a run with a certificate in runs/, too.
        names = {name for name in self._place.names() if "/runs/" not in name}
        expected = {name for name in self._names if "/runs/" not in name}
        if names != expected:
            extra, lacking = names - expected, expected - names
            raise LostError(f"{when}: files too many {[*extra]}, missing {[*lacking]}")
        records = self._place.records()
        for name, whole in self._whole.items():
            if (found := records.get(name, Counter())) != whole:
                more, less = found - whole, whole - found
                raise LostError(
                    f"{when}: {name} has {more.total()} rows too many, {less.total()} are missing"
                    f"; for example {[*more][:1]}, {[*less][:1]}"
                )


def main() -> None:
    """Run the kills and print the figures; exit 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append", help="this kind only; may be repeated")
    options = parser.parse_args()
    total = lost = 0
    with ExitStack() as stack:
        museum = stack.enter_context(Sandbox(objects=OBJECTS, limits="off"))
        here = Path(stack.enter_context(TemporaryDirectory(prefix="kills")))
        chosen = [k for k in kinds(stack) if not options.kind or k.name in options.kind]
        for kind in chosen:
            place = Place(here / kind.name, kind, museum)
            dice = random.Random(f"{options.seed} {kind.name}")
            try:
                total += attempt(Trial(place, kind, dice), kind.name, options.kills / len(chosen))
            except LostError as error:
                lost += 1
                print(f"{kind.name}: LOST: {error}", flush=True)
    print(f"{total} kills in {len(chosen)} kinds of feed; {lost} kinds lost something")
    sys.exit(lost > 0)


def attempt(trial: Trial, name: str, kills: float) -> int:
    """Kill harvests of *trial* until *kills* are done; return their number."""
    for step, seconds in trial.moments():
        if trial.kills >= kills:
            break
        trial.kill(step, seconds)
    print(
        f"{name:12} {trial.kills:4} kills, {len(trial.reached):3} of {trial.steps} steps; "
        f"a page was requested at most {trial.most_requests} times",
        flush=True,
    )
    return trial.kills


if __name__ == "__main__":
    main()
