"""How a harvest grows with the collection: ``python -m benchmarks.scaling 20000 200000 1000000``.

For each size it prints time, memory, and disk: the largest state while the harvest ran, and its
snapshot. The last line is the straight line through the last two sizes, at ten million records.
"""

from __future__ import annotations

import threading
from argparse import ArgumentParser
from dataclasses import astuple, dataclass
from pathlib import Path

from benchmarks.measure import ROOT, SCRAPY, museum, run_command, workplace

_MANY = 10_000_000


@dataclass(frozen=True, slots=True)
class Size:
    """Cost of a harvest: seconds, and megabytes of memory, state and snapshot."""

    wall: float
    cpu: float
    memory: float
    state: float
    snapshot: float

    def __str__(self) -> str:
        return "".join(f"{value:12,.0f}" for value in astuple(self))


def main() -> None:
    """Harvest museums of the given sizes and print a row for each."""
    parser = ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("records", type=int, nargs="+")
    sizes = parser.parse_args().records
    heads = ("wall s", "CPU s", "memory MB", "state MB", "snapshot MB")
    print(f"{'records':>12}{''.join(f'{head:>12}' for head in heads)}")
    found = {}
    for records in sizes:
        found[records] = measure(records)
        print(f"{records:12,}{found[records]}", flush=True)
    if len(found) > 1:
        print(f"{_MANY:12,}{line(*list(found.items())[-2:])}  by the straight line")


def line(small: tuple[int, Size], large: tuple[int, Size]) -> Size:
    """Return the straight line through two sizes, at ten million records."""
    part = (_MANY - small[0]) / (large[0] - small[0])
    pairs = zip(astuple(small[1]), astuple(large[1]), strict=True)
    return Size(*(one + part * (other - one) for one, other in pairs))


def measure(records: int) -> Size:
    """Harvest a museum of so many *records*."""
    with museum(records) as base_url, workplace(base_url) as (folder, settings):
        watch = Watch(folder / ".state")
        cost = run_command([*SCRAPY, "crawl", "objects"], ROOT, settings, folder / "log")
        state = watch.stop()
        snapshot = (folder / "objects.jsonl").stat().st_size
    return Size(cost.wall, cost.cpu, cost.memory / 1e6, state / 1e6, snapshot / 1e6)


class Watch:
    """Looks at the size of *folder* twice a second until it is stopped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> int:
        """Return the largest size in bytes."""
        self._over.set()
        self._thread.join()
        return self._most

    def _look(self) -> None:
        while not self._over.wait(0.5):
            size = 0
            for file in self._folder.rglob("*"):
                try:
                    size += file.stat().st_size
                except FileNotFoundError:
                    continue
            self._most = max(self._most, size)


if __name__ == "__main__":
    main()
