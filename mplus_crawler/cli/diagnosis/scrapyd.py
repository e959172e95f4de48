"""Scrapyd's configuration, where there is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from configparser import ConfigParser, Error
from pathlib import Path

from scrapy.utils.conf import closest_scrapy_cfg

from mplus_crawler.cli.diagnosis.check import Check
from mplus_crawler.wire.addresses import is_loopback

_WHAT = "Scrapyd"
_SECTION = "scrapyd"
_FORGETFUL = "MemoryJobStorage"


def configuration() -> Iterator[Check]:
    """What ``scrapyd.conf`` and ``scrapy.cfg`` say, as Scrapyd reads them: the later one wins.

    A Scrapyd that is started elsewhere does without this project's ``scrapy.cfg``: both are judged.
    """
    elsewhere = ["/etc/scrapyd/scrapyd.conf", "scrapyd.conf", "~/.scrapyd.conf"]
    try:
        both = [_options([*elsewhere, closest_scrapy_cfg()]), _options(elsewhere)]
    except (Error, UnicodeDecodeError) as error:
        yield Check(_WHAT, f"its configuration cannot be read ({error})", "mend that file")
        return
    configured = [options for options in both if options is not None]
    faults = dict.fromkeys(fault for options in configured for fault in _faults(options))
    sound = Check(_WHAT, "its configuration is sound" if configured else "not configured here")
    yield from faults or [sound]


def _options(files: Sequence[str]) -> dict[str, str] | None:
    """What *files* say of Scrapyd together; None where they don't."""
    parser = ConfigParser(interpolation=None)
    parser.read([Path(file).expanduser() for file in files if file], "utf-8")
    if not parser.has_section(_SECTION):
        return None
    return {name: value.strip() for name, value in parser[_SECTION].items()}


def _faults(options: dict[str, str]) -> Iterator[Check]:
    if folder := options.get("items_dir"):
        yield Check(
            _WHAT,
            f"items_dir = {folder} puts another feed in the place of yours",
            "leave items_dir empty",
        )
    address = options.get("bind_address", "127.0.0.1")
    if not is_loopback(address) and not (options.get("username") and options.get("password")):
        yield Check(
            _WHAT,
            f"anybody who reaches {address} can run spiders",
            "bind_address = 127.0.0.1, or set username and password",
        )
    if not options.get("logs_dir", "logs"):
        yield Check(_WHAT, "it keeps no logs", "set logs_dir")
    if options.get("jobstorage", _FORGETFUL).endswith(_FORGETFUL):
        yield Check(
            _WHAT,
            "it forgets finished jobs when it is restarted",
            "jobstorage = scrapyd.jobstorage.SqliteJobStorage",
        )
