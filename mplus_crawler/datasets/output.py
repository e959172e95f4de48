"""Writes a package to its target: as a folder or as a zip file, whole or not at all."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mplus_crawler.errors import UsageError
from mplus_crawler.storage.locks import sync_folder
from mplus_crawler.storage.staging import StagedFile, claim, hidden, release
from mplus_crawler.verification.package import PACKAGE_CERTIFICATE

ZIP = ".zip"
_BEGINNING_OF_ZIP = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16
_DIGITS = 64
_BLOCK = 1 << 20  # bytes


@contextmanager
def building(target: Path) -> Iterator[Path]:
    """Reserve *target* for this process, and yield a hidden folder to build in.

    The leftovers of a killed process are removed or completed first. Raises OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = hidden(target)
    claim(lock)
    work, former = _beside(target, "building"), _beside(target, "former")
    try:
        if former.exists() and not target.exists():
            former.rename(target.resolve())
        for left in (former, work):
            shutil.rmtree(left, ignore_errors=True)
        work.mkdir()
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        release(lock)


def check_target(target: Path) -> None:
    """Raise :class:`UsageError` if *target* contains anything but a package."""
    if target.suffix.lower() == ZIP:
        if target.exists() and not _has_certificate(target):
            raise UsageError(f"{target} exists and is not a package: choose another name")
        return
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file: name a folder, or a file that ends in {ZIP}")
    if target.is_dir() and any(target.iterdir()) and not (target / PACKAGE_CERTIFICATE).exists():
        raise UsageError(f"{target} contains other files: choose another folder")


def put_folder(package: Path, target: Path) -> None:
    """Replace the folder *target* by the folder *package*; raises OSError.

    A kill between the two renamings leaves the former package hidden; the next run restores it.
    """
    former, real = _beside(target, "former"), target.resolve()
    if real.exists():
        real.rename(former)
    package.rename(real)
    sync_folder(real.parent)
    shutil.rmtree(former, ignore_errors=True)


def zipped(package: Path, target: Path, scratch: Path) -> StagedFile:
    """Return the whole zip file of the folder *package*, to be published as *target*.

    The same content gives the same bytes. Its comment, the last bytes of the file, is the SHA-256
    of all bytes before. *scratch* is a folder. Raises OSError.
    """
    draft = scratch / "draft.zip"
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = b"0" * _DIGITS
        for path in sorted(one for one in package.rglob("*") if one.is_file()):
            _add(archive, path, path.relative_to(package).as_posix())
    errors: list[OSError] = []
    file = StagedFile(target, errors.append, tag="-zip")
    left = draft.stat().st_size - _DIGITS
    with draft.open("rb") as content:
        while block := content.read(min(left, _BLOCK)):
            file.write(block)
            left -= len(block)
    file.write(file.sha256.encode())
    file.finish()
    if errors:
        file.discard()
        raise errors[0]
    return file


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    entry = zipfile.ZipInfo(name, _BEGINNING_OF_ZIP)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix, whatever this computer runs
    entry.external_attr = _MODE
    with path.open("rb") as content, archive.open(entry, "w", force_zip64=True) as member:
        shutil.copyfileobj(content, member, _BLOCK)


def _beside(target: Path, state: str) -> Path:
    real = target.resolve()
    return real.with_name(f".{real.name}.{state}")


def _has_certificate(path: Path) -> bool:
    with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        return PACKAGE_CERTIFICATE in archive.namelist()
    return False
