"""The sentinel: compares the shape of what came with that of the snapshot before."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from scrapy.crawler import Crawler

from mplus_crawler.census import Census
from mplus_crawler.museum.components import Extension
from mplus_crawler.museum.contract import Museum
from mplus_crawler.records.shape import Shape
from mplus_crawler.records.shape_changes import Promise, shape_changes

logger = logging.getLogger(__name__)


class Sentinel(Extension):
    """Keeps the shape of a harvest's records, and reports what changed; it never ends a harvest."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._census = Census.of(crawler)
        self._shape = Shape()
        self._reported: set[str] = set()

    def add(self, record_id: str | None, record: object) -> None:
        """Count the fields of a museum's *record*, which is valid or not."""
        self._shape.add(record_id, record, self._census.expected_last)

    def certified(self, former: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``shape`` and ``contract`` for the certificate.

        *former* is the certificate of the snapshot before; empty if there is none to compare with.
        """
        shape = self._shape.document()
        if "shape" not in former:
            return {"shape": shape, "contract": None}
        spider = Museum.of(self._crawler)
        promise = Promise.of(spider, spider.policy)
        changes = [promise.entry(change) for change in shape_changes(former["shape"], shape)]
        for change in changes:
            if change["message"] not in self._reported:
                self._reported.add(change["message"])
                logger.log(
                    logging.WARNING if change["breaking"] else logging.INFO, change["message"]
                )
        return {"shape": shape, "contract": {"former": former["run"], "changes": changes}}
