"""A key that a server repeats, in any spelling and place, is in no file and no output."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import cycle
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from mplus_crawler.sandbox.app import Sandbox
from tests.canary import holding, in_headers, places, spellings
from tests.conftest import Scrapy, limit
from tests.fixtures.dmg import members
from tests.test_faults import QUICK
from tests.test_mplus import SMALL
from tests.test_pages import FREE, LD_JSON, collection, record, stub
from tests.test_private import page
from tests.wire import RawResponse, serving

KEY = 'canary/7f3a"9c&e=%41+<x'
LOUD = (*QUICK, "-s", "LOG_LEVEL=DEBUG", "-s", "RETRY_TIMES=1")
UNLIMITED = limit(1_000_000, 1, "private") + limit(1_000_000, 1, "single")


def test_the_search_finds_every_spelling() -> None:
    for text in spellings(KEY):
        assert holding(KEY, {"name": f'{{"a": "{text}"}}'.encode()}) == ["name"]
    assert holding(KEY, {"name": b"canary/7f3a and nothing else"}) == []


def test_private_objects(scrapy: Scrapy) -> None:
    scrapy.environment["DMG_API_KEY"] = KEY
    noted = [
        {**members("private-objects")[0], "@id": f"https://m/id/object/{n}", "note": f"NOTE{n};"}
        for n in range(len(spellings(KEY)))
    ]
    good = page(1, noted, last=1).replace(
        b'"hydra:totalItems":2', b'"hydra:totalItems":%d' % len(noted)
    )
    for number, text in enumerate(spellings(KEY)):
        good = good.replace(b"NOTE%d;" % number, text.encode())
    elsewhere = f"https://{quote(KEY, safe='')}.example/?k={quote(quote(KEY))}"
    first: list[RawResponse] = [
        (302, [("Location", f"?page=1&itemsPerPage=100&fullRecord=true&apiKey={quote(KEY)}")], b""),
        (500, [], "\n".join(spellings(KEY)).encode()),
        (200, [LD_JSON, ("Content-Encoding", "gzip")], b"\x1f\x8b" + KEY.encode()),
        (200, [LD_JSON], f'{{"error": "{spellings(KEY)[0]}"'.encode()),
    ]

    def respond(path: str) -> RawResponse:
        if "fullRecord" not in path:
            return 302, [("Location", elsewhere)], b""
        if first:
            return first.pop(0)
        return 200, [LD_JSON, *in_headers(KEY)], good

    with serving(respond) as server:
        crawl = scrapy.policy(UNLIMITED).crawl(
            *("private_objects", *LOUD, "-s", "RETRY_TIMES=9", "-s", "MAX_REJECT_SHARE=1"),
            DMG_BASE_URL=server.base_url,
        )
        assert not first
    assert crawl.code == 0, crawl.err[-3000:]
    assert len(crawl.records) + len(crawl.rejected) == len(noted)
    assert crawl.records
    assert all("key-struck-out" in row["record"]["note"] for row in crawl.records)
    assert holding(KEY, places(scrapy.folder, out=crawl.out, err=crawl.err)) == []


def test_a_public_spider_whose_museum_knows_the_key(scrapy: Scrapy) -> None:
    rows = [record(n, note=f"NOTE{n};") for n in range(len(spellings(KEY)))]
    good = collection(rows, [stub(n) for n in range(len(rows))])

    def respond(path: str) -> RawResponse:
        status, headers, body = good(path)
        for number, text in enumerate(spellings(KEY)):
            body = body.replace(b"NOTE%d;" % number, text.encode())
        return status, [*headers, *in_headers(KEY)], body

    with serving(respond) as server:
        crawl = scrapy.policy(FREE).crawl(
            *("objects", *LOUD, "-s", "MAX_REJECT_SHARE=1"),
            DMG_BASE_URL=server.base_url,
            DMG_API_KEY=KEY,
        )
    assert crawl.code == 0, crawl.err[-3000:]
    assert all("key-struck-out" in row["record"]["note"] for row in crawl.records)
    assert holding(KEY, places(scrapy.folder, out=crawl.out, err=crawl.err)) == []
    # The log of a page does not repeat its records.
    assert max(map(len, crawl.err.splitlines())) < 1_000


def test_a_redirect_that_names_the_key(scrapy: Scrapy) -> None:
    scrapy.environment["DMG_API_KEY"] = KEY
    texts = iter(cycle(spellings(KEY)))

    def respond(path: str) -> RawResponse:
        return 302, [("Location", f"https://evil.example/{next(texts)}")], b""

    with serving(respond) as server:
        crawl = scrapy.policy(UNLIMITED).crawl(
            *("private_objects", *LOUD), DMG_BASE_URL=server.base_url
        )
    assert crawl.code == 10, crawl.err[-3000:]
    assert holding(KEY, places(scrapy.folder, out=crawl.out, err=crawl.err)) == []


def test_mplus(museum: Callable[..., Sandbox], scrapy: Scrapy) -> None:
    key = KEY.replace('"', "'")
    sandbox, texts = museum(mplus_key=key), iter(cycle(spellings(key)))
    faults: list[RawResponse] = [
        (200, [], f'{{"errors": [{{"message": "{text}"}}]}}'.encode())
        for text in spellings(key)[:2]
    ]

    def spelled(match: re.Match[bytes]) -> bytes:
        return match[0] + next(texts).encode()

    def respond(body: str) -> RawResponse:
        if faults:
            return faults.pop()
        address = urlsplit(sandbox.mplus_url)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        with urlopen(Request(address.geturl(), body.encode(), headers), timeout=30) as response:
            data = re.sub(rb'"(?:title|creditLine|displayDate)":\s*"', spelled, response.read())
        return 200, [("Content-Type", "application/json"), *in_headers(key)], data

    with serving(respond) as server:
        crawl = scrapy.policy(SMALL, "mplus").crawl(
            *("mplus_constituents", *LOUD, "-s", "RETRY_TIMES=3", "-s", "MAX_REJECT_SHARE=1"),
            MPLUS_URL=server.base_url,
            MPLUS_API_KEY=key,
        )
    assert crawl.code == 0, crawl.err[-3000:]
    assert crawl.records
    assert holding(key, places(scrapy.folder, out=crawl.out, err=crawl.err)) == []
