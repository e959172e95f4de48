"""Whether this installation can harvest: what is looked at, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scrapy.settings import BaseSettings

from mplus_crawler.cli.diagnosis import installation, network, places, scrapyd
from mplus_crawler.cli.diagnosis.check import Check


def diagnose(settings: BaseSettings, museums: Sequence[str], *, offline: bool) -> Iterator[Check]:
    """All that *museums* (keys of policies) need; *offline* leaves out the network."""
    yield from installation.versions()
    yield from installation.policies(settings, museums)
    yield from installation.clock(settings, museums)
    yield from installation.keys(settings, museums)
    yield from installation.doors(settings)
    yield from installation.values(settings)
    yield from network.addresses(settings, museums)
    yield from scrapyd.configuration()
    yield from places.folders(settings)
    yield from places.space(settings)
    yield from places.budget(settings, offline=offline)
    if not offline:
        yield from places.s3(settings)
        yield from network.apis(settings, museums)
