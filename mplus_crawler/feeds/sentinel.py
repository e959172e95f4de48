"""The sentinel: compares the shape of the records with that of the snapshot before."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

from scrapy.crawler import Crawler

from mplus_crawler.census import Census, Verdict
from mplus_crawler.errors import counted
from mplus_crawler.museum.components import Extension
from mplus_crawler.records.shape import Shape
from mplus_crawler.records.shape_changes import Promise, ShapeChange, shape_changes
from mplus_crawler.wire.throttle import Throttle

_GONE = {"404", "410"}
_MOST_NOTES = 5
logger = logging.getLogger(__name__)


class Sentinel(Extension):
    """Keeps the shape of a harvest's records, and reports what changed; it never ends a harvest."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._shape = Shape()
        self._reported: set[str] = set()

    @cached_property
    def _census(self) -> Census:
        return Census.of(self._crawler)

    def add(self, record_id: str | None, record: object) -> None:
        """Count the fields of a museum's *record*, valid or not."""
        self._shape.add(record_id, record, self._census.expected_last)

    def certified(self, run: str, former: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``shape`` and ``contract`` for the certificate of *run*; additions become notes.

        *former* is the certificate of the snapshot before; empty if there is none to compare with.
        A selection of the records is not compared: it may differ from the former selection. A run
        that was killed at its end, and publishes again, keeps its first findings.
        """
        shape = self._shape.document()
        if former.get("run") == run:
            return {"shape": shape, "contract": former.get("contract")}
        gone = self._lost_endpoint()
        if "shape" not in former or not (gone or self._is_whole):
            return {"shape": shape, "contract": None}
        spider = self._museum
        promise = Promise.of(spider, spider.policy)
        found = gone or shape_changes(former["shape"], shape)
        changes = [promise.entry(change) for change in found if change.breaking]
        self._report([change["message"] for change in changes], logger.warning)
        added = [promise.message(change) for change in found if not change.breaking]
        if left := len(added[_MOST_NOTES:]):
            added[_MOST_NOTES:] = [
                f"{counted(left, 'more addition')}: scrapy contract {spider.name}"
            ]
        self._report(added, self._census.note)
        return {"shape": shape, "contract": {"former": former["run"], "changes": changes}}

    @property
    def _is_whole(self) -> bool:
        """Whether all records were received, valid or not."""
        verdict = self._census.verdict()[0]
        return verdict.complete or verdict is Verdict.CONTRACT_BROKEN

    def _lost_endpoint(self) -> list[ShapeChange]:
        """Return the loss of the endpoint, if it has responded with 404 or 410 only."""
        statuses = Throttle.of(self._crawler).statuses.keys()
        if not statuses or not statuses <= _GONE:
            return []
        spider = self._museum.name
        what = f"the endpoint of {spider} responds with {' and '.join(sorted(statuses))} only"
        return [ShapeChange("endpoint", "", what)]

    def _report(self, messages: Iterable[str], report: Callable[[str], None]) -> None:
        """Report each of *messages* once; a certificate may be made several times."""
        for message in messages:
            if message not in self._reported:
                self._reported.add(message)
                report(message)
