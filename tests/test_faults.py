"""Faults of a museum: a passing one costs nothing, a lasting one is never taken for the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Crawl, Scrapy, limit

UNLIMITED = limit(1_000_000, 1)
QUICK = (
    *("-s", "RETRY_BACKOFF_BASE=0.01", "-s", "DOWNLOAD_TIMEOUT=2"),
    *("-s", "AUTOTHROTTLE_MAX_DELAY=0.05"),
)


def crawl_with(scrapy: Scrapy, sandbox: Sandbox, *arguments: str, spider: str = "objects") -> Crawl:
    return scrapy.at(sandbox).policy(UNLIMITED).crawl(spider, *QUICK, *arguments)


def test_a_chain_that_breaks_off_is_not_at_its_end(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    where = "path=objects,page=3,times=always"
    sandbox = museum(
        objects=460, faults=[f"next_missing_link:{where}", f"next_missing_hydra:{where}"]
    )
    crawl = crawl_with(scrapy, sandbox, "-s", "RETRY_TIMES=1", "-s", "LOOKAHEAD=1")
    assert crawl.code == 10, crawl.err
    assert "no next page is named after 300 of 460" in crawl.certificate["reason"]
    assert crawl.certificate["unique"] + crawl.certificate["rejected"] == 300


def test_disagreeing_links_are_counted_and_told(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=460, faults=["next_disagree:path=objects,page=2"])
    crawl = crawl_with(scrapy, sandbox)
    assert crawl.code == 0, crawl.err
    assert crawl.certificate["notes"]["the next links of header and body disagreed"] == 1
    assert "disagreed" in crawl.err


@pytest.mark.parametrize(
    "fault", ["total:page=5,value=999,times=always", "total:page=1,delta=7,times=always"]
)
def test_a_total_that_the_ids_disprove_is_not_complete(
    museum: Callable[..., Sandbox], scrapy: Scrapy, fault: str
) -> None:
    sandbox = museum(objects=460, faults=[f"{fault},path=objects"])
    crawl = crawl_with(scrapy, sandbox, "-s", "RETRY_TIMES=1")
    assert crawl.certificate["verdict"] != "complete"


def test_an_incomplete_harvest_leaves_the_snapshot_alone(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=460)
    whole = crawl_with(scrapy, sandbox)
    snapshot = (whole.folder / "objects.jsonl").read_bytes()
    sandbox.fault("empty:path=objects,page=3,times=always")
    broken = crawl_with(scrapy, sandbox, "-s", "RETRY_TIMES=1")
    assert (whole.code, broken.code) == (0, 10)
    assert (whole.folder / "objects.jsonl").read_bytes() == snapshot
    assert len(broken.lines("objects.incomplete.jsonl")) < 460
    sandbox.clear()
    assert crawl_with(scrapy, sandbox).code == 0
    assert not (whole.folder / "objects.incomplete.jsonl").exists()


def test_too_many_rejects_break_the_contract(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=460, invalid=40)
    crawl = crawl_with(scrapy, sandbox)
    assert crawl.code == 13, crawl.err
    assert crawl.certificate["verdict"] == "contract_broken"
    assert len(crawl.rejected) == crawl.certificate["rejected"] > 4
    assert crawl_with(scrapy, sandbox, "-s", "MAX_REJECT_SHARE=0.9").code == 0


def test_an_error_of_ours_is_not_complete(museum: Callable[..., Sandbox], scrapy: Scrapy) -> None:
    crawl = crawl_with(scrapy, museum(objects=460), "-s", "CLOSESPIDER_PAGECOUNT=2")
    assert crawl.code == 11
    assert crawl.certificate["verdict"] == "stopped"


@pytest.mark.parametrize("code", [401, 403, 410])
def test_a_refusal_is_not_tried_again(
    museum: Callable[..., Sandbox], scrapy: Scrapy, code: int
) -> None:
    sandbox = museum(objects=460, faults=[f"status:code={code},path=objects,times=always"])
    crawl = crawl_with(scrapy, sandbox)
    assert crawl.code == 12, crawl.err
    assert crawl.certificate["verdict"] == "refused"
    assert sandbox.stats()["tiers"]["collections"]["requests"] == 1


def test_a_redirect_elsewhere_is_not_followed(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    other = museum(objects=10)
    fault = f"redirect:path=objects,page=2,times=always,url={other.base_url}id/objects"
    crawl = crawl_with(scrapy, museum(objects=460, faults=[fault]))
    assert crawl.code == 10, crawl.err
    assert "led away" in crawl.certificate["reason"]
    assert other.stats()["tiers"]["collections"]["requests"] == 0
