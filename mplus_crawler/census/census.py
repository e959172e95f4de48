"""The census of a harvest: its counts, and the verdict that they lead to."""

from __future__ import annotations

import logging
from typing import Any

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.utils.defer import deferred_from_coro

from mplus_crawler.census.counts import Counts
from mplus_crawler.census.verdict import Verdict
from mplus_crawler.errors import counted, one_line
from mplus_crawler.museum.components import Extension, Handlers

logger = logging.getLogger(__name__)

# Verdicts of harvests that ended before all records could be counted.
_CUT_SHORT = (Verdict.STOPPED, Verdict.REFUSED, Verdict.FAILED)
_LONGEST_REASON = 280  # characters, without the note on omitted reasons


class Census(Counts, Extension):
    """Extension: counts the records of one harvest and gives its verdict."""

    def __init__(self, crawler: Crawler) -> None:
        Counts.__init__(self)
        Extension.__init__(self, crawler)
        self._end: tuple[Verdict, str] | None = None
        self._close_reason: str | None = None

    def handlers(self) -> Handlers:
        """Return the handlers of Scrapy's signals."""
        return {signals.spider_closed: self._closed, signals.spider_error: self._error}

    @property
    def ended(self) -> bool:
        """Whether the harvest has been ended with a verdict."""
        return self._end is not None

    def problem(self, reason: str) -> None:
        """Record that something is missing: the harvest is incomplete for this *reason*."""
        reason = one_line(reason)
        if not self.problems[reason]:
            logger.error("incomplete: %s", reason)
        self.problems[reason] += 1

    def lost_page(self, reason: str) -> None:
        """Record rows that could not be fetched, unless the harvest is ending anyway."""
        if not self.ended and self._crawler.crawling:
            self.problem(reason)

    def end(self, verdict: Verdict, reason: str) -> None:
        """End the harvest with *verdict*, whatever was counted; the first verdict is kept."""
        if self._end is None:
            self._end = (verdict, one_line(reason))
            logger.error("%s: %s", *self._end)

    def stop(self, verdict: Verdict, reason: str) -> None:
        """:meth:`end` the harvest and close the spider."""
        self.end(verdict, reason)
        # While components are being opened there is no crawl to close; the throttle sends nothing.
        if self._crawler.engine.running:
            deferred_from_coro(self._crawler.engine.close_spider_async(reason=str(verdict)))

    @property
    def complete(self) -> bool:
        """Whether every record has been received, delivered or not."""
        return self._counted()[0].complete and not (self._end and self._end[0] in _CUT_SHORT)

    def verdict(self) -> tuple[Verdict, str]:
        """Return the verdict and its reason in one line."""
        return self._end or self._counted()

    def _counted(self) -> tuple[Verdict, str]:
        if self._close_reason == "shutdown":
            return Verdict.STOPPED, "stopped by a signal"
        if self._close_reason != "finished":
            return Verdict.STOPPED, f"the crawl was closed: {self._close_reason or 'killed'}"
        if missing := self._missing():
            return Verdict.INCOMPLETE, one_line(missing)
        allowed = self._crawler.settings.getfloat("MAX_REJECT_SHARE")
        if self.rejected + self.unreadable > allowed * self.accounted:
            return Verdict.CONTRACT_BROKEN, (
                f"{self.rejected} rejected and {self.unreadable} unreadable of "
                f"{counted(self.accounted, 'record')} are more than MAX_REJECT_SHARE "
                f"({allowed:g}) allows"
            )
        rows = self.accounted + self.duplicates
        if self._drifted:
            why = "rows moved during the harvest, or the museum's total is wrong"
            lists = "one list" if self._passes == 1 else f"{self._passes} lists"
            return Verdict.COMPLETE_WITH_DRIFT, (
                f"{why}; compared with {lists} of all ids, {self._accounted_for()}"
            )
        if self._listed not in (None, self.expected) and rows != self.expected:
            return Verdict.COMPLETE_WITH_DRIFT, (
                f"the museum reports {counted(self.expected or 0, 'record')}, and its response "
                f"lists {self._listed} different ones: all of these are accounted for"
            )
        more = counted(self.duplicates, "further row repeats", "further rows repeat")
        twins = f"; {more} an id" if self.duplicates else ""
        return Verdict.COMPLETE, f"{self._accounted_for()}{twins}"

    def _accounted_for(self) -> str:
        every = "" if self.accounted == 1 else "all "
        return f"{every}{counted(self.accounted, 'record is', 'records are')} accounted for"

    def _missing(self) -> str:
        """Why records are missing, or an empty string."""
        if self.problems:
            return _joined([*self.problems, *self.doubts])
        if self.expected is None:
            return "the museum reported no total"
        if self._passes:
            return ""
        if self.doubts:
            return _joined([*self.doubts])
        if len(self._totals) > 1 and self.limit is None:
            return f"the total changed while paging: {', '.join(map(str, sorted(self._totals)))}"
        counts_rows = self._at_once or self.limit is not None
        rows = self.accounted + (self.duplicates if counts_rows else 0)
        expected = self.expected if self._listed is None else self._listed
        # An equal row may be one that has moved; one with other content is a separate row.
        distinct = self.accounted + self.rejected_by["duplicate"]
        if expected not in (rows, distinct):
            return (
                f"{counted(expected, 'record was', 'records were')} expected, but "
                f"{counted(self.accounted, 'distinct one was', 'distinct ones were')} received"
                f" ({self.duplicates} repeated)"
            )
        return ""

    def _closed(self, reason: str) -> None:
        self._close_reason = reason

    def _error(self, failure: Any) -> None:
        self.problem(f"an error in our own code: {failure.getErrorMessage()}")


def _joined(reasons: list[str]) -> str:
    """*reasons* in one line of limited length; the certificate has all of them."""
    line = ""
    for number, reason in enumerate(reasons):
        if len(reason) > _LONGEST_REASON:
            reason = f"{reason[: _LONGEST_REASON - 1]}…"
        if line and len(line) + len(reason) > _LONGEST_REASON:
            return f"{line}; and {len(reasons) - number} more"
        line = f"{line}; {reason}" if line else reason
    return line
