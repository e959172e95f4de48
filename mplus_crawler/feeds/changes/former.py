"""The snapshot that a harvest may replace, as the comparison reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Self
from urllib.parse import urlsplit

from mplus_crawler.feeds.changes.snapshot import Reader, Row, reader
from mplus_crawler.feeds.former import Certificate
from mplus_crawler.feeds.names import RunFiles
from mplus_crawler.wire.addresses import is_loopback


@dataclass(frozen=True, slots=True)
class FormerSnapshot:
    """A snapshot that agrees with its certificate."""

    certificate: Certificate
    _file: IO[bytes]
    _read: Reader

    @classmethod
    def find(cls, certificate: Certificate | None, files: RunFiles, api: str) -> Self | None:
        """Return the snapshot of *certificate*; ``None`` if there is neither.

        Raises OSError if it does not agree with *certificate*, is not from *api*, or is from a
        version that wrote no digests.
        """
        there = f"{files.stem}.jsonl" in files.folder.names()
        if not certificate and not there:
            return None
        if not certificate or "content_digest" not in certificate:
            raise OSError("the former snapshot has no valid certificate")
        if not is_same(certificate["api"], api):
            raise OSError(f"the former snapshot is from {certificate['api']}")
        if not there:
            raise OSError("the former snapshot is missing")
        file = files.folder.open(f"{files.stem}.jsonl")
        read = reader(file, certificate["content_digest"])
        if read is None:
            raise OSError("the former snapshot is not the one in its certificate")
        return cls(certificate, file, read)

    def rows(self) -> Iterator[Row]:
        """Return its rows, sorted by id."""
        self._file.seek(0)
        return self._read(self._file)

    def close(self) -> None:
        """Close its file."""
        self._file.close()

    @property
    def run(self) -> str:
        """The run that wrote it."""
        return str(self.certificate["run"])

    @property
    def content_digest(self) -> str:
        """The digest of its ids and digests."""
        return str(self.certificate["content_digest"])

    @property
    def started_at(self) -> str:
        """When its first record may have been read."""
        return str(self.certificate["started_at"])

    @property
    def records(self) -> int:
        """How many records it has."""
        return int(self.certificate["unique"])


def is_same(one: str, other: str) -> bool:
    """Whether two addresses are of the same API; a sandbox may have another port each time."""
    return one == other or all(is_loopback(urlsplit(url).hostname or "") for url in (one, other))
