"""How a harvest grows with the collection: ``python -m benchmarks.scaling 20000 200000 1000000``.

For each size it prints a row of the table in docs/scaling.md: time, memory, and disk space: the
state folder and all files while the harvest ran, at most, and the snapshot. The last row is the
straight line through the last two sizes, at ten million records.
"""

from __future__ import annotations

import shutil
import signal
import sys
import threading
from argparse import ArgumentParser
from dataclasses import astuple, dataclass
from pathlib import Path
from tempfile import gettempdir
from types import TracebackType
from typing import Self

from benchmarks.measure import ROOT, SCRAPY, museum, run_command, workplace

_MANY = 10_000_000
# Bytes of all files for each record, at most.
_NEEDED = 23_000


@dataclass(frozen=True, slots=True)
class Size:
    """Cost of a harvest: seconds, and megabytes of memory, state, all files and snapshot."""

    wall: float
    cpu: float
    memory: float
    state: float
    disk: float
    snapshot: float

    def row(self, name: str) -> str:
        """Return the row of the table."""
        return f"| {name} | {' | '.join(f'{value:,.0f}' for value in astuple(self))} |"


def main() -> None:
    """Harvest museums of the given sizes and print a row for each."""
    parser = ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("records", type=int, nargs="+")
    sizes = parser.parse_args().records
    needed, free = max(sizes) * _NEEDED, shutil.disk_usage(gettempdir()).free
    print(
        f"{gettempdir()}: {needed / 1e9:.1f} GB needed, {free / 1e9:.1f} GB free", file=sys.stderr
    )
    if needed > free:
        raise SystemExit(f"at most {free // _NEEDED:,} records fit; or set TMPDIR to another disk")
    for stop in (signal.SIGINT, signal.SIGTERM):  # the files are deleted
        signal.signal(stop, lambda *_: sys.exit("stopped"))
    print("| records | wall s | CPU s | memory MB | state MB | all files MB | snapshot MB |")
    print("|---|---|---|---|---|---|---|", flush=True)
    found = {}
    for records in sizes:
        found[records] = measure(records)
        print(found[records].row(f"{records:,}"), flush=True)
    if len(found) > 1:
        print(line(*list(found.items())[-2:]).row(f"{_MANY:,}, extrapolated"))


def line(small: tuple[int, Size], large: tuple[int, Size]) -> Size:
    """Return the straight line through two sizes, at ten million records."""
    part = (_MANY - small[0]) / (large[0] - small[0])
    pairs = zip(astuple(small[1]), astuple(large[1]), strict=True)
    return Size(*(one + part * (other - one) for one, other in pairs))


def measure(records: int) -> Size:
    """Harvest a museum of so many *records*."""
    with museum(records) as base_url, workplace(base_url) as (folder, settings):
        with Watch(folder) as all_files, Watch(folder / ".state") as state:
            cost = run_command([*SCRAPY, "crawl", "objects"], ROOT, settings, folder / "log")
        snapshot = (folder / "objects.jsonl").stat().st_size
    sizes = (cost.memory, state.most, all_files.most, snapshot)
    return Size(cost.wall, cost.cpu, *(size / 1e6 for size in sizes))


class Watch:
    """Looks at the size of *folder* twice a second; *most* is the largest, in bytes."""

    def __init__(self, folder: Path) -> None:
        self.most = 0
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.5):
            size = 0
            for file in self._folder.rglob("*"):
                try:
                    size += file.stat().st_size
                except FileNotFoundError:
                    continue
            self.most = max(self.most, size)


if __name__ == "__main__":
    main()
