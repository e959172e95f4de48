"""Item pipelines: normalise and validate records; write rejected ones to their own file."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from scrapy.crawler import Crawler
from scrapy.exceptions import DropItem

from mplus_crawler.census import Census
from mplus_crawler.errors import one_line
from mplus_crawler.feeds.publication import Publication
from mplus_crawler.feeds.sentinel import Sentinel
from mplus_crawler.museum.components import Component
from mplus_crawler.protocols.source import SourceRecord
from mplus_crawler.records.batch import Loss, Records, Row, json_line, stamp
from mplus_crawler.records.digest import digest
from mplus_crawler.records.items import ITEM_CLASSES, errors, volatile_columns
from mplus_crawler.records.rights import UNWRITTEN, Rights
from mplus_crawler.responses.sandboxed import SandboxWatch


class NormalisePipeline(Component):
    """Makes a row of each record: its columns, and those that the policy gives."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        spider, policy = self._museum, self._museum.policy
        self._columns = spider.columns
        self._uri = spider.uri
        self._booking = Publication.of(crawler).booking
        self._keep_for = timedelta(days=policy.retention_days)
        item_class = ITEM_CLASSES[spider.kind]
        self._blank: Row = {
            **dict.fromkeys(item_class.fields),
            "source": policy.name,
            "kind": item_class.jsonschema["properties"]["kind"]["const"],
            "licence": policy.licence,
            "attribution": UNWRITTEN,
        }
        if "licence_uri" in item_class.fields:
            self._blank["licence_uri"] = policy.licence_url

    def process_item(self, item: Records | Loss) -> Records | Loss:
        """Return *item* with a row for each of its members."""
        if isinstance(item, Loss):
            return item
        self._booking.hold(item.retrieved_at)
        envelope = {
            **self._blank,
            "retrieved_at": item.retrieved_at,
            "expires_at": self._expiry(item.retrieved_at),
        }
        for known_id, record in item.members:
            columns = self._columns(record, known_id) if isinstance(record, dict) else {}
            row = {**envelope, **columns, "record": record}
            if isinstance(id_ := row["id"], str):
                row["uri"] = self._uri(id_)
            item.rows.append(row)
        return item

    def _expiry(self, retrieved_at: str) -> str | None:
        """Return when content of *retrieved_at* must be refreshed or deleted; ``None``: never."""
        if not self._keep_for:
            return None
        return stamp(datetime.fromisoformat(retrieved_at) + self._keep_for)


class RightsPipeline(Component):
    """Settles the licences of each row by the museum's terms, and adds its credit line.

    Source and credit line of the sandbox's records say that these are invented.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._rights = Rights(self._museum.policy)
        self._watch = SandboxWatch.of(crawler)

    def process_item(self, item: Records | Loss) -> Records | Loss:
        """Return *item* with the rights of its rows settled."""
        if isinstance(item, Records):
            for row in item.rows:
                self._rights.settle(row)
                for column in ("source", "attribution") if self._watch.invented else ():
                    row[column] = row[column] and self._watch.named(row[column])
        return item


class DigestPipeline(Component):
    """Adds the digest of each row, when all of its other columns are final."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._volatile = volatile_columns(self._museum.kind)

    def process_item(self, item: Records | Loss) -> Records | Loss:
        """Return *item* with the digests of its rows."""
        if isinstance(item, Records):
            for row in item.rows:
                row["digest"] = digest(row, self._volatile)
        return item


class RowCheck(NamedTuple):
    """What is wrong with a row, if anything, and the *reason* for which it is then rejected."""

    reason: str
    faults: list[dict[str, str]]


class ValidatePipeline(Component):
    """Passes each valid row once; writes the others whole to the rejected file."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._census = Census.of(crawler)
        self._kind = self._museum.kind
        self._item_class = ITEM_CLASSES[self._kind]
        self._publication = Publication.of(crawler)
        self._sentinel = Sentinel.of(crawler)

    def process_item(self, item: Records | Loss) -> Records:
        """Return *item* with its valid and new rows; drop a loss into the rejected file."""
        if isinstance(item, Loss):
            self._lose(item)
            raise DropItem(f"{item.reason}: {item.id}", log_level="DEBUG")
        places = item.places or [(1, number) for number in range(1, len(item.rows) + 1)]
        passes = self._is_fuller if item.repeats else self._is_delivered
        # In a loop that does nothing else, validation takes a third less CPU.
        checks = [self._check(row) for row in item.rows]
        item.rows = [
            row
            for row, check, place in zip(item.rows, checks, places, strict=True)
            if passes(row, check, place)
        ]
        return item

    def _is_delivered(self, row: Row, check: RowCheck, place: tuple[int, int]) -> bool:
        """Whether *row* is valid and the first with its id; the others are kept or counted."""
        record, moment = row["record"], row["retrieved_at"]
        reason, faults = check
        record_id = row["id"] if isinstance(row["id"], str) else None
        if faults:
            is_new = self._census.reject(record_id, reason, row["digest"])
        else:
            is_new = self._census.deliver(row)
        if is_new:
            self._sentinel.add(record_id, record)
        elif self._census.duplicate(str(record_id), row["digest"]):
            reason = "duplicate"
            faults = faults or [{"path": "id", "message": "another row has this id"}]
        else:
            return False
        if faults:
            self._write(record_id, place, reason, faults, moment, record)
        return not faults

    def _is_fuller(self, row: Row, check: RowCheck, _place: tuple[int, int]) -> bool:
        """Whether *row* is valid, and has more columns than the one that it replaces."""
        if check.faults or not self._census.redeliver(row):
            return False
        self._sentinel.add(row["id"], row["record"])
        return True

    def _check(self, row: Row) -> RowCheck:
        record = row["record"]
        if isinstance(record, SourceRecord) and record.repeated:
            return RowCheck("repeated_name", [_repeats(name) for name in record.repeated])
        return RowCheck("schema", errors(self._item_class, row))

    def _lose(self, loss: Loss) -> None:
        self._census.lose(loss.id, loss.reason, loss.message)
        faults = [{"path": "", "message": one_line(loss.message)}]
        self._write(loss.id, loss.place, loss.reason, faults, None, None)

    def _write(
        self,
        record_id: str | None,
        place: tuple[int, int] | None,
        reason: str,
        faults: list[dict[str, str]],
        retrieved_at: str | None,
        record: object,
    ) -> None:
        line = {
            "id": record_id,
            **(dict(zip(("page", "position"), place or (), strict=False)) if not record_id else {}),
            "kind": self._kind,
            "reason": reason,
            "errors": faults,
            "retrieved_at": retrieved_at,
            "record": record,
        }
        self._publication.reject(json_line(line))


def _repeats(name: str) -> dict[str, str]:
    return {"path": "record", "message": f"repeated name: {name!r:.200}"}
