"""Verification: reads feeds again and compares them with their certificates.

It shares only the schemas and :func:`seal` with the code that harvests, so that a bug there
cannot hide itself here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mplus_crawler.verification.certificate import (
    CERTIFICATE,
    Certificate,
    Finding,
    exists,
)
from mplus_crawler.verification.changes import is_change_feed, verify_changes
from mplus_crawler.verification.feed import Reading
from mplus_crawler.verification.lookup import certificate_by_checksum, checksum, find_certificate
from mplus_crawler.verification.package import (
    PACKAGE_CERTIFICATE,
    is_package,
    verify_package,
)
from mplus_crawler.verification.rejects import Rejects
from mplus_crawler.verification.seal import seal, sealed

__all__ = ["Finding", "seal", "sealed", "verify"]


def verify(file: Path, certificate: Path | None, folder: Path) -> Iterator[Finding]:
    """Check *file*: a feed, a file beside it, a certificate with all its files, or a package.

    Of a folder that is not a package, check the change feeds; of a change feed, its whole chain.

    The file's certificate is *certificate*; without one, it is searched for beside the file and in
    *folder*. Raises :class:`~mplus_crawler.errors.HarvestError` if none is found or readable.
    """
    if file.name == PACKAGE_CERTIFICATE:
        file = file.parent
    if is_package(file):
        yield from verify_package(file)
        return
    if certificate is None and (file.is_dir() or is_change_feed(file)):
        yield from verify_changes(file)
        return
    if file.name.endswith(CERTIFICATE):
        yield from _verify_certificate(Certificate.read(file), folder)
        return
    if certificate:
        found, entry = Certificate.read(certificate), None
    else:
        found, entry = find_certificate(file, folder)
    differences = list(found.differences())
    yield from differences
    if not found.well_formed:
        return
    if Rejects.is_one(file):
        yield from _verify_rejects(found, file, trusted=not differences)
        return
    feed = entry or found.feed_of(file)
    if feed in found.table_schemas:
        yield from _verify_table_schema(file, feed, trusted=not differences)
        return
    beside = [*_rejects_beside(found, folder), *_schemas_beside(found, folder)]
    yield from beside
    yield from _verify_feed(found, file, feed, trusted=not differences and not beside)


def _verify_certificate(certificate: Certificate, folder: Path) -> Iterator[Finding]:
    differences = list(certificate.differences())
    if certificate.well_formed:
        differences += _rejects_beside(certificate, folder)
    yield from differences
    if not certificate.well_formed:
        return
    yield from _schemas_beside(certificate, folder, also_missing=True)
    for feed in certificate.feeds:
        file = certificate.place(feed)
        if file is None:
            yield Finding(certificate.path, f"the feed {feed['uri']} is not on this computer")
        elif later := _later(certificate, file, folder):
            text = f"its feed {file.name} has been replaced by the later run {later['run']}"
            yield Finding(certificate.path, text, agrees=not differences)
            yield from verify(file, None, folder)
        else:
            yield from _verify_feed(certificate, file, feed, trusted=not differences)


def _verify_feed(
    certificate: Certificate, file: Path, feed: dict[str, Any], *, trusted: bool
) -> Iterator[Finding]:
    reading = Reading(certificate, file, feed)
    agrees = trusted
    for difference in reading.differences():
        agrees = False
        yield Finding(file, difference)
    if agrees:
        yield Finding(file, reading.summary(), agrees=True)


def _verify_rejects(certificate: Certificate, file: Path, *, trusted: bool) -> Iterator[Finding]:
    rejects = Rejects(certificate, file)
    differences = [Finding(file, difference) for difference in rejects.differences()]
    yield from differences
    if trusted and not differences:
        yield Finding(file, rejects.summary(), agrees=True)


def _rejects_beside(certificate: Certificate, folder: Path) -> Iterator[Finding]:
    """Check the rejected file of *certificate*, unless a later run has replaced it."""
    file = certificate.place(certificate.rejects) if certificate.rejects else None
    kept = certificate["verdict"] in ("undelivered", "failed") or "job" in certificate.document
    if file is None or kept:
        return
    differences = [Finding(file, text) for text in Rejects(certificate, file).differences()]
    if differences and not _later(certificate, file, folder):
        yield from differences


def _verify_table_schema(file: Path, entry: dict[str, Any], *, trusted: bool) -> Iterator[Finding]:
    found, certified = checksum(file), entry["sha256"]
    if not found:
        yield Finding(file, "cannot be read: no such file")
    elif found != certified:
        yield Finding(file, f"sha256 is {found}, {certified} certified")
    elif trusted:
        yield Finding(file, f"{entry['bytes']:,} bytes, as certified (Table Schema)", agrees=True)


def _schemas_beside(
    certificate: Certificate, folder: Path, *, also_missing: bool = False
) -> Iterator[Finding]:
    """Check the Table Schemas of *certificate*, unless a later run has replaced them.

    One that is missing is a difference only if *also_missing*: feeds can be copied without.
    """
    for entry in certificate.table_schemas:
        file = certificate.place(entry)
        if file and (also_missing or exists(file)) and not _later(certificate, file, folder):
            yield from _verify_table_schema(file, entry, trusted=False)


def _later(certificate: Certificate, file: Path, folder: Path) -> Certificate | None:
    """Return the certificate of the later run that has replaced *file*, if any has."""
    if certificate.entry(file, checksum(file)):
        return None
    found = certificate_by_checksum(file, folder)
    if found is None or not found[0].well_formed:
        return None
    later = found[0]
    return later if later["started_at"] >= certificate["started_at"] else None
