"""Destinations of a harvest's files: a folder, or a prefix in S3."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from io import BufferedRandom, BufferedReader, FileIO
from pathlib import Path
from typing import Protocol

from scrapy.settings import BaseSettings

from mplus_crawler.errors import UsageError
from mplus_crawler.storage.folders import Stored, bucket_and_prefix, in_s3, state_folder, try_folder
from mplus_crawler.storage.locks import sync_folder
from mplus_crawler.storage.staging import BUFFER, StagedFile, write_whole

Failed = Callable[[OSError], None]


class Destination(Protocol):
    """A place for files with plain names. Every method raises OSError if it fails."""

    def uri(self, name: str) -> str:
        """Where *name* is: a path, or a URI in S3."""

    def stage(self, name: str, failed: Failed) -> StagedFile:
        """A file that will be *name* there."""

    def read(self, name: str) -> bytes | None:
        """What *name* holds; ``None`` where there is no such file."""

    def write(self, name: str, content: bytes) -> None:
        """Put *content* there as *name*, wholly or not at all."""

    def remove(self, name: str) -> None:
        """Remove *name*, if it is there."""

    def names(self) -> list[str]:
        """Return the names of the files there."""

    def look(self, name: str) -> Stored | None:
        """Size and time of *name*; ``None`` where there is no such file."""

    def open(self, name: str) -> BufferedReader | BufferedRandom:
        """The content of *name*, for reading and seeking."""

    def fetch(self, name: str, target: Path) -> None:
        """Copy the present content of *name* to the local file *target*."""

    def probe(self) -> None:
        """Write a file and remove it again."""

    def rename(self, name: str, new: str) -> None:
        """Rename the file *name*; one with the *new* name is replaced."""

    def below(self, folder: str) -> Destination:
        """The *folder* in this one; it is made by the first file that is written there."""

    def keeps_versions(self) -> bool:
        """Whether removed files are kept there as old versions."""


def destination(settings: BaseSettings) -> Destination:
    """The place that ``HARVEST_DIR`` names."""
    place = settings["HARVEST_DIR"]
    if not in_s3(place):
        return Folder(Path(place))
    from mplus_crawler.storage.s3 import Bucket  # boto3 is slow to import, and an extra

    return Bucket(place, state_folder(settings))


def locate(uri: str, state: Path) -> tuple[Destination, str]:
    """The destination and the name of the file *uri*, an absolute path or a URI in S3."""
    folder, _, name = uri.rpartition("/")
    if not in_s3(uri):
        return Folder(Path(folder or "/")), name
    from mplus_crawler.storage.s3 import Bucket  # boto3 is slow to import, and an extra

    return Bucket(folder, state), name


def check_s3(place: str) -> None:
    """Raise :class:`UsageError` if *place* is not a usable URI in S3; sends no request.

    The message never contains a password.
    """
    if not bucket_and_prefix(place)[0]:
        raise UsageError(f"{place} names no bucket; write s3://bucket/prefix")
    if "@" in place[5:].partition("/")[0]:
        raise UsageError("remove the credentials from the URI: write s3://bucket, boto3 reads them")
    from mplus_crawler.storage.s3 import client  # boto3 is slow to import, and an extra

    try:
        client()
    except OSError as error:
        raise UsageError(f"cannot write to {place}: {error}") from None


class Folder:
    """A folder on this machine."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def uri(self, name: str) -> str:
        """Its path."""
        return str(self.path / name)

    def stage(self, name: str, failed: Failed) -> StagedFile:
        """A file that will be *name* in the folder."""
        return StagedFile(self.path / name, failed)

    def read(self, name: str) -> bytes | None:
        """What the file holds."""
        with suppress(FileNotFoundError):
            return (self.path / name).read_bytes()
        return None

    def write(self, name: str, content: bytes) -> None:
        """Write it under a hidden name first."""
        write_whole(self.path / name, content)

    def remove(self, name: str) -> None:
        """Unlink it."""
        (self.path / name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """The files in the folder itself."""
        return sorted(file.name for file in self.path.glob("*") if file.is_file())

    def look(self, name: str) -> Stored | None:
        """Size and time of a plain file; raise OSError for a link."""
        if not self.path.is_dir():
            raise OSError("its folder is missing; is its disk mounted?")
        if self.path.resolve() != self.path.absolute():
            raise OSError("its folder is a link now")
        try:
            found = (self.path / name).lstat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            raise OSError("it is no longer a file, but a link, a folder or a pipe")
        return Stored(found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def open(self, name: str) -> BufferedReader:
        """The file."""
        return BufferedReader(FileIO(self.path / name), BUFFER)

    def fetch(self, name: str, target: Path) -> None:
        """Link *target* to the file, which is only ever replaced as a whole, or copy it."""
        try:
            os.link((self.path / name).resolve(), target)
        except FileNotFoundError:
            raise
        except OSError:  # another file system, or one without links
            shutil.copyfile(self.path / name, target)

    def probe(self) -> None:
        """Make the folder, and write to it."""
        try_folder(self.path)

    def rename(self, name: str, new: str) -> None:
        """Rename it, within one file system."""
        (self.path / name).replace(self.path / new)
        sync_folder(self.path)

    def below(self, folder: str) -> Folder:
        """A folder in this one."""
        return Folder(self.path / folder)

    def keeps_versions(self) -> bool:
        """Never."""
        return False
