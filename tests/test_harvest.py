"""Each collection, harvested whole: what the museum has is what comes out."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mplus_crawler.records.items import ITEM_CLASSES, errors
from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Crawl, Scrapy, limit

UNLIMITED = limit(1_000_000, 1)
SIZES = {"objects": 1230, "agents": 260, "exhibitions": 110, "concepts": 330}


@pytest.fixture(scope="module")
def whole_museum() -> Iterator[Sandbox]:
    with Sandbox(**SIZES, limits="off") as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("spider", "kind"),
    [
        ("objects", "object"),
        ("agents", "agent"),
        ("exhibitions", "exhibition"),
        ("concepts", "concept"),
    ],
)
def test_a_collection_comes_out_whole(
    whole_museum: Sandbox, scrapy: Scrapy, spider: str, kind: str
) -> None:
    truth, total = whole_museum.truth()[spider], SIZES[spider]
    crawl = scrapy.at(whole_museum).policy(UNLIMITED).crawl(spider)
    assert crawl.code == 0, crawl.err
    ids = [record["id"] for record in crawl.records]
    rejected = [record["id"] for record in crawl.rejected]
    assert len(ids) == len(set(ids))
    assert sorted(rejected) == sorted(truth["invalid"])
    assert sorted(ids + rejected) == sorted(truth["ids"])
    assert len(truth["ids"]) == total
    check_certificate(crawl, total, ids, len(rejected))
    item_class = ITEM_CLASSES[kind]
    assert not any(errors(item_class, record) for record in crawl.records)
    nameless = {record["id"] for record in crawl.records if "@id" not in record["record"]}
    assert nameless == {*truth["null"]} - {*rejected}, "they go by the ids of their stubs"
    if spider == "objects":
        assert nameless


def check_certificate(crawl: Crawl, total: int, ids: list[str], rejected: int) -> None:
    certificate = crawl.certificate
    assert certificate["verdict"] == "complete"
    assert certificate["exit_code"] == 0
    assert certificate["expected"] == {"first": total, "last": total}
    assert certificate["unique"] == len(ids)
    assert certificate["rejected"] == rejected
    assert certificate["duplicates"] == certificate["unreadable"] == 0
    assert certificate["id_digest"] == hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()
    assert certificate["resume"] is None
    (feed,) = certificate["feeds"]
    content = Path(feed["uri"]).read_bytes()
    assert feed["items"] == len(ids)
    assert feed["bytes"] == len(content)
    assert feed["sha256"] == hashlib.sha256(content).hexdigest()


def test_the_record_is_the_museums_own(museum: Callable[..., Sandbox], scrapy: Scrapy) -> None:
    sandbox = museum(objects=150, invalid=0)
    import orjson

    from tests.wire import get

    crawl = scrapy.at(sandbox).policy(UNLIMITED).crawl("objects")
    pages = [
        orjson.loads(get(f"{sandbox.base_url}id/objects?fullRecord=true&itemsPerPage=100&page={n}"))
        for n in (1, 2)
    ]
    members = [member for page in pages for member in page["hydra:member"]]
    by_id = {record["record"].get("@id"): record["record"] for record in crawl.records}
    for member in members:
        if "@id" in member:
            assert by_id[member["@id"]] == member


def test_json_lines_and_csv_of_one_run_agree_and_no_cell_is_a_formula(
    museum: Callable[..., Sandbox], scrapy: Scrapy, tmp_path: Path
) -> None:
    lines, table = tmp_path / "objects.jsonl", tmp_path / "objects.csv"
    crawl = (
        scrapy.at(museum(objects=400))
        .policy(UNLIMITED)
        .crawl("objects", "-O", str(lines), "-O", str(table))
    )
    assert crawl.code == 0, crawl.err
    assert not (crawl.folder / "objects.jsonl").exists()
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    records = crawl.lines(str(lines))
    assert [row["id"] for row in rows] == [record["id"] for record in records]
    for row, record in zip(rows, records, strict=True):
        assert list(row) == list(record)
        assert row["makers"] == " | ".join(record["makers"]) or row["makers"].startswith("'")
        assert row["date_begin"] == (
            "" if record["date_begin"] is None else str(record["date_begin"])
        )
        assert not any(cell.startswith(("=", "+", "@", "\t", "\r")) for cell in row.values())
    titles = [record["title_nl"] or "" for record in records]
    assert any(title[:1] in "=+-@" and title for title in titles), "the museum has traps"


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        (["-a", "type=vaas", "-a", "hasImages=True"], "type=vaas&hasImages=true"),
        (["-a", "onDisplay=False"], "onDisplay=false"),
        (["-a", "since=2026-05-01"], "modifiedSince=2026-05-01"),
        (["-a", "page_size=37"], ""),
    ],
)
def test_filters_reach_the_museum_in_its_own_spelling(
    whole_museum: Sandbox, scrapy: Scrapy, arguments: list[str], query: str
) -> None:
    import orjson

    from tests.wire import get

    expected = orjson.loads(get(f"{whole_museum.base_url}id/objects?{query}"))["hydra:totalItems"]
    crawl = scrapy.at(whole_museum).policy(UNLIMITED).crawl("objects", *arguments)
    assert crawl.code == 0, crawl.err
    assert crawl.certificate["expected"]["last"] == expected
    assert len(crawl.records) + len(crawl.rejected) == expected > 0


def test_limit_requests_no_more_pages_than_it_needs(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=600, invalid=0)
    crawl = scrapy.at(sandbox).policy(UNLIMITED).crawl("objects", "-a", "limit=150")
    assert crawl.code == 0, crawl.err
    assert len(crawl.records) == 150
    assert crawl.certificate["arguments"] == {"limit": "150"}
    assert sandbox.stats()["tiers"]["collections"]["requests"] <= 4


def test_an_empty_response_to_a_filter_is_complete(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    crawl = scrapy.at(museum(objects=100)).crawl("objects", "-a", "type=nietbestaand")
    assert crawl.code == 0, crawl.err
    assert crawl.records == []
    assert crawl.certificate["expected"]["last"] == 0
