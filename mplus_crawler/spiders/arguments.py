"""Spider arguments: what each may be, and the spelling that the museum reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date

from mplus_crawler.errors import UsageError

Parser = Callable[[str], str]


def parse_arguments(
    spider: str, allowed: Mapping[str, Parser], given: Mapping[str, str]
) -> dict[str, str]:
    """*given* arguments in the museum's spelling.

    Raises :class:`UsageError` that names the allowed ones for one that is unknown, and what
    is wrong for one that is malformed. Names that begin with ``_`` are a scheduler's own
    (Scrapyd passes ``_job``) and are passed over.
    """
    parsed = {}
    for name, value in given.items():
        if name.startswith("_"):
            continue
        if name not in allowed:
            raise UsageError(
                f"{spider} has no argument {name!r}; it takes {', '.join(sorted(allowed))}"
            )
        try:
            value.encode()
            parsed[name] = allowed[name](value)
        except ValueError as error:
            raise UsageError(f"{spider}: {name}={value} is not valid: {error}") from None
    return parsed


def day(value: str) -> str:
    """A date, YYYY-MM-DD."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError("write a date as YYYY-MM-DD")
    return date.fromisoformat(value).isoformat()


def whole(least: int, most: int | None = None) -> Parser:
    """A whole number from *least* to *most*."""

    def parse(value: str) -> str:
        number = int(value) if re.fullmatch(r"\d{1,9}", value) else -1
        if number < least or (most is not None and number > most):
            bounds = f"from {least}" + (f" to {most}" if most is not None else "")
            raise ValueError(f"write a whole number {bounds}")
        return str(number)

    return parse


def year(value: str) -> str:
    """A year, negative before our era."""
    if not re.fullmatch(r"-?\d{1,4}", value):
        raise ValueError("write a year")
    return value


def years(value: str) -> str:
    """Two years, FROM/TO."""
    if not re.fullmatch(r"-?\d{1,4}/-?\d{1,4}", value):
        raise ValueError("write two years as FROM/TO")
    return value


def yes(value: str) -> str:
    """``true``: the museum has no filter for the contrary and would ignore it."""
    if flag(value) != "true":
        raise ValueError("the museum filters by true only; leave it out for all")
    return "true"


def flag(value: str) -> str:
    """``true`` or ``false``, in lower case, which is all that the museum reads."""
    word = value.strip().lower()
    if word in ("true", "1", "yes"):
        return "true"
    if word in ("false", "0", "no"):
        return "false"
    raise ValueError("write true or false")


def one_of(*words: str) -> Parser:
    """One of *words*, in any case."""

    def parse(value: str) -> str:
        for word in words:
            if value.strip().lower() == word.lower():
                return word
        raise ValueError(f"write one of {', '.join(words)}")

    return parse


def text(value: str) -> str:
    """Anything but nothing."""
    if not value.strip():
        raise ValueError("it is empty")
    return value


def without(characters: str) -> Parser:
    """Text without *characters*, on which the museum's server fails."""

    def parse(value: str) -> str:
        if found := set(characters) & set(value):
            raise ValueError(f"the museum's server fails on {' '.join(sorted(found))}")
        return text(value)

    return parse


def some_of(*words: str) -> Parser:
    """Some of *words*, in any case, with commas between them."""
    one = one_of(*words)

    def parse(value: str) -> str:
        return ",".join(sorted({one(word) for word in value.split(",")}))

    return parse
