"""Where content can be: a file on this machine, an object in S3."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from mplus_crawler.storage.staging import write_whole

if TYPE_CHECKING:
    from mplus_crawler.storage.s3 import Bucket


@dataclass(frozen=True, slots=True)
class Seen:
    """What is there: its bytes, and when it was last written (ns; 0 where nobody can say)."""

    bytes: int
    modified: int = 0


class Place(Protocol):
    """A place by its *uri*. Every method raises OSError where it cannot be reached."""

    uri: str

    def look(self) -> Seen | None:
        """What is there; ``None`` for nothing."""

    def open(self) -> IO[bytes]:
        """Its content, to be read and sought in."""

    def write(self, content: bytes) -> None:
        """Put *content* in its place, wholly or not at all."""

    def remove(self) -> str:
        """Take it away; what is to be said of that, if anything."""


class File:
    """A file on this machine, on the disk mounted at *mount*."""

    def __init__(self, uri: str, mount: str = "") -> None:
        self.uri = uri
        self._path = Path(uri)
        self._mount = mount

    def look(self) -> Seen | None:
        """Its size and time; no link leads elsewhere."""
        folder = self._path.parent
        if self._mount and not os.path.ismount(self._mount):
            raise OSError(f"nothing is mounted at {self._mount}")
        if not folder.is_dir():
            raise OSError("its folder is not there; is its disk mounted?")
        if os.path.realpath(folder) != str(folder):
            raise OSError("a link leads to another folder now")
        try:
            found = self._path.lstat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            raise OSError("it is no file any more, but a link, a folder or a pipe")
        return Seen(found.st_size, found.st_mtime_ns)

    def open(self) -> IO[bytes]:
        """The file."""
        return self._path.open("rb")

    def write(self, content: bytes) -> None:
        """As staged files are."""
        write_whole(self._path, content)

    def remove(self) -> str:
        """Unlink it."""
        self._path.unlink()
        return ""


class S3Object:
    """An object in S3."""

    def __init__(self, uri: str, bucket: Callable[[str], Bucket]) -> None:
        self.uri = uri
        self._prefix, _, self._name = uri.rpartition("/")
        self._bucket_of = bucket

    @property
    def _bucket(self) -> Bucket:
        return self._bucket_of(self._prefix)

    def look(self) -> Seen | None:
        """Its size and time, by S3's clock."""
        found = self._bucket.look(self._name)
        return Seen(found[0], int(found[1].timestamp() * 1e9)) if found else None

    def open(self) -> IO[bytes]:
        """Its content, in memory."""
        return io.BytesIO(self._bucket.read(self._name) or b"")

    def write(self, content: bytes) -> None:
        """Put the object."""
        self._bucket.write(self._name, content)

    def remove(self) -> str:
        """Delete it; old versions are for whoever keeps them to delete."""
        bucket = self._bucket
        bucket.remove(self._name)
        kept = "its bucket keeps old versions: delete those there, or let a lifecycle rule do it"
        return kept if bucket.keeps_versions() else ""
