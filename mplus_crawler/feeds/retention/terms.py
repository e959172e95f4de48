"""The spiders whose museums limit how long content may be kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from scrapy.settings import BaseSettings
from scrapy.spiderloader import get_spider_loader

from mplus_crawler.museum.contract import Museum


@dataclass(frozen=True, slots=True)
class Term:
    """How long content of the museum *source* may be kept."""

    source: str
    keep: timedelta


def terms(settings: BaseSettings) -> dict[str, Term]:
    """Return the terms by spider, if its museum sets one; raises :class:`UsageError`."""
    loader = get_spider_loader(settings)
    found = {}
    for name in loader.list():
        cls = loader.load(name)
        if issubclass(cls, Museum) and (policy := cls.load_policy(settings)).retention_days:
            found[name] = Term(policy.name, timedelta(days=policy.retention_days))
    return found
