"""Checks before the first request."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from scrapy import Spider
from scrapy.settings import BaseSettings

from mplus_crawler.cli.jobs import job_id
from mplus_crawler.errors import DeliveryError, UsageError
from mplus_crawler.policies.reading import key_names
from mplus_crawler.responses.harvest import Harvest, lock_harvest
from mplus_crawler.spiders.base import MuseumSpider
from mplus_crawler.storage.destination import check_s3
from mplus_crawler.storage.folders import in_s3, state_folder, try_folder
from mplus_crawler.wire.budget.stores import open_budget

# Read from the environment only, as the museums' keys: arguments and settings are logged and show
# in process lists.
_AWS_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")

# Minimum and maximum by name; a minimum that is an int requires a whole number.
_NUMBERS = {
    "RATE_SHARE": (0.01, 1.0),
    "THROTTLE_MAX_WAIT": (0.0, float("inf")),
    "LOOKAHEAD": (1, 64),
    "MAX_REJECT_SHARE": (0.0, 1.0),
    "RESUME_MAX_AGE": (0.0, float("inf")),
    "LOGSTATS_INTERVAL": (0.0, float("inf")),
    "DOWNLOAD_TIMEOUT": (0.001, float("inf")),
    "RETRY_TIMES": (0, 1000),
    "CONCURRENT_REQUESTS": (1, 1000),
    "DOWNLOAD_DELAY": (0.0, float("inf")),
    "DOWNLOAD_MAXSIZE": (0, float("inf")),
    "CLOSESPIDER_TIMEOUT": (0.0, float("inf")),
}
_SWITCHES = ("DOWNLOAD_VERIFY_CERTIFICATES", "TELNETCONSOLE_ENABLED", "REMOTE_CONTROL_ENABLED")


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
    check_values(settings)
    check_harvest_dir(settings)
    _check_feeds(settings)
    if issubclass(spidercls, MuseumSpider):
        identity = spidercls.check(settings, arguments)
        identity.pop("fresh", None)
        base = spidercls.base(settings, spidercls.load_policy(settings))
        if spidercls.is_private(identity):
            os.umask(0o077)  # all files are readable by their owner only
    open_budget(settings.get("BUDGET_URL")).close()
    _check_places(settings)
    if issubclass(spidercls, MuseumSpider):
        harvest = Harvest(spidercls.name, base, identity, state_folder(settings))
        lock_harvest(harvest, job_id(arguments))


def _refuse_secrets(names: Sequence[str], secrets: Collection[str]) -> None:
    for name in {name.strip().upper() for name in names} & {name.upper() for name in secrets}:
        raise UsageError(f"{name} is a secret: set it in the environment, not on the command line")


def check_values(settings: BaseSettings) -> None:
    """Raise :class:`UsageError` for a number that is out of range, or a switch that is neither."""
    for name, (least, most) in _NUMBERS.items():
        try:
            number = float(settings[name])
        except (TypeError, ValueError):
            number = float("nan")
        if isinstance(least, int) and not number.is_integer():
            number = float("nan")
        if not least <= number <= most:
            raise UsageError(f"{name}={settings[name]} must be a number from {least:g} to {most:g}")
    for name in _SWITCHES:
        try:
            settings.getbool(name)
        except ValueError:
            raise UsageError(f"{name}={settings[name]} must be True or False") from None


def check_harvest_dir(settings: BaseSettings) -> None:
    """Raise :class:`UsageError` if ``HARVEST_DIR`` names no folder; does not look at it."""
    place = settings["HARVEST_DIR"]
    if not place:
        raise UsageError("HARVEST_DIR is empty; set it to a folder or to s3://bucket/prefix")
    if "%(" in place:
        raise UsageError("HARVEST_DIR must not contain %(…)s placeholders; use them in -o or FEEDS")
    if in_s3(place):
        check_s3(place)


def _check_feeds(settings: BaseSettings) -> None:
    formats = {n for n, exporter in settings.getwithbase("FEED_EXPORTERS").items() if exporter}
    schemes = {n for n, storage in settings.getwithbase("FEED_STORAGES").items() if storage}
    files: set[Path] = set()
    for uri, options in settings.getdict("FEEDS").items():
        if options.get("format") not in formats:
            raise UsageError(
                f"the feed {uri} has no known format; let its name end in one of "
                f"{', '.join(f'.{name}' for name in sorted(formats))}"
            )
        if (scheme := urlsplit(str(uri)).scheme) not in schemes:
            raise UsageError(f"the feed {uri} has the unknown scheme {scheme!r}")
        if in_s3(str(uri)):
            check_s3(str(uri))
            if str(uri).endswith("/"):
                raise UsageError(f"the feed {uri} names a folder; write s3://bucket/name.jsonl")
        if scheme in ("", "file"):
            if (file := _local(uri)).exists() and not file.is_file():
                raise UsageError(
                    f"the feed {uri} is not a file; for standard output, use -o -:jsonl"
                )
            if file.resolve() in files:
                raise UsageError(f"the feed {uri} is the same file as another")
            files.add(file.resolve())


def _check_places(settings: BaseSettings) -> None:
    """Raise DeliveryError for a folder that cannot be written."""
    feeds = [uri for uri in settings.getdict("FEEDS") if urlsplit(str(uri)).scheme in ("", "file")]
    parents = [_local(uri).parent for uri in feeds]
    place = settings["HARVEST_DIR"]
    own = state_folder(settings) if in_s3(place) else Path(place)
    for folder in {own, *parents}:
        try:
            try_folder(folder)
        except OSError as error:
            raise DeliveryError(
                f"the folder {folder} cannot be written ({error.strerror}); "
                "change its permissions or choose another"
            ) from None


def _local(uri: object) -> Path:
    return Path(unquote(urlsplit(str(uri)).path))
