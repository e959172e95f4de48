"""Verdicts: the ways a harvest can end."""

from __future__ import annotations

from enum import StrEnum

from mplus_crawler.errors import ExitCode


class Verdict(StrEnum):
    """How a harvest ended."""

    COMPLETE = "complete"
    COMPLETE_WITH_DRIFT = "complete_with_drift"
    INCOMPLETE = "incomplete"
    STOPPED = "stopped"
    REFUSED = "refused"
    CONTRACT_BROKEN = "contract_broken"
    UNDELIVERED = "undelivered"
    HELD_BACK = "held_back"
    FAILED = "failed"

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of ``scrapy crawl`` for this verdict."""
        return _EXIT_CODES[self]

    @property
    def complete(self) -> bool:
        """Whether every record has been received."""
        return self in (Verdict.COMPLETE, Verdict.COMPLETE_WITH_DRIFT)


_EXIT_CODES = {
    Verdict.COMPLETE: ExitCode.COMPLETE,
    Verdict.COMPLETE_WITH_DRIFT: ExitCode.COMPLETE,
    Verdict.INCOMPLETE: ExitCode.INCOMPLETE,
    Verdict.STOPPED: ExitCode.STOPPED,
    Verdict.REFUSED: ExitCode.REFUSED,
    Verdict.CONTRACT_BROKEN: ExitCode.CONTRACT_BROKEN,
    Verdict.UNDELIVERED: ExitCode.UNDELIVERED,
    Verdict.HELD_BACK: ExitCode.HELD_BACK,
    Verdict.FAILED: ExitCode.FAILED,
}
