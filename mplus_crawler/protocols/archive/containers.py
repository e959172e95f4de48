"""Folders, tars and zips as sequences of entries."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from posixpath import dirname, isabs, join, normpath
from typing import IO, Any, BinaryIO, cast

from mplus_crawler.protocols.archive.bounds import (
    DAMAGE,
    LARGEST_DIRECTORY,
    LARGEST_FILE,
    LARGEST_TAR,
    MOST_ENTRIES,
    ArchiveError,
    BoundedFile,
)

_OPENERS: tuple[tuple[bytes, Callable[..., Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\0", lzma.open),
)
_UNIX = 3  # "version made by" of a zip whose entries have modes


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A file or a link, by its normalised path.

    *target* is the normalised path to which a link leads; *trouble* says why the file cannot be
    read, otherwise *open* opens it. *size* is in bytes, as the archive claims. In a *stream*,
    nothing can be read after a damaged file.
    """

    path: str
    size: int = 0
    target: str | None = None
    trouble: str = ""
    open: Callable[[], IO[bytes]] | None = None
    stream: bool = False

    def read(self, size: int) -> bytes:
        """Return at most *size* bytes of the content; raise one of :data:`DAMAGE`."""
        assert self.open is not None
        with self.open() as file:
            return file.read(size)


def is_archive(place: Path) -> bool:
    """Whether *place* is a folder, a tar or a zip."""
    try:
        if place.is_dir():
            return True
        if not place.is_file():  # opening a pipe would wait for ever
            return False
        if zipfile.is_zipfile(place):
            return True
        with open_tar(place):
            return True
    except DAMAGE:
        return False


def entries(place: Path) -> Iterator[ArchiveFile]:
    """Yield the files and links in *place*.

    Raise :class:`ArchiveError` or another of :data:`DAMAGE` after those that can be read.
    """
    if place.is_dir():
        found = _in_folder(place)
    else:
        found = _in_zip(place) if zipfile.is_zipfile(place) else _in_tar(place)
    for number, entry in enumerate(found):
        if number >= MOST_ENTRIES:
            raise ArchiveError(f"has more than {MOST_ENTRIES:,} files")
        yield entry


@contextmanager
def open_tar(place: Path) -> Iterator[tarfile.TarFile]:
    """Open the tar *place*, compressed or not, within bounds."""
    with place.open("rb") as file:
        head = file.read(8)
        file.seek(0)
        opener = next((opener for magic, opener in _OPENERS if head.startswith(magic)), None)
        unpacked = cast("BinaryIO", opener(file) if opener else file)
        with BoundedFile(unpacked, LARGEST_TAR, LARGEST_FILE + 1) as bounded:
            bounded.tar_header = True
            with tarfile.open(fileobj=cast("BinaryIO", bounded), mode="r:") as archive:
                yield archive


@contextmanager
def open_zip(place: Path) -> Iterator[zipfile.ZipFile]:
    """Open the zip *place* within bounds."""
    with (
        place.open("rb") as file,
        BoundedFile(file, sys.maxsize, LARGEST_DIRECTORY) as bounded,
        zipfile.ZipFile(cast("BinaryIO", bounded)) as archive,
    ):
        yield archive


def _in_tar(place: Path) -> Iterator[ArchiveFile]:
    with open_tar(place) as archive:
        stream = cast("BoundedFile", archive.fileobj)
        offset, number = -1, 0
        while (info := archive.next()) is not None:
            # tarfile remembers every member that it has passed, thousands of them.
            archive.members = []  # type: ignore[attr-defined]  # not in typeshed
            number += 1
            if number > MOST_ENTRIES:
                raise ArchiveError(f"has more than {MOST_ENTRIES:,} files")
            if info.size < 0 or info.offset <= offset:  # tarfile would go back, for ever
                raise tarfile.ReadError("a header claims a negative size")
            offset = info.offset
            stream.tar_header = False
            if not info.isdir():
                yield _tar_entry(archive, info)
            stream.tar_header = True
        stream.tar_header = False
        _check_end(archive)


def _tar_entry(archive: tarfile.TarFile, info: tarfile.TarInfo) -> ArchiveFile:
    path = normpath(info.name)
    if info.issym():
        return ArchiveFile(path, target=_joined(path, info.linkname))
    if info.islnk():
        return ArchiveFile(path, target=normpath(info.linkname))
    if not info.isfile():
        return ArchiveFile(path, trouble="is not a file")

    def open_() -> IO[bytes]:
        return cast("IO[bytes]", archive.extractfile(info))

    return ArchiveFile(path, info.size, open=open_, stream=True)


def _check_end(archive: tarfile.TarFile) -> None:
    """Raise ReadError unless two blocks of zeros end the tar: tarfile stops at any bad header."""
    stream = archive.fileobj
    assert stream
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it is truncated or damaged")
    while stream.read(1024**2):  # a checksum comes last
        pass


def _in_zip(place: Path) -> Iterator[ArchiveFile]:
    with open_zip(place) as archive:
        for info in archive.infolist():
            if not info.filename.endswith("/"):  # is_dir() fails for an empty name
                yield _zip_entry(archive, info)


def _zip_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> ArchiveFile:
    path = normpath(info.filename)
    # zipfile unpacks other methods without a limit, whatever the claimed size.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return ArchiveFile(path, trouble="is compressed by a method that is not supported")
    if info.create_system == _UNIX and stat.S_ISLNK(info.external_attr >> 16):
        try:
            with archive.open(info) as file:
                target = file.read(4096).decode("utf-8", "surrogateescape")
        except DAMAGE as error:
            return ArchiveFile(path, trouble=f"cannot be read: {error}")
        return ArchiveFile(path, target=_joined(path, target))
    return ArchiveFile(path, info.file_size, open=lambda: archive.open(info))


def _in_folder(place: Path) -> Iterator[ArchiveFile]:
    root = place.resolve()

    def fail(error: OSError) -> None:
        raise error

    for folder, names, files in os.walk(place, onerror=fail):
        names.sort()
        for name in sorted([*files, *(n for n in names if Path(folder, n).is_symlink())]):
            file = Path(folder, name)
            path = file.relative_to(place).as_posix()
            try:
                if file.is_symlink():
                    yield ArchiveFile(path, target=_target(file, root))
                elif not file.is_file():  # reading a pipe would wait for ever
                    yield ArchiveFile(path, trouble="is not a file")
                else:
                    yield ArchiveFile(path, file.stat().st_size, open=_opener(file))
            except OSError as error:
                yield ArchiveFile(path, trouble=f"cannot be read: {error.strerror}")


def _opener(file: Path) -> Callable[[], IO[bytes]]:
    return lambda: file.open("rb")


def _target(link: Path, root: Path) -> str:
    """The path below *root* to which *link* leads; an absolute one outside."""
    target = Path(os.path.normpath(link.parent.resolve() / link.readlink()))
    return target.relative_to(root).as_posix() if target.is_relative_to(root) else str(target)


def _joined(path: str, target: str) -> str:
    return target if isabs(target) else normpath(join(dirname(path), target))
