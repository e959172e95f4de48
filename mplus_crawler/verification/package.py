"""Checks a package, a folder or a zip file, against the certificate in it."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from mplus_crawler.errors import HarvestError, UsageError, counted
from mplus_crawler.verification.certificate import Finding
from mplus_crawler.verification.records import worded
from mplus_crawler.verification.seal import seal
from mplus_crawler.verification.strict_json import parse, without_doubles
from mplus_crawler.verification.tables import ZIP_DAMAGE

PACKAGE_CERTIFICATE = "package.certificate.json"
_SHAPE = {
    "type": "object",
    "required": ["package", "title", "version", "files", "seal"],
    "properties": {
        "package": {"const": 1},
        "title": {"type": "string"},
        "version": {"type": "string"},
        "seal": {"type": "string"},
        "files": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "bytes", "sha256"],
                "properties": {
                    "path": {"type": "string"},
                    "bytes": {"type": "integer", "minimum": 0},
                    "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                },
            },
        },
    },
}
# What zipfile raises for a file that was changed.
_DAMAGE = (OSError, ValueError, *ZIP_DAMAGE)
_DIGITS = 64
_SHA256 = re.compile(rb"[0-9a-f]{64}")
Open = Callable[[str], IO[bytes]]


def is_package(path: Path) -> bool:
    """Return whether *path* is a zip file, or a folder with a package's certificate."""
    if path.is_dir():
        return (path / PACKAGE_CERTIFICATE).exists()
    return path.suffix.lower() == ".zip"


def verify_package(path: Path) -> Iterator[Finding]:
    """Check the package *path*: each file that its certificate names, and that there is no other.

    Raises :class:`~mplus_crawler.errors.HarvestError` if it or its certificate cannot be read.
    """
    with ExitStack() as stack:
        try:
            names, open_file = _contents(path, stack)
            with open_file(PACKAGE_CERTIFICATE) as file:
                certificate = parse(file.read(), object_pairs_hook=without_doubles)
        except FileNotFoundError:
            raise UsageError(f"no such file: {path}") from None
        except KeyError:
            raise HarvestError(
                f"{path} is not a package: it has no {PACKAGE_CERTIFICATE}"
            ) from None
        except _DAMAGE as error:
            raise HarvestError(f"{path} is not a package: {error}") from None
        faults = list(_differences(certificate, names, open_file))
        if path.is_file() and not _is_as_written(path):
            faults.append("its comment is not the SHA-256 of the bytes before it")
    yield from (Finding(path, fault) for fault in faults)
    if not faults:
        files, version = counted(len(certificate["files"]), "file"), certificate["version"]
        yield Finding(path, f"{files}, as certified (version {version})", agrees=True)


def _is_as_written(path: Path) -> bool:
    """Return whether the zip file *path* is whole, or was packed by another program."""
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        left = file.seek(-_DIGITS, os.SEEK_END)
        said = file.read()
        if not archive.comment and not _SHA256.fullmatch(said):
            return True
        file.seek(0)
        digest = hashlib.sha256()
        while block := file.read(min(left, 1 << 20)):
            digest.update(block)
            left -= len(block)
        return digest.hexdigest().encode() == said


def _contents(path: Path, stack: ExitStack) -> tuple[list[str], Open]:
    """Return the names of the files in *path*, and a function that opens one."""
    if path.is_dir():
        return list(_files(path)), lambda name: (path / name).open("rb")
    archive = stack.enter_context(zipfile.ZipFile(path))
    return [name for name in archive.namelist() if not name.endswith("/")], archive.open


def _files(folder: Path) -> Iterator[str]:
    for place, _, names in os.walk(folder):
        for name in names:
            yield (Path(place) / name).relative_to(folder).as_posix()


def _differences(certificate: Any, names: list[str], open_file: Open) -> Iterator[str]:
    faults = list(worded(_SHAPE, certificate))
    yield from (f"{PACKAGE_CERTIFICATE}: {fault}" for fault in faults)
    if faults:
        return
    if certificate["seal"] != seal(certificate):
        yield f"{PACKAGE_CERTIFICATE}: its seal is broken: it has been changed"
    listed = {entry["path"]: entry for entry in certificate["files"]}
    if len(listed) != len(certificate["files"]) or len({*names}) != len(names):
        yield "a file is named twice"
    for name in sorted({*names} - listed.keys() - {PACKAGE_CERTIFICATE}):
        yield f"{name}: is not in the certificate"
    for name, entry in sorted(listed.items()):
        if name not in names:
            yield f"{name}: no such file"
        elif fault := _difference(entry, name, open_file):
            yield f"{name}: {fault}"


def _difference(entry: dict[str, Any], name: str, open_file: Open) -> str:
    digest, size = hashlib.sha256(), 0
    try:
        with open_file(name) as file:
            while block := file.read(1 << 20):
                digest.update(block)
                size += len(block)
    except _DAMAGE as error:
        return f"cannot be read: {error}"
    if size != entry["bytes"]:
        return f"{size:,} bytes, {entry['bytes']:,} certified"
    found = digest.hexdigest()
    return "" if found == entry["sha256"] else f"sha256 is {found}, {entry['sha256']} certified"
