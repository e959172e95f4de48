"""Columns load into typed tables by their schemas alone, and mean the same in every source."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from mplus_crawler.records.items import ITEM_CLASSES
from tests.every_kind import Feeds, rows, spider_kind
from tests.tables import column_types, load


@pytest.mark.parametrize("kind", ITEM_CLASSES)
def test_a_schema_says_the_type_of_every_column(kind: str) -> None:
    types = column_types(kind)
    assert types["record"] == "JSON"
    for name, type_ in types.items():
        assert "JSON" not in type_ or name == "record", (name, type_)
        if name in ("id", "uri") or name.endswith(("_id", "_number")):
            assert type_ == "VARCHAR", (name, type_)
        if name.endswith("_ids"):
            assert type_ == "VARCHAR[]", (name, type_)


def test_every_feed_loads_without_inference_and_unchanged(feeds: Feeds) -> None:
    database = duckdb.connect()
    for spider, feed in feeds.items():
        kind = spider_kind(spider)
        load(database, spider, kind, feed)
        names = [name for name in column_types(kind) if name != "record"]
        listed = ", ".join(f'"{name}"' for name in names)
        loaded = database.execute(f"SELECT {listed} FROM {spider} ORDER BY id").fetchall()
        expected = sorted(rows(feed), key=lambda row: row["id"].encode())
        assert len(loaded) == len(expected), spider
        for got, row in zip(loaded, expected, strict=True):
            for name, value in zip(names, got, strict=True):
                assert value == row[name], (spider, row["id"], name)


def test_what_only_one_source_fills_is_marked_so(feeds: Feeds) -> None:
    for kind, api, published in (
        ("mplus_object", "mplus_objects", "mplus_open_objects"),
        ("mplus_constituent", "mplus_constituents", "mplus_open_constituents"),
    ):
        columns = ITEM_CLASSES[kind].jsonschema["properties"]
        only_api = {name for name, rule in columns.items() if rule.get("only") == "api"}
        filled = {name: _filled(rows(feeds[name])) for name in (api, published)}
        assert not only_api & filled[published]
        # Of films and scans, which the sample of the set has not.
        assert (
            filled[api] - filled[published] - {"height_px", "width_px", "durations_s"} <= only_api
        )
        assert filled[published] <= filled[api] | {"notes"}


def _filled(records: list[dict[str, Any]]) -> set[str]:
    return {name for row in records for name, value in row.items() if value not in (None, [])}


def test_a_list_is_never_a_text(feeds: Feeds) -> None:
    for spider, feed in feeds.items():
        shapes: dict[str, set[str]] = {}
        for row in rows(feed):
            for name, value in row.items():
                if value is not None and name != "record":
                    shapes.setdefault(name, set()).add(type(value).__name__)
        mixed = {name: found for name, found in shapes.items() if len(found) > 1}
        assert all(found == {"int", "float"} for found in mixed.values()), (spider, mixed)
