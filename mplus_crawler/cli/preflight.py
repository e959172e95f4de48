"""Checks before the first request."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence

from scrapy import Spider
from scrapy.settings import BaseSettings

from mplus_crawler.cli.enforced import enforce
from mplus_crawler.cli.jobs import job_id
from mplus_crawler.cli.summary import with_environment
from mplus_crawler.cli.values import check_values
from mplus_crawler.errors import DeliveryError, UsageError
from mplus_crawler.feeds.checks import check_feeds, check_places, check_text
from mplus_crawler.feeds.names import check_names
from mplus_crawler.feeds.outputs import claim_outputs
from mplus_crawler.museum.policies.policy import base_settings
from mplus_crawler.museum.policies.reading import key_names
from mplus_crawler.records.items import ITEM_CLASSES
from mplus_crawler.responses.harvest import Harvest, lock_harvest, same_command
from mplus_crawler.responses.ledger import check_held
from mplus_crawler.spiders.base import MuseumSpider
from mplus_crawler.storage.destination import check_s3
from mplus_crawler.storage.folders import in_s3, state_folder
from mplus_crawler.storage.streams import output_is_closed
from mplus_crawler.wire.budget.stores import open_budget
from mplus_crawler.wire.proxy import check_proxies

# Read from the environment only, as the museums' keys: arguments and settings are logged and show
# in process lists.
_AWS_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_LIKE_KEYS = {"KEY", "APIKEY", "API_KEY", "TOKEN"}


def check_launch(
    spidercls: type[Spider],
    settings: BaseSettings,
    arguments: Mapping[str, str],
    given: Sequence[str] = (),
) -> None:
    """Raise :class:`~mplus_crawler.errors.HarvestError` if the crawl cannot succeed.

    *given* are the ``NAME=VALUE`` settings of the command line. A secret among them or among
    the spider's *arguments* is refused.
    """
    names = [*arguments, *(pair.partition("=")[0] for pair in given)]
    _refuse_secrets(names, {*_AWS_SECRETS, *key_names(settings.get("POLICY_DIR"))})
    enforce(settings)
    check_values(settings)
    check_harvest_dir(settings)
    for name, value in arguments.items():
        check_text(f"the argument {name}:", value)
    _check_feeds(spidercls, settings)
    harvest, accepted = None, ""
    if issubclass(spidercls, MuseumSpider):
        harvest, accepted = _check_spider(spidercls, settings, arguments)
    open_budget(settings.get("BUDGET_URL")).close()
    check_places(settings, spidercls.name)
    if harvest:
        base = base_settings(getattr(spidercls, "museum", ""))
        resume = with_environment(same_command(settings), base)
        lock_harvest(harvest, job_id(arguments), resume)
        if accepted:
            check_held(harvest, accepted)
        claim_outputs(settings, spidercls.name)


def _check_feeds(spidercls: type[Spider], settings: BaseSettings) -> None:
    kind = getattr(spidercls, "kind", "")
    columns = list(ITEM_CLASSES[kind].fields) if kind in ITEM_CLASSES else []
    check_feeds(settings, spidercls.name, columns)
    if output_is_closed() and any(str(uri)[:7] == "stdout:" for uri in settings.getdict("FEEDS")):
        raise DeliveryError("standard output is closed; write the records to a file with -O")


def _check_spider(
    spidercls: type[MuseumSpider], settings: BaseSettings, arguments: Mapping[str, str]
) -> tuple[Harvest, str]:
    """Return the harvest that *arguments* select, and the run that they accept."""
    check_names(settings, spidercls)
    identity = spidercls.check(settings, arguments)
    identity.pop("fresh", None)
    accepted = identity.pop("accept", "")
    base = spidercls.base(settings, spidercls.load_policy(settings))
    check_proxies(base)
    if spidercls.is_private(identity):
        os.umask(0o077)  # all files are readable by their owner only
    return Harvest(spidercls.name, base, identity, state_folder(settings)), accepted


def _refuse_secrets(names: Sequence[str], secrets: Collection[str]) -> None:
    given = {name.strip().upper() for name in names}
    if given & _LIKE_KEYS:
        keys = ", ".join(sorted(name for name in secrets if name not in _AWS_SECRETS))
        raise UsageError(f"a key is a secret: set it in the environment ({keys})")
    for name in sorted(given & {name.upper() for name in secrets}):
        raise UsageError(f"{name} is a secret: set it in the environment, not on the command line")


def check_harvest_dir(settings: BaseSettings) -> None:
    """Raise :class:`UsageError` if ``HARVEST_DIR`` names no folder; does not look at it."""
    place = settings["HARVEST_DIR"]
    for name in ("HARVEST_DIR", "HARVEST_STATE_DIR"):
        check_text(name, settings.get(name) or "")
    if not place:
        raise UsageError("HARVEST_DIR is empty; set it to a folder or to s3://bucket/prefix")
    if "%(" in place:
        raise UsageError("HARVEST_DIR must not contain %(…)s placeholders; use them in -o or FEEDS")
    if in_s3(place):
        check_s3(place)
