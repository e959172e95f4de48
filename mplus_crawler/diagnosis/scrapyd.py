"""Scrapyd's configuration, where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from configparser import ConfigParser, Error
from pathlib import Path

from scrapy.utils.conf import closest_scrapy_cfg

from mplus_crawler.addresses import is_loopback
from mplus_crawler.diagnosis.finding import Finding

_WHAT = "Scrapyd"
_SECTION = "scrapyd"
_FORGETFUL = "MemoryJobStorage"


def configuration() -> Iterator[Finding]:
    """What ``scrapy.cfg`` and ``scrapyd.conf`` say, as Scrapyd reads them: the later one wins."""
    files = ("/etc/scrapyd/scrapyd.conf", "scrapyd.conf", "~/.scrapyd.conf", closest_scrapy_cfg())
    parser = ConfigParser(interpolation=None)
    try:
        parser.read([Path(file).expanduser() for file in files if file], "utf-8")
    except (Error, UnicodeDecodeError) as error:
        yield Finding(_WHAT, f"its configuration cannot be read ({error})", "mend that file")
        return
    if not parser.has_section(_SECTION):
        yield Finding(_WHAT, "not configured here")
        return
    faults = list(_faults({name: value.strip() for name, value in parser[_SECTION].items()}))
    yield from faults or [Finding(_WHAT, "its configuration is sound")]


def _faults(options: dict[str, str]) -> Iterator[Finding]:
    if folder := options.get("items_dir"):
        yield Finding(
            _WHAT,
            f"items_dir = {folder} puts another feed in the place of yours",
            "leave items_dir empty",
        )
    address = options.get("bind_address", "127.0.0.1")
    if not is_loopback(address) and not (options.get("username") and options.get("password")):
        yield Finding(
            _WHAT,
            f"anybody who reaches {address} can run spiders",
            "bind_address = 127.0.0.1, or set username and password",
        )
    if not options.get("logs_dir", "logs"):
        yield Finding(_WHAT, "it keeps no logs", "set logs_dir")
    if options.get("jobstorage", _FORGETFUL).endswith(_FORGETFUL):
        yield Finding(
            _WHAT,
            "it forgets finished jobs when it is restarted",
            "jobstorage = scrapyd.jobstorage.SqliteJobStorage",
        )
