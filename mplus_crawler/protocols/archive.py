"""Files of one folder of a published data set: in a folder, a tar or a zip, one after another.

Nothing is unpacked to disk, so that no name in an archive can lead anywhere; no more than one
file is in memory.
"""

from __future__ import annotations

import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# A record has two kilobytes; what is a thousand times larger is none.
_LARGEST = 4 * 1024 * 1024
DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error),
    *(EOFError, OSError, NotImplementedError, RuntimeError),  # the last: zip with a password
)


class ArchiveError(Exception):
    """An archive that cannot be read, or not to its end."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file, by its name below the data set; *trouble* says why its *content* cannot be had."""

    name: str
    content: bytes | None
    trouble: str = ""


def is_archive(place: Path) -> bool:
    """Whether *place* is something that :func:`members` can read."""
    try:
        return place.is_dir() or zipfile.is_zipfile(place) or tarfile.is_tarfile(place)
    except DAMAGE:
        return False


def members(place: Path, folder: str) -> Iterator[Member]:
    """The JSON files ``FOLDER/<thousand>/<id>.json`` of *place*, wherever its top folder is.

    Raises :class:`ArchiveError`, after what could be read of it.
    """
    # Hidden files are a Mac's notes on others.
    wanted = re.compile(rf"(?:.*/)?({re.escape(folder)}/[^/]+/[^/.][^/]*\.json)")
    try:
        if place.is_dir():
            yield from _in_folder(place, wanted)
        elif zipfile.is_zipfile(place):
            yield from _in_zip(place, wanted)
        else:
            yield from _in_tar(place, wanted)
    except DAMAGE as error:
        raise ArchiveError(f"cannot be read to its end: {error}") from None


def _in_folder(place: Path, wanted: re.Pattern[str]) -> Iterator[Member]:
    for file in sorted(place.rglob("*.json")):
        if match := wanted.fullmatch(file.as_posix()):
            yield _file(match[1], file)


def _file(name: str, file: Path) -> Member:
    """What *file* holds: one that is bad, or a link to nowhere, is no reason to leave the rest."""
    try:
        if not file.is_file():  # reading a pipe would wait for ever
            return Member(name, None, "is no file")
        if file.stat().st_size > _LARGEST:
            return _too_large(name)
        return Member(name, file.read_bytes())
    except OSError as error:
        return Member(name, None, f"cannot be read: {error.strerror}")


def _too_large(name: str) -> Member:
    return Member(name, None, "is too large to be a record")


def _in_zip(place: Path, wanted: re.Pattern[str]) -> Iterator[Member]:
    with zipfile.ZipFile(place) as archive:
        for info in archive.infolist():
            if match := wanted.fullmatch(info.filename):
                fits = info.file_size <= _LARGEST
                yield Member(match[1], archive.read(info)) if fits else _too_large(match[1])


def _in_tar(place: Path, wanted: re.Pattern[str]) -> Iterator[Member]:
    with tarfile.open(place) as archive:
        while (info := archive.next()) is not None:
            # tarfile remembers every member that it has passed, thousands of them.
            archive.members = []  # type: ignore[attr-defined]
            match = wanted.fullmatch(info.name)
            if match and info.isfile():
                file = archive.extractfile(info) if info.size <= _LARGEST else None
                yield Member(match[1], file.read()) if file else _too_large(match[1])
        _check_end(archive)


def _check_end(archive: tarfile.TarFile) -> None:
    """Two blocks of zeros end a tar, but tarfile takes any block that is no header for that."""
    stream = archive.fileobj
    assert stream
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it breaks off, or something in it is damaged")
    while stream.read(_LARGEST):  # a checksum comes last
        pass
