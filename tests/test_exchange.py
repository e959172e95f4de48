"""Responses recorded from the museum's own server software, harvested as they came."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from mplus_crawler.records.items import ITEM_CLASSES, errors
from tests.conftest import Scrapy
from tests.wire import RawResponse, serving

FIXTURES = Path(__file__).parent / "fixtures" / "dmg"
# The server sets these itself.
OWN = {"content-length", "date", "connection", "keep-alive"}


def recorded(name: str) -> RawResponse:
    """The response in ``NAME.txt``: comment, status line, headers, empty line, body."""
    head, _, body = (FIXTURES / f"{name}.txt").read_bytes().partition(b"\r\n\r\n")
    _, status, *fields = head.decode().splitlines()
    headers = [(key, value) for key, _, value in (field.partition(": ") for field in fields)]
    return (
        int(status.split()[1]),
        [(key, value) for key, value in headers if key.lower() not in OWN],
        body.rstrip(b"\n"),
    )


@pytest.mark.parametrize(
    ("spider", "name", "rows"),
    [
        ("objects", "objects", 3),
        ("objects", "objects-colors", 1),
        ("agents", "agents", 3),
        ("exhibitions", "exhibitions", 3),
        ("concepts", "concepts", 3),
    ],
)
def test_a_real_exchange_gives_valid_items(
    scrapy: Scrapy, spider: str, name: str, rows: int
) -> None:
    with serving(lambda path: recorded(name)) as server:
        crawl = scrapy.crawl(
            spider, "-a", f"limit={rows}", "-a", f"page_size={rows}", DMG_BASE_URL=server.base_url
        )
    assert crawl.code == 0, crawl.err
    document = orjson.loads(recorded(name)[2])
    assert [record["record"] for record in crawl.records] == document["hydra:member"]
    assert crawl.certificate["expected"]["last"] == document["hydra:totalItems"]
    assert len(crawl.records) == rows
    assert crawl.rejected == []
    for record in crawl.records:
        assert errors(ITEM_CLASSES[record["kind"]], record) == []
        assert record["label"]
        assert record["id"] == record["record"]["@id"]


def test_a_researcher_can_sort_by_what_the_columns_say(scrapy: Scrapy) -> None:
    with serving(lambda path: recorded("objects")) as server:
        crawl = scrapy.crawl(
            "objects", "-a", "limit=3", "-a", "page_size=3", DMG_BASE_URL=server.base_url
        )
    first = crawl.records[0]
    assert first["object_number"] == "0004"
    assert first["title_nl"] == "Opengewerkte bestek"
    assert first["title_fr"] == "Objet bestek (fr)"
    assert first["title_en"] is None
    assert first["types"] == ["bestek"]
    assert first["materials"] == ["keramiek (materiaal)"]
    assert first["makers"] == ["Van Huffel, Stig"]
    assert (first["date_begin"], first["date_end"]) == (1872, 1881)
    assert first["modified"] == "2026-06-08T01:51:08"
    assert first["source"] == "Design Museum Gent"
    assert first["licence"] == "CC BY 4.0"
    assert crawl.records[2]["image"].endswith("303031320.jpg/full/full/0/default.jpg")
    assert crawl.records[2]["iiif_manifest"].endswith("dmg:0012")
