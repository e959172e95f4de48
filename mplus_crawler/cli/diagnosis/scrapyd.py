"""Checks of Scrapyd's configuration, if there is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from configparser import ConfigParser, Error
from pathlib import Path

from scrapy.utils.conf import closest_scrapy_cfg

from mplus_crawler.cli.diagnosis.check import Check
from mplus_crawler.wire.addresses import is_loopback

_NAME = "Scrapyd"
_SECTION = "scrapyd"
_IN_MEMORY = "MemoryJobStorage"


def configuration() -> Iterator[Check]:
    """Check ``scrapyd.conf`` and ``scrapy.cfg``, of which the later one wins, as in Scrapyd.

    A Scrapyd started in another folder reads no ``scrapy.cfg`` of this project, so the check is
    made with it and without.
    """
    elsewhere = ["/etc/scrapyd/scrapyd.conf", "scrapyd.conf", "~/.scrapyd.conf"]
    try:
        both = [_options([*elsewhere, closest_scrapy_cfg()]), _options(elsewhere)]
    except (Error, UnicodeDecodeError) as error:
        yield Check(_NAME, f"its configuration cannot be read ({error})", "correct that file")
        return
    configured = [options for options in both if options is not None]
    problems = dict.fromkeys(problem for options in configured for problem in _problems(options))
    safe = Check(_NAME, "its configuration is safe" if configured else "not configured here")
    yield from problems or [safe]


def _options(files: Sequence[str]) -> dict[str, str] | None:
    """Return the options for Scrapyd in *files*; None if there are none."""
    parser = ConfigParser(interpolation=None)
    parser.read([Path(file).expanduser() for file in files if file], "utf-8")
    if not parser.has_section(_SECTION):
        return None
    return {name: value.strip() for name, value in parser[_SECTION].items()}


def _problems(options: dict[str, str]) -> Iterator[Check]:
    if folder := options.get("items_dir"):
        yield Check(
            _NAME,
            f"items_dir = {folder} makes Scrapyd write another feed instead of yours",
            "leave items_dir empty",
        )
    address = options.get("bind_address", "127.0.0.1")
    if not is_loopback(address) and not (options.get("username") and options.get("password")):
        yield Check(
            _NAME,
            f"anyone who can connect to {address} can run spiders",
            "bind_address = 127.0.0.1, or set username and password",
        )
    if not options.get("logs_dir", "logs"):
        yield Check(_NAME, "it writes no logs", "set logs_dir")
    if options.get("jobstorage", _IN_MEMORY).endswith(_IN_MEMORY):
        yield Check(
            _NAME,
            "it forgets finished jobs when it is restarted",
            "jobstorage = scrapyd.jobstorage.SqliteJobStorage",
        )
