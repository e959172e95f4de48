"""The register: where content with a term went, kept with the state of harvests.

It is written before a file gets its name, so that a kill leaves nothing behind that it does
not know. It holds places and dates, and nothing of the content.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from mplus_crawler.feeds.retention.contents import moment
from mplus_crawler.storage.folders import in_s3
from mplus_crawler.storage.locks import try_lock
from mplus_crawler.storage.staging import write_whole

# Begins the URI of what went to standard output, where it cannot be found again.
STREAM = "stdout:"


@dataclass(frozen=True, slots=True)
class Entry:
    """A place with content of *spider*, the oldest of it retrieved at *retrieved_at* (ISO 8601).

    *bytes* and *sha256* are those of the file as it was written; 0 and empty if unknown.
    """

    uri: str
    spider: str
    retrieved_at: str
    bytes: int = 0
    sha256: str = ""

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
            try_lock(lock, wait=True)
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
            found = [_entry(members) for members in json.loads(self.path.read_bytes())]
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError, RecursionError):
            self.damaged = self.path.with_name(f"{self.path.name}.damaged-{int(time.time())}")
            self.path.rename(self.damaged)
            return {}
        return {entry.uri: entry for entry in found}


def absolute(uri: str) -> str:
    """*uri* with its real path, links followed; a URI in S3 or of a stream as it is."""
    return uri if in_s3(uri) or uri.startswith(STREAM) else str(Path(uri).resolve())


def _entry(members: Any) -> Entry:
    known = {field.name for field in fields(Entry)}
    entry = Entry(**{name: value for name, value in members.items() if name in known})
    texts = (entry.uri, entry.spider, entry.sha256)
    if not all(isinstance(text, str) and "\0" not in text for text in texts):
        raise TypeError("not an entry")
    if moment(entry.retrieved_at) is None or not isinstance(entry.bytes, int):
        raise TypeError("not an entry")
    return entry
