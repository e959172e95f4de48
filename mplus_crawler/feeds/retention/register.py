"""The register of content with a term, in the state folder.

A file is registered before it gets its name, so that a killed harvest leaves no unknown file.
The register contains places and dates, but no content.
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

# Begins the URI of content written to standard output.
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
        """When its oldest content was retrieved."""
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
        """Read the register, and save changes made in the block. Raises OSError."""
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
        """Add *entry*, or replace the one of its URI."""
        self.entries[entry.uri] = entry

    def strike(self, uri: str) -> None:
        """Remove the entry of *uri*."""
        self.entries.pop(uri, None)

    def save(self) -> None:
        """Write the entries to disk."""
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
