"""Finding the certificate of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mplus_crawler.errors import HarvestError, UsageError
from mplus_crawler.verification.certificate import CERTIFICATE, Certificate, exists

RUNS = "runs"


def find_certificate(file: Path, folder: Path) -> tuple[Certificate, dict[str, Any]]:
    """Return *file*'s certificate and its entry there; :class:`HarvestError` if there is none.

    It is searched beside the file, in *folder*, and in the ``runs`` of both. The first that names
    the file with its checksum is used. If none does, the file may have been changed. Then the
    latest certificate with a checksum that names its path is used, otherwise one that names a file
    of the same name beside it.
    """
    if found := certificate_by_checksum(file, folder):
        return found
    certificates, faults = _read_all(_paths(file, folder))
    for beside in (False, True):
        named = [(found, found.names(file, beside=beside)) for found in certificates]
        if naming := [(_rank(found, feed), found, feed) for found, feed in named if feed]:
            return max(naming, key=lambda entry: entry[0])[1:]
    likely = file.with_name(f"{_stem(file)}{CERTIFICATE}")
    if likely in faults:
        raise faults[likely]
    missing = "" if exists(file) else "no such file, and "
    raise UsageError(f"{file}: {missing}no certificate found for it; pass one with --certificate")


def certificate_by_checksum(file: Path, folder: Path) -> tuple[Certificate, dict[str, Any]] | None:
    """Return the first certificate that names *file* with its checksum, and its entry there."""
    sha256 = checksum(file)
    if not sha256:
        return None
    for path in _paths(file, folder):
        try:
            found = Certificate.read(path)
        except HarvestError:
            continue
        if entry := found.entry(file, sha256):
            return found, entry
    return None


def checksum(file: Path) -> str:
    """Return the SHA-256 of *file*; empty if it cannot be read."""
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        return ""


def _paths(file: Path, folder: Path) -> Iterator[Path]:
    """Yield the certificates that may be the one of *file*, the most likely first."""
    likely = file.with_name(f"{_stem(file)}{CERTIFICATE}")
    yield likely
    for place in dict.fromkeys((file.parent, folder)):
        yield from _sorted(path for path in place.glob(f"*{CERTIFICATE}") if path != likely)
    for place in dict.fromkeys((folder / RUNS, file.parent / RUNS)):
        yield from _sorted(place.glob(f"*{CERTIFICATE}"))


def _sorted(paths: Iterable[Path]) -> list[Path]:
    """Return *paths* by name, the latest run first."""
    return sorted(paths, key=lambda path: path.name, reverse=True)


def _stem(file: Path) -> str:
    """Return the common beginning of the names of *file* and of its certificate."""
    return file.name.rpartition(".")[0].removesuffix(".rejected") or file.name


def _read_all(paths: Iterable[Path]) -> tuple[list[Certificate], dict[Path, HarvestError]]:
    certificates: list[Certificate] = []
    faults: dict[Path, HarvestError] = {}
    for path in paths:
        try:
            certificates.append(Certificate.read(path))
        except UsageError:
            continue
        except HarvestError as fault:
            faults[path] = fault
    return certificates, faults


def _rank(certificate: Certificate, feed: dict[str, Any]) -> tuple[bool, str]:
    return "sha256" in feed, str(certificate.document.get("finished_at"))
