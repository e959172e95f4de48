"""Checks of the values of settings: numbers, switches, and names of Python objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any

from scrapy.settings import BaseSettings, default_settings
from scrapy.utils.misc import load_object

from mplus_crawler.errors import UsageError, one_line

# Minimum and maximum by name; a minimum that is an int requires a whole number. Where the minimum
# is 1, Scrapy would wait for ever with 0.
_NUMBERS = {
    "RATE_SHARE": (0.01, 1.0),
    "THROTTLE_MAX_WAIT": (0.0, float("inf")),
    "LOOKAHEAD": (1, 64),
    "MAX_REJECT_SHARE": (0.0, 1.0),
    "MAX_DELETE_SHARE": (0.0, 1.0),
    "RESUME_MAX_AGE": (0.0, float("inf")),
    "LOGSTATS_INTERVAL": (0.0, float("inf")),
    "DOWNLOAD_TIMEOUT": (0.001, float("inf")),
    "RETRY_TIMES": (0, 1000),
    "CONCURRENT_REQUESTS": (1, 1000),
    "CONCURRENT_REQUESTS_PER_DOMAIN": (1, 1000),
    "CONCURRENT_ITEMS": (1, 1000),
    "REACTOR_THREADPOOL_MAXSIZE": (1, 1000),
    "SCRAPER_SLOT_MAX_ACTIVE_SIZE": (1, float("inf")),
    "AUTOTHROTTLE_TARGET_CONCURRENCY": (0.01, 1000.0),
    "DOWNLOAD_DELAY": (0.0, float("inf")),
    "DOWNLOAD_MAXSIZE": (0, float("inf")),
    "CLOSESPIDER_TIMEOUT": (0.0, float("inf")),
}
_OPTIONAL = ("LOOKAHEAD",)  # a policy says what is used instead
_SWITCHES = ("DOWNLOAD_VERIFY_CERTIFICATES", "TELNETCONSOLE_ENABLED", "REMOTE_CONTROL_ENABLED")
# Scrapy's defaults for some of these are whole numbers.
_SECONDS = ("_DELAY", "_INTERVAL", "_TIMEOUT")


def check_values(settings: BaseSettings) -> None:
    """Raise :class:`UsageError` for a value that is out of range or not among the allowed ones."""
    for name, (least, most) in _NUMBERS.items():
        if name in _OPTIONAL and settings[name] is None:
            continue
        try:
            number = float(settings[name])
        except (TypeError, ValueError):
            number = float("nan")
        if isinstance(least, int) and not number.is_integer():
            number = float("nan")
        if not least <= number <= most:
            kind = "whole number" if isinstance(least, int) else "number"
            raise UsageError(f"{name}={settings[name]} must be a {kind} from {least:g} to {most:g}")
    contact = settings["CONTACT_URL"] or ""
    if not (contact.isascii() and contact.isprintable()) or set(" ()") & set(contact):
        raise UsageError("CONTACT_URL must be an address without spaces, such as mailto:me@host")
    for name in _SWITCHES:
        _parse(name, settings, settings.getbool, "True or False")
    if settings["RECORD"] not in (None, "0", "1"):
        raise UsageError(f"RECORD={settings['RECORD']} must be 0 or 1")


def check_given(settings: BaseSettings, given: Iterable[str]) -> None:
    """Raise :class:`UsageError` if Scrapy cannot use one of the ``NAME=VALUE`` pairs *given*.

    The value must be of the same kind as Scrapy's default, such as a number or a class's path.
    """
    for name in (pair.partition("=")[0] for pair in given):
        default = getattr(default_settings, name, None)
        match default:
            case bool():
                _parse(name, settings, settings.getbool, "True or False")
            case int() if not name.endswith(_SECONDS):
                _parse(name, settings, settings.getint, "a whole number")
            case int() | float():
                _parse(name, settings, settings.getfloat, "a number")
        for path in _paths(name, settings, default):
            _load(name, path, import_module if name == "SPIDER_MODULES" else load_object)


def check_objects(given: Iterable[str]) -> None:
    """Raise :class:`UsageError` for a ``NAME=VALUE`` that must be a JSON object and is not.

    Call it before Scrapy reads the pairs, which it does without any check.
    """
    for name, _, value in (pair.partition("=") for pair in given):
        if isinstance(getattr(default_settings, name, None), dict):
            try:
                found = json.loads(value)
            except ValueError:
                found = None
            if not isinstance(found, dict):
                raise UsageError(f"{name} must be a JSON object, such as '{{\"name\": 1}}'")


def _paths(name: str, settings: BaseSettings, default: object) -> Iterator[Any]:
    """Yield the dotted names of Python objects that the setting *name* holds."""
    if name == "SPIDER_MODULES":
        yield from settings.getlist(name)
    elif name == "ADDONS" or hasattr(default_settings, f"{name}_BASE"):
        # Components by their order, or by what they are for; None disables one.
        for key, value in settings.getdict(name).items():
            if value is not None:
                yield value if isinstance(value, str) else key
    elif name == "ASYNCIO_EVENT_LOOP" or (
        isinstance(default, str)
        and default.startswith(("scrapy.", "twisted."))
        and name != "REFERRER_POLICY"  # also takes the names of policies
    ):
        yield settings[name]


def _parse(
    name: str, settings: BaseSettings, parse: Callable[[str], object], required: str
) -> None:
    try:
        parse(name)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{name}={settings[name]} must be {required}") from None


def _load(name: str, path: Any, load: Callable[[Any], object]) -> None:
    try:
        load(path)
    except Exception as error:  # a module of the user's may raise anything
        said = one_line(f"{type(error).__name__}: {error}")
        raise UsageError(f"{name}: {path} cannot be loaded ({said})") from None
