"""Values that a museum's server leaves out without an error are noticed and requested again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mplus_crawler.feeds.thinning import report, thinned
from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Scrapy, limit

UNLIMITED = f"{limit(1_000_000, 1)}{limit(1_000_000, 1, 'single')}"
SMALL = {"objects": 110, "agents": 8, "exhibitions": 40, "concepts": 5, "invalid": 0, "unlinked": 0}


@pytest.mark.parametrize(
    ("before", "now", "lost"),
    [
        (297, 256, 41),
        (8000, 7601, 0),
        (8000, 7599, 401),
        (20, 11, 0),
        (20, 10, 10),
        (0, 0, 0),
        (10, 20, 0),
    ],
)
def test_a_column_is_thinned_by_more_than_a_twentieth_and_ten_values(
    before: int, now: int, lost: int
) -> None:
    columns = thinned({"images": before, "id": 300}, {"images": now, "id": 300})
    assert columns == ({"images": lost} if lost else {})
    assert bool(report({"images": before}, {"images": now})) == bool(lost)
    assert thinned({"images": before, "old": 300}, {"images": now}) == columns


@pytest.mark.parametrize(
    ("records", "images", "lost"), [(200, 100, 0), (200, 96, 0), (200, 89, 11), (450, 150, 50)]
)
def test_fewer_records_have_fewer_values(records: int, images: int, lost: int) -> None:
    columns = thinned({"id": 400, "images": 200}, {"id": records, "images": images})
    assert columns == ({"images": lost} if lost else {})
    assert thinned({"id": 400, "images": 200}, {}) == {}


@pytest.mark.parametrize("spider", ["objects", "exhibitions"])
def test_what_the_server_left_out_is_requested_once_more(
    museum: Callable[..., Sandbox], scrapy: Scrapy, spider: str
) -> None:
    sandbox = museum(**SMALL)
    scrapy.at(sandbox).policy(UNLIMITED)
    first = scrapy.crawl(spider).certificate
    sandbox.fault(f"thin:path={spider},page=1")
    crawl = scrapy.crawl(spider)
    assert crawl.code == 0, crawl.err
    again = crawl.certificate
    assert again["requests"]["sent"] >= first["requests"]["sent"] + 10
    # Of exhibitions, the server leaves out more than columns show.
    content = ("content_digest",) if spider == "objects" else ()
    for same in ("filled", "licences", "unique", "duplicates", "verdict", *content):
        assert again[same] == first[same]
    assert again["contract"]["changes"] == []
    assert not [note for note in again["notes"] if "fewer values" in note]
    assert again["changes"]["delete"] == 0
    snapshot = str(crawl.folder / f"{spider}.jsonl")
    assert len(crawl.records) == again["unique"]
    assert scrapy.run("verify", snapshot).returncode == 0


def test_records_of_mplus_are_requested_once_more_by_their_ids(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum()
    scrapy.policy(limit(1_000_000, 1, "calls"), "mplus")
    scrapy.environment |= {"MPLUS_URL": sandbox.mplus_url, "MPLUS_API_KEY": "key"}
    first = scrapy.crawl("mplus_objects").certificate
    sandbox.fault("thin:root=objects,times=6", "mplus")
    crawl = scrapy.crawl("mplus_objects")
    again = crawl.certificate
    assert crawl.code == 0, crawl.err
    assert "have lost values" in crawl.err
    assert again["requests"]["sent"] <= first["requests"]["sent"] + 3
    for same in ("filled", "verdict", "unique", "duplicates"):
        assert again[same] == first[same], same
    assert not [note for note in again["notes"] if "fewer values" in note]


@pytest.mark.long
def test_a_spent_quota_leaves_thinned_records_as_they_came(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum()
    scrapy.environment |= {"MPLUS_URL": sandbox.mplus_url, "MPLUS_API_KEY": "key"}
    scrapy.policy(limit(9, 86_400, "calls"), "mplus")
    calls = scrapy.crawl("mplus_objects", RATE_SHARE="1").certificate["requests"]["sent"]
    sandbox.fault("thin:root=objects,times=8", "mplus")
    crawl = scrapy.crawl("mplus_objects", RATE_SHARE="1")
    assert crawl.code == 0, crawl.err
    assert 2 * calls < crawl.certificate["requests"]["sent"] + calls <= 9
    assert [note for note in crawl.certificate["notes"] if "fewer values" in note]


def test_what_stays_lost_is_a_note(museum: Callable[..., Sandbox], scrapy: Scrapy) -> None:
    gone = [f"drop:field={field}" for field in ("crm:P138i_has_representation", "image")]
    sandbox = museum(**SMALL, schema_changes=gone)
    scrapy.at(sandbox).policy(UNLIMITED)
    first = scrapy.crawl("objects").certificate
    assert first["filled"]["images"] > 50
    sandbox.move_to(1)
    crawl = scrapy.crawl("objects")
    assert crawl.code == 0, crawl.err
    (note,) = [note for note in crawl.certificate["notes"] if "fewer values" in note]
    images = crawl.certificate["filled"]["images"]
    assert f"images ({first['filled']['images']} before, {images} now)" in note
    assert crawl.certificate["verdict"] == "complete"
    again = scrapy.crawl("objects").certificate
    assert not [note for note in again["notes"] if "fewer values" in note]
