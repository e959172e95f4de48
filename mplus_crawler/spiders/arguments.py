"""Spider arguments: parsers that check a value and return it as the museum spells it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from difflib import get_close_matches

from mplus_crawler.errors import UsageError

Parser = Callable[[str], str]


def parse_arguments(
    spider: str, allowed: Mapping[str, Parser], given: Mapping[str, str]
) -> dict[str, str]:
    """Return the *given* arguments as the museum spells them.

    Raise :class:`UsageError` for an unknown argument, naming the allowed ones, and for a malformed
    value. Names that begin with ``_`` belong to a scheduler (Scrapyd passes ``_job``) and are
    ignored.
    """
    parsed = {}
    for name, value in given.items():
        if name.startswith("_"):
            continue
        if name not in allowed:
            near = get_close_matches(name, allowed, 1)
            advice = f"did you mean {near[0]}? The arguments are" if near else "the arguments are"
            known = ", ".join(sorted(allowed))
            raise UsageError(f"{spider} has no argument {name!r}; {advice} {known}")
        try:
            value.encode()
            parsed[name] = allowed[name](value)
        except ValueError as error:
            raise UsageError(f"{spider}: {name}={value} is not valid: {error}") from None
    return parsed


def day(value: str) -> str:
    """Return a date, YYYY-MM-DD."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError(f"write a date as YYYY-MM-DD{_instead(value)}")
    return date.fromisoformat(value).isoformat()


def _instead(value: str) -> str:
    """Return the date *value* as it should be written, if day, month and year are clear."""
    with suppress(TypeError, ValueError):
        found = re.fullmatch(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})", value.strip())
        day, month, year = map(int, found.groups()) if found else (0, 0, 0)
        if found and (found[0].count(".") == 2 or day > 12):  # 5/1 is May in some countries
            return f": {date(year, month, day)}"
    return ""


def whole(least: int, most: int | None = None) -> Parser:
    """Return a parser of whole numbers from *least* to *most*."""

    def parse(value: str) -> str:
        number = int(value) if re.fullmatch(r"\d{1,9}", value) else -1
        if number < least or (most is not None and number > most):
            bounds = f"from {least}" + (f" to {most}" if most is not None else "")
            raise ValueError(f"write a whole number {bounds}")
        return str(number)

    return parse


def year(value: str) -> str:
    """Return a year; years BCE are negative."""
    if not re.fullmatch(r"-?\d{1,4}", value):
        raise ValueError("write a year")
    return value


def years(value: str) -> str:
    """Return two years, FROM/TO."""
    if not re.fullmatch(r"-?\d{1,4}/-?\d{1,4}", value):
        raise ValueError("write two years as FROM/TO")
    return value


def yes(value: str) -> str:
    """Return ``true``; the museum ignores ``false``, so it is refused."""
    if flag(value) != "true":
        raise ValueError("the museum only filters by true; omit the argument for all records")
    return "true"


def run_id(value: str) -> str:
    """Return the name of a run, as certificates have it."""
    if not re.fullmatch(r"\d{8}T\d{6}Z-\d+", value.strip()):
        raise ValueError("write the run as its certificate does, such as 20261128T120000Z-4711")
    return value.strip()


def flag(value: str) -> str:
    """Return ``true`` or ``false`` in lower case, as the museum requires."""
    word = value.strip().lower()
    if word in ("true", "1", "yes"):
        return "true"
    if word in ("false", "0", "no"):
        return "false"
    raise ValueError("write true or false")


def one_of(*words: str) -> Parser:
    """Return a parser of one of *words*, in any case."""

    def parse(value: str) -> str:
        for word in words:
            if value.strip().lower() == word.lower():
                return word
        raise ValueError(f"write one of {', '.join(words)}")

    return parse


def text(value: str) -> str:
    """Return text that is not empty."""
    if not value.strip():
        raise ValueError("it is empty")
    return value


def without(characters: str) -> Parser:
    """Return a parser of text without *characters*, which break the museum's server."""

    def parse(value: str) -> str:
        if found := set(characters) & set(value):
            raise ValueError(f"the museum's server fails on {' '.join(sorted(found))}")
        return text(value)

    return parse


def some_of(*words: str) -> Parser:
    """Return a parser of some of *words*, separated by commas, in any case."""
    one = one_of(*words)

    def parse(value: str) -> str:
        return ",".join(sorted({one(word) for word in value.split(",")}))

    return parse
