"""Time, memory and size of each format: ``python -m benchmarks.formats [--records 13412]``.

Writes a feed's records as Parquet, spreadsheet, SQLite and N-Quads, each in a process of its
own, as often as there are records wanted, each time under other ids. Without ``--feed`` the
records are 500 objects of Gent's sandbox; with one, its kind is ``--kind``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import ROOT, SCRAPY, environment, museum, run_command, workplace

_SIZES = (13_412, 200_000)
_FORMATS = ("parquet", "xlsx", "sqlite", "nq")
_MOST = {"parquet": 300}  # megabytes; others 250


def main() -> None:
    """Print a table; exit 1 if a format takes too much memory, or more for more records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--feed", type=Path)
    parser.add_argument("--kind", default="object")
    parser.add_argument("--records", type=int, action="append")
    parser.add_argument("--format", choices=_FORMATS, action="append")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes, formats = options.records or _SIZES, options.format or _FORMATS
    if options.one:
        _measure(options.feed, options.kind, sizes[0], formats[0])
        return
    with _feed(options.feed) as feed:
        print("| format | records | CPU s | peak MB | size MB |\n|---|---|---|---|---|")
        peaks: dict[str, list[float]] = {}
        for format_ in formats:
            for records in sizes:
                if format_ == "nq" and options.kind.startswith("mplus"):
                    continue
                peaks.setdefault(format_, []).append(_run(feed, options.kind, records, format_))
    wrong = [
        format_
        for format_, found in peaks.items()
        if max(found) > _MOST.get(format_, 250) or max(found) > 1.25 * min(found)
    ]
    raise SystemExit(f"too much memory: {', '.join(wrong)}" if wrong else 0)


def _run(feed: Path, kind: str, records: int, format_: str) -> float:
    """Measure one format in a separate process; return its peak memory in MB."""
    command = [sys.executable, "-m", "benchmarks.formats", "--one", "--feed", str(feed)]
    command += ["--kind", kind, "--records", str(records), "--format", format_]
    with TemporaryDirectory(prefix="formats") as folder:
        log = Path(folder, "log")
        cost = run_command(command, ROOT, environment(TMPDIR=folder), log)
        size = int(log.read_text().split()[-1])
    peak = cost.memory / 1e6
    print(
        f"| {format_} | {records:,} | {cost.cpu:.1f} | {peak:.0f} | {size / 1e6:.1f} |", flush=True
    )
    return peak


def _measure(feed: Path, kind: str, records: int, format_: str) -> None:
    """Write *records* records, and print the number of bytes."""
    with TemporaryDirectory() as scratch:
        lines = _lines(feed, records)
        pieces = (
            _quads(feed, records)
            if format_ == "nq"
            else _table(lines, kind, format_, Path(scratch))
        )
        print(sum(map(len, pieces)))


def _table(lines: Iterator[bytes], kind: str, format_: str, scratch: Path) -> Iterator[bytes]:
    from mplus_crawler.records.items import ITEM_CLASSES
    from mplus_crawler.records.tables.columns import columns_of
    from mplus_crawler.records.tables.table import Table

    schema = ITEM_CLASSES[kind].jsonschema
    names = [name for name in schema["properties"] if format_ != "xlsx" or name != "record"]
    return Table(format_, columns_of(schema, names)).pieces(lines, scratch)


def _quads(feed: Path, records: int) -> Iterator[bytes]:
    from mplus_crawler.datasets.quads import Quads

    spelling = lru_cache(maxsize=4096)(str)
    return Quads([_Snapshot(feed, records)], spelling).lines()  # type: ignore[list-item]  # quads need no more


class _Snapshot:
    """As much of a snapshot as its quads need."""

    api = "https://example.org/"
    certificate = dict.fromkeys(("run", "started_at", "finished_at"), "2026-01-01T00:00:00Z")

    def __init__(self, feed: Path, records: int) -> None:
        self._feed, self._records = feed, records

    @contextmanager
    def lines(self) -> Iterator[Iterator[bytes]]:
        yield _lines(self._feed, self._records)


def _lines(feed: Path, records: int) -> Iterator[bytes]:
    """Yield lines of *feed*, again and again, each time with other ids."""
    return islice(_again(feed), records)


def _again(feed: Path) -> Iterator[bytes]:
    for turn in count():
        with feed.open("rb") as lines:
            for line in lines:
                before, _, after = line.partition(b'"id":"')
                end = after.index(b'"')
                yield b'%s"id":"%s-%d%s' % (before, after[:end], turn, after[end:])


@contextmanager
def _feed(given: Path | None) -> Iterator[Path]:
    """Yield the feed *given*, or one of the sandbox."""
    if given:
        yield given
        return
    with museum(500) as base_url, workplace(base_url) as (folder, settings):
        run_command([*SCRAPY, "crawl", "objects"], ROOT, settings, folder / "log")
        yield folder / "objects.jsonl"


if __name__ == "__main__":
    main()
