"""The register of expiring content, in the state folder.

A file is registered before it gets its name, so that a killed harvest leaves no unknown file.
The register contains places and dates, but no content.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any

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
    """The entries by URI, under *folder*; for one process at a time, within :meth:`opened`.

    Its lock file contains the path of *folder*, which shows that a register was copied or moved.
    :attr:`is_lost` says that a former register was lost, so that feeds elsewhere may be missing
    from this one until :meth:`complete`.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "retention.json"
        self.entries: dict[str, Entry] = {}
        self.damaged: Path | None = None
        self.is_lost = False
        self._was_read = False

    @contextmanager
    def opened(self) -> Iterator[Register]:
        """Read the register, and save changes made in the block. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock_file = self.path.with_suffix(".lock")
        is_new = not lock_file.exists()
        with lock_file.open("ab+") as lock:
            try_lock(lock, wait=True)
            before = self._read()
            self._settle(before, lock, is_new=is_new)
            try:
                yield self
            finally:
                if self.entries != before or not self.path.exists():
                    self.save()
                self._write_home(lock)

    def complete(self) -> None:
        """Declare that all feeds elsewhere have been entered."""
        self.is_lost = False

    @property
    def _home(self) -> Path:
        return self.path.parent.resolve()

    def _settle(self, entries: dict[str, Entry], lock: IO[bytes], *, is_new: bool) -> None:
        """Set the entries; a copied folder keeps only those of its files.

        The paths of files in a folder that was moved or copied are corrected.
        """
        lock.seek(0)
        home = Path(os.fsdecode(written)) if (written := lock.read()) else None
        if home == self._home or not (home or is_new):
            self.is_lost = not (home and self._was_read)
            self.entries = dict(entries)
            return
        is_copy = home is None or home.exists()
        self.is_lost = not (is_copy or self._was_read)
        former, here = (home or self._home).parent, self._home.parent
        for entry in entries.values():
            if Path(entry.uri).is_relative_to(former):
                self.add(replace(entry, uri=str(here / Path(entry.uri).relative_to(former))))
            elif not is_copy:
                self.add(entry)

    def _write_home(self, lock: IO[bytes]) -> None:
        home = b"" if self.is_lost else os.fsencode(self._home)
        lock.seek(0)
        if lock.read() != home:
            lock.truncate(0)
            lock.write(home)

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
        self._was_read = False
        try:
            found = [_entry(members) for members in json.loads(self.path.read_bytes())]
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError, RecursionError):
            self.damaged = self.path.with_name(f"{self.path.name}.damaged-{int(time.time())}")
            self.path.rename(self.damaged)
            return {}
        self._was_read = True
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
