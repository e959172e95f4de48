"""Appending to files: whether it is possible, and exactly once even if a harvest is killed."""

from __future__ import annotations

import codecs
import csv
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import orjson

from mplus_crawler.errors import UsageError
from mplus_crawler.protocols.source import parse
from mplus_crawler.records.reader import JSON_LINES, compression, csv_head, decompressed
from mplus_crawler.storage.staging import StagedFile, write_whole

ONLY_LINES = "only JSON lines and CSV can be appended to"


class Appends:
    """What one harvest has appended to files; kept on disk until its command has ended.

    If the command is killed after a file was published, the next run of the harvest recognises the
    file, and appends to its former content. Methods raise OSError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def former(self, target: Path) -> int:
        """The number of bytes of *target* to which a run of this harvest appends."""
        if not target.exists():
            return 0
        size = target.stat().st_size
        known = self._read().get(str(target.resolve()))
        if known and known["after"] == size and known["sha256"] == _digest(target):
            return int(known["before"])
        return size

    def record(self, file: StagedFile) -> None:
        """Record what is about to be published as *file*."""
        entry = {"before": file.former, "after": file.bytes, "sha256": file.sha256}
        write_whole(self._path, orjson.dumps(self._read() | {str(file.target.resolve()): entry}))

    def forget(self) -> None:
        """Forget the files: the command has ended, and what it appended is final."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> dict[str, dict[str, int | str]]:
        with suppress(FileNotFoundError, ValueError):
            return dict(orjson.loads(self._path.read_bytes()))
        return {}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_append(
    path: Path, options: Mapping[str, Any], file: IO[bytes], columns: list[str]
) -> None:
    """Raise :class:`UsageError` if a feed with *options* cannot be appended to *file* at *path*."""

    def refuse(reason: str) -> UsageError:
        return UsageError(f"cannot append to {path}: {reason}; use -O to replace it")

    format_ = options["format"]
    if format_ not in {*JSON_LINES, "csv"}:
        raise refuse(f"{ONLY_LINES}, not {format_}")
    if bool(options.get("postprocessing")) != bool(compression(file)):
        raise refuse("one of them is compressed, and the other is not")
    content = decompressed(file)
    try:
        fault = _csv_fault(content, columns) if format_ == "csv" else _json_lines_fault(content)
    except (EOFError, ValueError, OSError, csv.Error) as error:
        fault = f"it cannot be read ({error})"
    if fault:
        raise refuse(fault)


def _csv_fault(file: IO[bytes], columns: list[str]) -> str:
    head = csv_head(file)
    if head != columns:
        return f"its columns are not those of the feed ({_difference(head, columns)})"
    file.seek(0)
    quotes, last = 0, b""
    while block := file.read(1 << 20):
        quotes += block.count(b'"')
        last = block[-1:]
    return "its last line has no line break" if quotes % 2 or last != b"\n" else ""


def _difference(head: list[str], columns: list[str]) -> str:
    if missing := [name for name in columns if name not in head]:
        return f"it has no {', '.join(missing[:3])}"
    if more := [name for name in head if name not in columns]:
        return f"it also has {', '.join(more[:3])}"
    return "they are in another order"


def _json_lines_fault(file: IO[bytes]) -> str:
    first = file.readline()
    if first.startswith(codecs.BOM_UTF8):
        return "it begins with a byte order mark"
    last = first
    for line in file:
        last = line
    for name, line in (("first", first), ("last", last)):
        try:
            sound = isinstance(parse(line), dict)
        except ValueError:
            sound = False
        if not sound:
            return f"its {name} line is not a JSON object"
    return "" if last.endswith(b"\n") else "its last line has no line break"
