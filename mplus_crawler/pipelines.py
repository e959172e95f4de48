"""What happens to a record on its way to the feeds: normalised, validated, kept or quarantined."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import orjson
from scrapy.crawler import Crawler
from scrapy.exceptions import DropItem

from mplus_crawler.census import Census
from mplus_crawler.cidoc import FLATTEN
from mplus_crawler.items import SchemaItem, errors
from mplus_crawler.publication import Publication
from mplus_crawler.spiders.base import MuseumSpider


class NormalisePipeline:
    """Fills the columns from the record, and the envelope from the policy."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """The pipeline of *crawler*."""
        return cls(crawler)

    def open_spider(self) -> None:
        """Take from policy and spider what every record gets."""
        spider = MuseumSpider.of(self._crawler)
        policy = spider.policy
        self._flatten = FLATTEN[spider.kind]
        self._canonical = spider.canonical
        self._envelope = {
            "source": policy.name,
            "kind": spider.kind,
            "licence": policy.licence,
            "attribution": policy.attribution,
            "expires_at": None,
        }

    def process_item(self, item: SchemaItem) -> SchemaItem:
        """*item* with all its columns, as far as its record gives them."""
        record = item["record"]
        if isinstance(record, dict):
            item.update(self._flatten(record, self._canonical, item.get("id")))
        item.update(self._envelope)
        item["url"] = item["id"]
        return item


class ValidatePipeline:
    """Lets valid records pass once; sends the others whole to the rejected file."""

    def __init__(self, crawler: Crawler) -> None:
        self._census = Census.of(crawler)
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """The pipeline of *crawler*."""
        return cls(crawler)

    def open_spider(self) -> None:
        """Open the rejected file."""
        self._rejected = Publication.of(self._crawler).rejected()

    def process_item(self, item: SchemaItem) -> SchemaItem:
        """*item*, if it is valid and new."""
        faults = errors(item)
        if not faults:
            if self._census.admit(item["id"]):
                return item
            raise DropItem(f"a second time: {item['id']}", log_level="DEBUG")
        record_id = item["id"] if isinstance(item["id"], str) else None
        if self._census.reject(record_id):
            self._quarantine(item, record_id, faults)
        raise DropItem(f"rejected: {record_id}: {faults[0]}", log_level="DEBUG")

    def _quarantine(
        self, item: SchemaItem, record_id: str | None, faults: list[dict[str, str]]
    ) -> None:
        line: dict[str, Any] = {
            "id": record_id,
            "kind": item["kind"],
            "reason": "schema",
            "errors": faults,
            "retrieved_at": item["retrieved_at"],
            "record": item["record"],
        }
        self._rejected.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
