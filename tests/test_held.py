"""A snapshot is not replaced by one that lost too many of its records, unless that is accepted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mplus_crawler.errors import ExitCode
from tests.conftest import Crawl, Scrapy
from tests.fixtures.mplus import PUBLISHED
from tests.test_indexes import JSON, index
from tests.test_usage import check_one_line
from tests.wire import RawResponse, serving


def snapshot(crawl: Crawl) -> bytes:
    return (crawl.folder / f"{crawl.spider}.jsonl").read_bytes()


def verify(scrapy: Scrapy, crawl: Crawl, name: str) -> None:
    done = scrapy.run("verify", str(crawl.folder / name))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_part_of_a_data_set_is_held_back_until_it_is_accepted(
    scrapy: Scrapy, tmp_path: Path
) -> None:
    source = tmp_path / "set"
    shutil.copytree(PUBLISHED, source)
    spider, given = "mplus_open_objects", ("-a", f"source={source}")
    whole = scrapy.crawl(spider, *given)
    assert whole.code == ExitCode.COMPLETE, whole.err
    former = snapshot(whole)
    shutil.rmtree(source / "objects_JSON" / "8000")  # as if half of it were unpacked
    held = scrapy.crawl(spider, *given)
    assert held.code == ExitCode.HELD_BACK, held.err
    assert held.certificate["verdict"] == "held_back"
    run = held.certificate["run"]
    assert held.certificate["resume"].endswith(f"-a accept={run}")
    assert held.certificate["unique"] == 10
    assert snapshot(held) == former
    for name in (f"{spider}.jsonl", f"{spider}.held.jsonl"):
        verify(scrapy, held, name)
    for wrong in ("20261128T120000Z-1", "yesterday"):
        check_one_line(scrapy.crawl(spider, *given, "-a", f"accept={wrong}"), 2, "accept")
    accepted = scrapy.crawl(spider, *given, "-a", f"accept={run}")
    assert accepted.code == ExitCode.COMPLETE, accepted.err
    assert (accepted.certificate["run"], accepted.certificate["unique"]) == (run, 10)
    assert snapshot(accepted).count(b"\n") == 10
    assert not list(accepted.folder.glob("*.held.*"))
    verify(scrapy, accepted, f"{spider}.jsonl")


@pytest.mark.parametrize(
    ("left", "share", "code"),
    [(97, "0.02", 15), (98, "0.02", 0), (50, "0.5", 0), (49, "0.5", 15), (0, "1", 0)],
)
def test_the_share_that_may_be_gone(scrapy: Scrapy, left: int, share: str, code: int) -> None:
    labels = [f"term {number}" for number in range(100)]
    listed = {"now": labels}

    def respond(path: str) -> RawResponse:
        return 200, JSON, index(len(listed["now"]), *listed["now"])

    with serving(respond) as server:
        options = ("-s", f"MAX_DELETE_SHARE={share}")
        first = scrapy.crawl("types", DMG_BASE_URL=server.base_url)
        assert first.code == 0, first.err
        listed["now"] = labels[:left]
        second = scrapy.crawl("types", *options, DMG_BASE_URL=server.base_url)
        assert second.code == code, second.err
        kept = 100 if code else left
        assert snapshot(second).count(b"\n") == kept
        if code:
            before = len(server.requested)
            run = second.certificate["run"]
            third = scrapy.crawl("types", "-a", f"accept={run}", DMG_BASE_URL=server.base_url)
            assert third.code == 0, third.err
            assert snapshot(third).count(b"\n") == left
            assert len(server.requested) == before
