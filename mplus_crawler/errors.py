"""The ways a command can end, as the exit codes that scripts read."""

from __future__ import annotations

import sys
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


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """One exit code for several harvests: the highest, but a failure is worse than any verdict."""
    ended = set(codes)
    return ExitCode.FAILED if ExitCode.FAILED in ended else max(ended, default=ExitCode.COMPLETE)


class HarvestError(Exception):
    """Something a person can cause and mend: one line for them, one exit code for scripts."""

    exit_code = ExitCode.FAILED

    def __str__(self) -> str:
        return " ".join(super().__str__().split())


def refused(fault: HarvestError) -> ExitCode:
    """Say what is wrong on standard error; the exit code that goes with it."""
    print(f"error: {fault}", file=sys.stderr)
    return fault.exit_code


class DeliveryError(HarvestError):
    """A place that output or state cannot be written to."""

    exit_code = ExitCode.UNDELIVERED


class UsageError(HarvestError):
    """A wrong argument, setting or policy file; nothing was requested."""

    exit_code = ExitCode.USAGE


class AccessDeniedError(HarvestError):
    """The museum asks for a key that is not there; nothing was requested."""

    exit_code = ExitCode.REFUSED


class StoppedError(HarvestError):
    """Ctrl-C, or whoever else wants an end; nothing was requested."""

    exit_code = ExitCode.STOPPED


class InvalidResponseError(Exception):
    """An answer that is not what was asked for, and worth asking for again.

    *page* is what could be read of it all the same: worth having when asking again is no use.
    """

    def __init__(self, reason: str, page: Any = None) -> None:
        super().__init__(reason)
        self.page = page
