"""The register: where content with a term went, kept with the state of harvests.

It is written before a file gets its name, so that a kill leaves nothing behind that it does
not know. It holds places and dates, and nothing of the content.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mplus_crawler.feeds.retention.contents import moment
from mplus_crawler.storage.folders import in_s3
from mplus_crawler.storage.staging import write_whole

# Begins the URI of what went to standard output: nobody can look there again.
STREAM = "stdout:"


@dataclass(frozen=True, slots=True)
class Entry:
    """A place: the spider whose content it holds, retrieved when at the earliest (ISO 8601).

    *bytes* and *sha256* are of the file as it was written, *modified* (ns) and *mount* are its
    time and its disk; they are 0 and empty where there is no telling.
    """

    uri: str
    spider: str
    retrieved_at: str
    bytes: int = 0
    sha256: str = ""
    modified: int = 0
    mount: str = ""

    @property
    def since(self) -> datetime:
        """When the oldest of its content was retrieved."""
        since = moment(self.retrieved_at)
        assert since is not None, "an entry has a moment"
        return since


class Register:
    """The entries by URI, under *folder*; for one process at a time, within :meth:`opened`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "retention.json"
        self.entries: dict[str, Entry] = {}
        self.damaged: Path | None = None

    @contextmanager
    def opened(self) -> Iterator[Register]:
        """The register, read; what is changed within is saved. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.entries = self._read()
            before = dict(self.entries)
            try:
                yield self
            finally:
                if self.entries != before:
                    self.save()

    def add(self, entry: Entry) -> None:
        """Put *entry* in the place of a former one."""
        self.entries[entry.uri] = entry

    def strike(self, uri: str) -> None:
        """Forget *uri*."""
        self.entries.pop(uri, None)

    def save(self) -> None:
        """Put the entries on the disk."""
        entries = [asdict(entry) for entry in self.entries.values()]
        write_whole(self.path, json.dumps(entries, indent=1).encode())

    def _read(self) -> dict[str, Entry]:
        try:
            found = [_entry(fields) for fields in json.loads(self.path.read_bytes())]
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, RecursionError):
            self.damaged = self.path.with_name(f"{self.path.name}.damaged-{int(time.time())}")
            self.path.rename(self.damaged)
            return {}
        return {entry.uri: entry for entry in found}


def is_local(uri: str) -> bool:
    """Whether *uri* is a path on this machine."""
    return not in_s3(uri) and not uri.startswith(STREAM)


def absolute(uri: str) -> str:
    """*uri*, its folder the real one; the file may be a link, which publishing replaces."""
    path = Path(uri)
    return str(path.parent.resolve() / path.name) if is_local(uri) else uri


def mount_of(uri: str) -> str:
    """The folder at which the disk that holds *uri* is mounted; empty where it is on none."""
    path = os.path.dirname(uri) if is_local(uri) else ""  # noqa: PTH120
    while not os.path.ismount(path) and path != os.path.dirname(path):  # noqa: PTH120
        path = os.path.dirname(path)  # noqa: PTH120
    return path


def _entry(fields: Any) -> Entry:
    entry = Entry(**fields)
    texts = (entry.uri, entry.spider, entry.sha256, entry.mount)
    numbers = (entry.bytes, entry.modified)
    sound = all(isinstance(text, str) and "\0" not in text for text in texts)
    if not sound or moment(entry.retrieved_at) is None:
        raise TypeError("not an entry")
    if not all(isinstance(number, int) for number in numbers):
        raise TypeError("not an entry")
    return entry
