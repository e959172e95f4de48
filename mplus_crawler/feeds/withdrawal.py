"""Taking records out of a feed that is written but not published: they vanished meanwhile."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import orjson

Filter = Callable[[Path, Collection[str]], Iterator[bytes]]


def _json_lines(path: Path, gone: Collection[str]) -> Iterator[bytes]:
    with path.open("rb") as feed:
        yield from (line for line in feed if orjson.loads(line).get("id") not in gone)


def _csv(path: Path, gone: Collection[str]) -> Iterator[bytes]:
    with path.open(newline="", encoding="utf-8") as feed:
        column = None
        for row in csv.reader(feed):
            column = row.index("id") if column is None else column
            if row[column] not in gone:
                line = io.StringIO()
                csv.writer(line).writerow(row)
                yield line.getvalue().encode()


def _json(path: Path, gone: Collection[str]) -> Iterator[bytes]:
    records = [record for record in orjson.loads(path.read_bytes()) if record["id"] not in gone]
    yield orjson.dumps(records)


# By feed format; Scrapy has three names for JSON lines.
WITHOUT: dict[str, Filter] = {
    **dict.fromkeys(("jsonlines", "jsonl", "jl"), _json_lines),
    "csv": _csv,
    "json": _json,
}
