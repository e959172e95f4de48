"""Taking records out of a feed that is written but not published: they vanished meanwhile."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterator

import orjson

Filter = Callable[[Collection[str], bytes], Iterator[bytes]]


def _json_lines(gone: Collection[str], content: bytes) -> Iterator[bytes]:
    lines = content.splitlines(keepends=True)
    return (line for line in lines if orjson.loads(line)["id"] not in gone)


def _csv(gone: Collection[str], content: bytes) -> Iterator[bytes]:
    encoding = "utf-8-sig" if content.startswith(b"\xef\xbb\xbf") else "utf-8"
    rows = csv.reader(io.StringIO(content.decode(encoding), newline=""))
    kept = io.StringIO(newline="")
    header = next(rows, [])
    column = header.index("id")
    writer = csv.writer(kept)
    writer.writerow(header)
    writer.writerows(row for row in rows if row[column] not in gone)
    yield kept.getvalue().encode(encoding)


def _json(gone: Collection[str], content: bytes) -> Iterator[bytes]:
    yield orjson.dumps([row for row in orjson.loads(content) if row["id"] not in gone])


# By feed format; Scrapy has three names for JSON lines. Each raises ValueError or KeyError for
# a feed that does not tell its records' ids.
WITHOUT: dict[str, Filter] = {
    **dict.fromkeys(("jsonlines", "jsonl", "jl"), _json_lines),
    "csv": _csv,
    "json": _json,
}
