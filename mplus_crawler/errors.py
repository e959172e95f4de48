"""Errors that a person can fix, and the exit codes that scripts read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """Exit codes of ``scrapy crawl``."""

    COMPLETE = 0
    FAILED = 1
    USAGE = 2
    INCOMPLETE = 10
    STOPPED = 11
    REFUSED = 12
    CONTRACT_BROKEN = 13
    UNDELIVERED = 14
    HELD_BACK = 15


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """Return one exit code for several harvests: 1 if any has it, otherwise the highest."""
    ended = set(codes)
    return ExitCode.FAILED if ExitCode.FAILED in ended else max(ended, default=ExitCode.COMPLETE)


# Characters of a message that quotes a server.
LONGEST_MESSAGE = 300


def printable(text: str) -> str:
    """Return *text* as one line without repeated spaces.

    Control characters, line breaks, terminal escapes and marks of writing direction become spaces.
    """
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(text.split())


def one_line(text: str) -> str:
    """Return *text* as one printable line of at most :data:`LONGEST_MESSAGE` characters.

    Texts from servers pass through here on their way to logs, summary and certificate.
    """
    line = printable(text[: 10 * LONGEST_MESSAGE])
    return line if len(line) <= LONGEST_MESSAGE else f"{line[: LONGEST_MESSAGE - 1]}…"


def counted(number: int, one: str, many: str = "") -> str:
    """Return "1 entry", "2,000 entries"; *many* is the plural if *one* has a verb ("row is")."""
    if number == 1:
        return f"1 {one}"
    return f"{number:,} {many or re.sub('(?<![aeou])y$', 'ie', one) + 's'}"


class HarvestError(Exception):
    """An error that a person can fix: one line of text, and an exit code for scripts."""

    exit_code = ExitCode.FAILED

    def __str__(self) -> str:
        return printable(super().__str__())


class DeliveryError(HarvestError):
    """Output or state cannot be written."""

    exit_code = ExitCode.UNDELIVERED


class UsageError(HarvestError):
    """An argument, setting or policy file is wrong; nothing was requested."""

    exit_code = ExitCode.USAGE


class AccessDeniedError(HarvestError):
    """The museum requires a key that is not set; nothing was requested."""

    exit_code = ExitCode.REFUSED


class StoppedError(HarvestError):
    """Interrupted before the first request."""

    exit_code = ExitCode.STOPPED


class InvalidResponseError(Exception):
    """The response is not what was requested; requesting it again may help.

    *page* is what could be read of it, for use when no retry helps.
    """

    def __init__(self, reason: str, page: Any = None) -> None:
        super().__init__(one_line(reason))
        self.page = page


class UnreadableResponseError(InvalidResponseError):
    """The response begins and ends like a JSON object, but cannot be parsed.

    If the same error occurs twice, a record in the response is the cause, and another request does
    not help.
    """
