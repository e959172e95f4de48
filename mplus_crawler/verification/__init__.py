"""Verification: a feed read again, and held against its certificate.

Nothing here is shared with the code that harvests, but for the schemas and :func:`seal`: what
a mistake over there has spoilt would otherwise be found to be right.
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
    """What is to be told of *file*, a feed or a certificate with all its feeds.

    A feed's certificate is *certificate*, or else looked for beside it and in *folder*. Raises
    :class:`~mplus_crawler.errors.HarvestError` when there is none, or none that can be read.
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
            yield Finding(certificate.path, f"the feed {feed['uri']} is on no disk of this machine")
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
