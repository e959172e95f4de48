"""Faults of a museum: a passing one costs nothing, a lasting one is never taken for the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import pytest

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Crawl, Scrapy, limit
from tests.wire import RawResponse, get, serving

BASE = "https://data.designmuseumgent.be/v2/"
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
    assert "there is no link to a next page after 300 of 460" in crawl.certificate["reason"]
    assert crawl.certificate["unique"] + crawl.certificate["rejected"] == 300


def test_a_chain_that_never_ends_is_left_behind_the_last_row(scrapy: Scrapy) -> None:
    """Each page names a next one; those past the total are empty."""

    def respond(path: str) -> RawResponse:
        number = int(dict(parse_qsl(urlsplit(path).query))["page"])
        rows = range((number - 1) * 30 + 1, min(number * 30, 45) + 1)
        page = {
            "hydra:totalItems": 45,
            "hydra:view": {
                "hydra:first": "?page=1&itemsPerPage=30",
                "hydra:last": "?page=2&itemsPerPage=30",
                "hydra:next": f"?page={number + 1}&itemsPerPage=30&fullRecord=true",
            },
            "hydra:member": [
                {"@id": f"{BASE}id/concept/{row}", "@type": "crm:E55_Type"} for row in rows
            ],
        }
        return 200, [("Content-Type", "application/ld+json")], json.dumps(page).encode()

    with serving(respond) as server:
        crawl = scrapy.policy(UNLIMITED).crawl(
            *("concepts", *QUICK, "-s", "RETRY_TIMES=1"), DMG_BASE_URL=server.base_url
        )
        requested = {
            int(dict(parse_qsl(urlsplit(path).query))["page"]) for path in server.requested
        }
    assert crawl.code == 10, crawl.err  # a last page that names a next one is never taken for it
    assert crawl.certificate["unique"] + crawl.certificate["rejected"] == 45
    assert max(requested) == 3


def test_disagreeing_links_are_counted_and_reported(
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


def test_a_crawl_that_is_closed_early_is_stopped(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
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
    assert "off-site request blocked" in crawl.certificate["reason"]
    assert other.stats()["tiers"]["collections"]["requests"] == 0


def test_a_next_link_that_forgets_what_was_requested_is_completed(scrapy: Scrapy) -> None:
    def respond(path: str) -> RawResponse:
        query = dict(parse_qsl(urlsplit(path).query))
        number = int(query.get("page", "1"))
        kind = "vaas" if query.get("type") == "vaas" and "fullRecord" in query else "stoel"
        members = [
            {
                "@id": f"https://data.designmuseumgent.be/v2/id/object/{kind}-{number}-{row}",
                "@type": "crm:E22_Human-Made_Object",
                "rdfs:label": kind,
            }
            for row in range(int(query.get("itemsPerPage", "10")))
        ]
        view = {"hydra:next": f"id/objects?page={number + 1}"} if number < 3 else {}
        body = {"hydra:totalItems": 60, "hydra:view": view, "hydra:member": members}
        link = [("Link", f'</v2/id/objects?page={number + 1}>; rel="next"')] if number < 3 else []
        return 200, [("Content-Type", "application/ld+json"), *link], json.dumps(body).encode()

    with serving(respond) as server:
        crawl = scrapy.crawl(
            "objects", "-a", "type=vaas", "-a", "page_size=20", DMG_BASE_URL=server.base_url
        )
    assert crawl.code == 0, crawl.err
    assert {record["label"] for record in crawl.records} == {"vaas"}
    assert len(crawl.records) == 60
    assert any("lacked" in note for note in crawl.certificate["notes"])


@pytest.mark.parametrize("link", ["http://[::1", "?page=" + "9" * 5000, "http://127.0.0.1:99999/"])
def test_a_next_link_that_is_no_link_is_reported_without_a_traceback(
    museum: Callable[..., Sandbox], scrapy: Scrapy, link: str
) -> None:
    sandbox = museum(objects=460)
    body = get(f"{sandbox.base_url}id/objects?itemsPerPage=100&fullRecord=true")
    document = json.loads(body)
    document["hydra:view"]["hydra:next"] = link
    with serving(lambda path: (200, [], json.dumps(document).encode())) as server:
        crawl = scrapy.crawl("objects", "-s", "RETRY_TIMES=0", DMG_BASE_URL=server.base_url)
    assert crawl.code == 10, crawl.err
    assert "Traceback" not in crawl.err
    assert "our own code" not in crawl.err


def test_a_record_of_any_depth_comes_through(scrapy: Scrapy) -> None:
    deep = "[" * 300 + "]" * 300
    member = (
        '{"@id":"https://data.designmuseumgent.be/v2/id/object/%d",'
        '"@type":"crm:E22_Human-Made_Object","rdfs:label":"x","deep":%s}'
    )
    members = ",".join(member % (row, deep) for row in range(3))
    body = f'{{"hydra:totalItems":3,"hydra:view":{{}},"hydra:member":[{members}]}}'
    with serving(lambda path: (200, [], body.encode())) as server:
        crawl = scrapy.crawl("objects", DMG_BASE_URL=server.base_url)
    assert crawl.code == 0, crawl.err
    assert (crawl.folder / "objects.jsonl").read_text().count("[" * 300) == 3
