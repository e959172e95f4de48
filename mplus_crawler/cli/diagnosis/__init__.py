"""The checks of ``scrapy doctor``, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scrapy.settings import BaseSettings

from mplus_crawler.cli.diagnosis import installation, network, places, scrapyd
from mplus_crawler.cli.diagnosis.check import Check


def diagnose(
    settings: BaseSettings, named: Sequence[str], known: Sequence[str], *, offline: bool
) -> Iterator[Check]:
    """Check what the museums *named* need (keys of policies), or all *known* if none is named.

    *offline* skips the checks that need the network.
    """
    museums = named or known
    yield from installation.versions()
    yield from installation.policies(settings, museums)
    yield from installation.clock(settings, museums)
    yield from installation.keys(settings, museums, required=bool(named))
    yield from installation.notices(settings, museums)
    yield from installation.contact(settings)
    yield from installation.security(settings)
    yield from installation.values(settings)
    yield from network.addresses(settings, museums)
    yield from scrapyd.configuration()
    yield from places.folders(settings)
    yield from places.space(settings)
    yield from places.budget(settings, offline=offline)
    if not offline:
        yield from places.s3(settings)
        yield from network.apis(settings, museums)
