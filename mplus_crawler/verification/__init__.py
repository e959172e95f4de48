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
    find_certificate,
)
from mplus_crawler.verification.feed import Reading
from mplus_crawler.verification.seal import seal, sealed

__all__ = ["Finding", "seal", "sealed", "verify"]


def verify(file: Path, certificate: Path | None, folder: Path) -> Iterator[Finding]:
    """Check *file*, a feed or a certificate with all its feeds.

    The feed's certificate is *certificate*; without one, it is searched beside the feed and in
    *folder*. Raises :class:`~mplus_crawler.errors.HarvestError` if none is found or readable.
    """
    if file.name.endswith(CERTIFICATE):
        yield from _verify_certificate(Certificate.read(file))
        return
    found = Certificate.read(certificate) if certificate else find_certificate(file, folder)
    differences = list(found.differences())
    yield from differences
    if found.well_formed:
        feed = found.feed_of(file, alone=certificate is not None)
        yield from _verify_feed(found, file, feed, trusted=not differences)


def _verify_certificate(certificate: Certificate) -> Iterator[Finding]:
    differences = list(certificate.differences())
    yield from differences
    if not certificate.well_formed:
        return
    for feed in certificate.feeds:
        file = certificate.place(feed)
        if file is None:
            yield Finding(certificate.path, f"the feed {feed['uri']} is not on this computer")
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
