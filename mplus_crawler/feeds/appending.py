"""Appending exactly once, wherever a harvest is killed."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import orjson

from mplus_crawler.storage.staging import StagedFile, write_whole


class Appends:
    """What one harvest has appended to files, on disk until its command has ended.

    If the command is killed after a file got its name, the next run of the harvest finds the
    file as it was left, and starts from what was there before. Methods raise OSError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def former(self, target: Path) -> int:
        """The bytes of *target* that a run of this harvest appends to."""
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
        """The command has ended: what it appended stays."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> dict[str, dict[str, int | str]]:
        with suppress(FileNotFoundError, ValueError):
            return dict(orjson.loads(self._path.read_bytes()))
        return {}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
