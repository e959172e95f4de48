"""Pages that are not as they should be: which records come, and which are named instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import orjson
import pytest

from tests.conftest import Scrapy, limit
from tests.fixtures.dmg import members
from tests.test_faults import QUICK
from tests.test_pagers import UNREADABLE
from tests.wire import RawResponse, serving

BASE = "https://data.designmuseumgent.be/v2/"
LD_JSON = ("Content-Type", "application/ld+json; charset=utf-8")
FREE = limit(1_000_000, 1) + limit(1_000_000, 1, "single")
FULL = members("private-objects")[0]
Rows = list[bytes]


def uri(number: int) -> str:
    return f"{BASE}id/object/{number:04}"


def record(number: int, **more: object) -> bytes:
    return orjson.dumps({**FULL, "@id": uri(number), **more})


def stub(number: int) -> bytes:
    return orjson.dumps({"@id": uri(number), "@type": FULL["@type"]})


def collection(
    full: Rows, stubs: Rows, instead: Callable[[bool, int, int], RawResponse | None] | None = None
) -> Callable[[str], RawResponse]:
    """A collection of those rows; *instead* may respond before it (full?, page, size)."""

    def respond(path: str) -> RawResponse:
        url = urlsplit(path)
        query = parse_qs(url.query)
        if not url.path.endswith("/id/objects"):
            return 404, [], b""
        number, size = int(query["page"][0]), int(query["itemsPerPage"][0])
        is_full = "fullRecord" in query
        if instead and (response := instead(is_full, number, size)):
            return response
        rows = full if is_full else stubs
        link = f"{BASE}id/objects?page={{}}&itemsPerPage={size}" + "&fullRecord=true" * is_full
        last = -(-len(rows) // size)
        view = {"@id": link.format(number), "hydra:last": link.format(last)}
        if number < last:
            view["hydra:next"] = link.format(number + 1)
        head = orjson.dumps({"hydra:totalItems": len(rows), "hydra:view": view})
        page = b",".join(rows[(number - 1) * size : number * size])
        return 200, [LD_JSON], head[:-1] + b',"hydra:member":[%s]}' % page

    return respond


def test_a_record_that_cannot_be_parsed_costs_itself_alone(scrapy: Scrapy) -> None:
    full, stubs = [record(n) for n in range(1, 201)], [stub(n) for n in range(1, 201)]
    bad = dict(zip(range(3, 200, 197 // len(UNREADABLE)), UNREADABLE.values(), strict=False))
    assert len(bad) == len(UNREADABLE)
    for number, value in bad.items():
        full[number - 1] = b'{"@id":"%s","odd":%s}' % (uri(number).encode(), value)
    with serving(collection(full, stubs)) as server:
        crawl = scrapy.policy(FREE).crawl(
            *("objects", *QUICK, "-a", "page_size=20", "-s", "MAX_REJECT_SHARE=0.1"),
            DMG_BASE_URL=server.base_url,
        )
    assert crawl.code == 0, crawl.err
    assert crawl.certificate["unreadable"] == len(bad)
    assert {line["id"] for line in crawl.rejected} == set(map(uri, bad))
    assert {line["reason"] for line in crawl.rejected} == {"unreadable"}
    came = {row["id"] for row in crawl.records}
    assert came == {uri(number) for number in range(1, 201) if number not in bad}
    assert all("valid JSON" in line["errors"][0]["message"] for line in crawl.rejected)


def test_what_cannot_be_parsed_nor_identified_is_named_by_its_place(scrapy: Scrapy) -> None:
    full, stubs = [record(n) for n in range(1, 21)], [stub(n) for n in range(1, 21)]
    full[6] = stubs[6] = b'{"@id":"x","odd":NaN}'
    full[12], stubs[12] = b"{}", b'{"odd":"\\ud800"}'
    full[16], stubs[16] = b"null", b"null"
    with serving(collection(full, stubs)) as server:
        crawl = scrapy.policy(FREE).crawl(
            *("objects", *QUICK, "-a", "page_size=10", "-s", "MAX_REJECT_SHARE=0.5"),
            *("-s", "LOG_LEVEL=WARNING"),
            DMG_BASE_URL=server.base_url,
        )
    assert crawl.code == 0, crawl.err
    assert {line["id"] for line in crawl.rejected} == {None}
    places = {(line["page"], line["position"]): line["reason"] for line in crawl.rejected}
    assert places == {(1, 7): "unreadable", (2, 3): "schema", (2, 7): "schema"}
    assert len(crawl.records) == 17


@pytest.mark.parametrize(
    "fault",
    [
        (500, [], b""),
        (200, [LD_JSON], b'{"hydra:member": [], "hydra:totalItems": 6}'),
        (200, [], b"<html>"),
        (404, [], b""),
    ],
)
def test_ids_that_cannot_be_read_are_a_failed_page(scrapy: Scrapy, fault: RawResponse) -> None:
    full, stubs = [record(n) for n in range(1, 7)], [stub(n) for n in range(1, 7)]
    full[3] = b"{}"
    broken = [True]

    def respond(is_full: bool, number: int, size: int) -> RawResponse | None:
        return fault if broken[0] and not is_full else None

    with serving(collection(full, stubs, respond)) as server:
        command = ["objects", *QUICK, "-a", "page_size=3", "-s", "RETRY_TIMES=1"]
        command += ["-s", "MAX_REJECT_SHARE=0.5"]
        crawl = scrapy.policy(FREE).crawl(*command, DMG_BASE_URL=server.base_url)
        assert crawl.code == 10, crawl.err
        incomplete = scrapy.folder / "data"
        names = [path.name for path in incomplete.glob("*rejected*")]
        assert not any(crawl.lines(name) for name in names)
        broken[0] = False
        crawl = scrapy.crawl(*command, DMG_BASE_URL=server.base_url)
    assert crawl.code == 0, crawl.err
    rejected = crawl.rejected
    assert {row["id"] for row in [*crawl.records, *rejected]} == set(map(uri, range(1, 7)))


def test_links_and_ids_in_equivalent_spellings_are_the_same(scrapy: Scrapy) -> None:
    odd = "HTTPS://Data.%64esignmuseumgent.BE.:443/v1/../v2/./id/%6fbject/%30003"
    full = [record(n) for n in (1, 2)] + [record(3, **{"@id": odd}), record(4)]
    stubs = [stub(n) for n in range(1, 5)]
    made = collection(full, stubs)

    def respond(path: str) -> RawResponse:
        status, headers, body = made(path)
        return (
            status,
            headers,
            body.replace(
                b'"hydra:next":"https://data.designmuseumgent.be/v2/',
                b'"hydra:next":"https://data.designmuseumgent.be.:443/v2/%69d/../',
            ),
        )

    with serving(respond) as server:
        crawl = scrapy.policy(FREE).crawl(
            *("objects", *QUICK, "-a", "page_size=1", "-s", "LOOKAHEAD=1"),
            DMG_BASE_URL=server.base_url,
        )
    assert (crawl.code, crawl.certificate["verdict"]) == (0, "complete"), crawl.err
    assert [row["id"] for row in crawl.records] == [uri(n) for n in range(1, 5)]


@pytest.mark.parametrize("total", [0, 25, 31])
def test_a_total_that_is_too_small_does_not_end_the_list(scrapy: Scrapy, total: int) -> None:
    rows = [record(number) for number in range(1, 48)]
    whole = collection(rows, [stub(number) for number in range(1, 48)])

    def answer(path: str) -> RawResponse:
        status, headers, body = whole(path)
        page = orjson.loads(body)
        page["hydra:totalItems"] = total
        if page["hydra:view"]["@id"].partition("page=")[2][0] == str(-(-total // 10) or 1):
            page["hydra:view"].pop("hydra:next", None)
        return status, headers, orjson.dumps(page)

    with serving(answer) as server:
        crawl = scrapy.policy(FREE).crawl(
            *("objects", *QUICK, "-a", "page_size=10"), DMG_BASE_URL=server.base_url
        )
    assert (crawl.code, crawl.certificate["verdict"]) == (0, "complete_with_drift"), crawl.err
    assert len(crawl.records) == len(rows)


@pytest.mark.parametrize(("other", "kind"), [(1, "objects"), (2, "agents")])
def test_a_page_that_a_cache_has_mixed_up_is_requested_again(
    scrapy: Scrapy, other: int, kind: str
) -> None:
    rows = [record(number) for number in range(1, 48)]
    whole = collection(rows, [stub(number) for number in range(1, 48)])
    mixed_up: list[str] = []

    def answer(path: str) -> RawResponse:
        if "page=2&" not in path or mixed_up:
            return whole(path)
        mixed_up.append(path)
        status, headers, body = whole(path.replace("page=2&", f"page={other}&"))
        return status, headers, body.replace(b"v2/id/objects", f"v2/id/{kind}".encode())

    with serving(answer) as server:
        crawl = scrapy.policy(FREE).crawl(
            *("objects", *QUICK, "-a", "page_size=10"), DMG_BASE_URL=server.base_url
        )
    assert (crawl.code, crawl.certificate["verdict"]) == (0, "complete"), crawl.err
    assert len(crawl.records) == len(rows)
    assert crawl.certificate["duplicates"] == 0


def test_a_record_costs_at_most_itself_however_deep_it_is(scrapy: Scrapy) -> None:
    full, stubs = [record(n) for n in range(1, 101)], [stub(n) for n in range(1, 101)]
    depths = dict(zip(range(2, 101, 5), (200, 254, 256, 400, *range(880, 1040, 10)), strict=True))
    for number, levels in depths.items():
        deep = b'{"a":[' * (levels // 2) + b"]}" * (levels // 2)
        full[number - 1] = record(number, deep=0).replace(b'"deep":0', b'"deep":%s' % deep)
        # The next has no type, so that its schema rejects it.
        full[number] = b'{"@id":"%s","deep":%s}' % (uri(number + 1).encode(), deep)
    with serving(collection(full, stubs)) as server:
        crawl = scrapy.policy(FREE).crawl(
            *("objects", *QUICK, "-a", "page_size=20", "-s", "MAX_REJECT_SHARE=0.5"),
            DMG_BASE_URL=server.base_url,
        )
    assert crawl.code == 0, crawl.err
    assert "Traceback" not in crawl.err
    # Read without the records, which are too deep for some stacks.
    feed, rejected = (crawl.folder / f"objects{end}.jsonl" for end in ("", ".rejected"))
    row: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
        msgspec.defstruct("Row", [("id", str), ("reason", str)])
    )
    lost = {line.id: line.reason for line in row.decode_lines(rejected.read_bytes())}
    for number, levels in depths.items():
        least = {"schema": levels < 1000, "unreadable": levels > 400}
        assert least[lost[uri(number + 1)]]
        assert lost.get(uri(number)) in ("unreadable" if levels > 400 else None, None)
    assert len(feed.read_bytes().splitlines()) + len(lost) == 100
    assert scrapy.run("verify", str(crawl.folder / "objects.jsonl")).returncode == 0


@pytest.mark.parametrize(
    "row", [b"{}", b'{"@id":"https://data.designmuseumgent.be/v2/id/object/1"}']
)
def test_a_page_with_far_more_rows_than_requested_is_a_fault(scrapy: Scrapy, row: bytes) -> None:
    full, stubs = [row] * 100_000, [stub(1)] * 100_000

    def respond(is_full: bool, number: int, size: int) -> RawResponse:
        body = b'{"hydra:totalItems":3,"hydra:member":[%s]}' % b",".join(full)
        return 200, [LD_JSON], body

    with serving(collection(full, stubs, respond)) as server:
        crawl = scrapy.policy(FREE).crawl(
            "objects", *QUICK, "-s", "RETRY_TIMES=1", DMG_BASE_URL=server.base_url
        )
    assert crawl.code == 10, crawl.err
    assert any(word in crawl.certificate["reason"] for word in ("100000 records", "values in"))
    assert crawl.certificate["rejected"] == 0
