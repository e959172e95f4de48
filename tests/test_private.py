"""The private stream: the key goes to the museum and nowhere else, the records to their owner."""

from __future__ import annotations

import gzip
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scrapy import Request

from mplus_crawler.errors import UsageError
from mplus_crawler.museum.policies.reading import load_policy
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.wire.credentials import check_key, signed
from tests.conftest import Crawl, Scrapy, limit
from tests.fixtures.dmg import members
from tests.test_exchange import recorded
from tests.test_faults import QUICK
from tests.wire import RawResponse, Server, serving

# With characters that URLs and JSON spell otherwise.
CANARY = 'canary/7f3a"9c&e=%41'
UNLIMITED = limit(1_000_000, 1, "private") + limit(1_000_000, 1, "single")
# As some servers write the octets of a URL.
LOWER = re.sub("%..", lambda octet: octet[0].lower(), quote(CANARY, safe=""))
LOUD = (*QUICK, "-s", "LOG_LEVEL=DEBUG")
LD_JSON = ("Content-Type", "application/ld+json; charset=utf-8")


@pytest.fixture
def keyed(scrapy: Scrapy) -> Scrapy:
    """The command, with a key in its environment."""
    scrapy.environment["DMG_API_KEY"] = CANARY
    return scrapy.policy(UNLIMITED)


def artefacts(scrapy: Scrapy) -> dict[str, bytes]:
    """Every file that the crawl has left anywhere, by its path, which counts, too."""
    files = [path for path in scrapy.folder.rglob("*") if path.is_file()]
    return {str(path): str(path).encode() + b"\n" + path.read_bytes() for path in files}


def check_no_key(scrapy: Scrapy, **said: str) -> None:
    """The key is in no file, and in nothing that was *said*, however it is spelled."""
    places = artefacts(scrapy) | {name: text.encode() for name, text in said.items()}
    assert len(places) > len(said), "there are no files to search"
    spelled = {CANARY, quote(CANARY), quote(CANARY, safe=""), json.dumps(CANARY)[1:-1], LOWER}
    assert [name for name, text in places.items() for key in spelled if key.encode() in text] == []


def check_owned(scrapy: Scrapy) -> list[str]:
    """What was harvested, and is in hand, is its owner's alone; the names of those files."""
    files = [path for path in scrapy.folder.rglob("*private_objects*") if path.is_file()]
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}
    return [path.name for path in files]


def page(number: int, rows: list[dict[str, object]], last: int = 2) -> bytes:
    """A page of two rows, as the museum writes it."""
    base = "https://data.designmuseumgent.be/v2/id/private/objects"
    link = f"{base}?page={{}}&itemsPerPage=2&fullRecord=true"
    view = {"hydra:first": link.format(1), "hydra:last": link.format(last)}
    if number < last:
        view["hydra:next"] = link.format(number + 1)
    total = 2 * last
    return orjson.dumps({"hydra:totalItems": total, "hydra:view": view, "hydra:member": rows})


def test_all_objects_come_with_the_key_in_the_header_of_each_page(
    museum: Callable[..., Sandbox], keyed: Scrapy, tmp_path: Path
) -> None:
    sandbox = museum(objects=300, api_key=CANARY, faults=["status:code=503,path=private_objects"])
    table, lines = tmp_path / "private_objects.csv", tmp_path / "more.private_objects.jsonl"
    for path in (table, lines):
        path.write_text("")
        path.chmod(0o644)
    crawl = keyed.at(sandbox).crawl(
        "private_objects", *LOUD, "-o", str(lines), "-a", "since=2026-01-01"
    )
    assert crawl.code == 0, crawl.err
    truth = sandbox.truth()["private_objects"]["ids"]
    dated = [record["id"] for record in crawl.lines(str(lines))]
    assert 400 < len(dated) == crawl.certificate["expected"]["last"] <= len(truth) == 427
    snapshot = f"{tmp_path}/data/all.private_objects.jsonl"
    whole = keyed.crawl("private_objects", *LOUD, "-O", str(table), "-O", snapshot)
    assert whole.code == 0, whole.err
    records = whole.lines(snapshot)
    assert sorted(record["id"] for record in records) == truth
    assert {record["kind"] for record in records} == {"object"}
    assert whole.certificate["private"] is True
    # A window may end between two of the requests.
    assert whole.certificate["requests"]["sent"] == 5
    assert 1 <= whole.certificate["requests"]["peak"]["private"] <= 5
    assert sandbox.stats()["tiers"]["private"]["statuses"] == {"200": 10, "503": 1}
    check_no_key(keyed, out=crawl.out + whole.out, err=crawl.err + whole.err)
    assert {table.name, lines.name, Path(snapshot).name} < set(check_owned(keyed))


def test_without_a_key_nothing_is_requested(museum: Callable[..., Sandbox], scrapy: Scrapy) -> None:
    sandbox = museum(objects=10)
    for key, code, words in (
        ("", 12, "ask the museum for one (https://"),
        ("two\nlines", 2, "cannot be sent"),
    ):
        crawl = scrapy.at(sandbox).crawl("private_objects", DMG_API_KEY=key)
        assert crawl.code == code, crawl.err
        assert "DMG_API_KEY" in crawl.err
        assert words in crawl.err
        assert len(crawl.err.splitlines()) == 1
        assert not key or key.split()[0] not in crawl.err
    assert sandbox.stats()["tiers"]["private"]["requests"] == 0


def test_only_filters_that_the_museum_reads_are_taken(keyed: Scrapy) -> None:
    crawl = keyed.crawl("private_objects", "-a", "type=vaas")
    assert crawl.code == 2
    assert "cssColor, fresh, hasImages, limit, page_size, q, since" in crawl.err


def test_a_key_that_is_not_accepted_is_tried_once(keyed: Scrapy) -> None:
    with serving(lambda path: recorded("private-401")) as server:
        crawl = keyed.crawl("private_objects", *LOUD, DMG_BASE_URL=server.base_url)
    assert crawl.code == 12, crawl.err
    assert "the key in DMG_API_KEY is not accepted" in crawl.certificate["reason"]
    assert len(server.requested) == 1
    assert server.headers_seen[0]["x-api-key"] == CANARY
    check_no_key(keyed, out=crawl.out, err=crawl.err)
    check_owned(keyed)


def test_another_host_sees_neither_key_nor_request(keyed: Scrapy) -> None:
    moves = {"2": 301, "3": 302, "4": 307, "5": 308}
    with serving(lambda path: recorded("private-objects")) as other:

        def respond(path: str) -> RawResponse:
            number = parse_qs(urlsplit(path).query)["page"][0]
            if number in moves:
                return moves[number], [("Location", f"{other.base_url}id/private/objects")], b""
            return 200, [LD_JSON], page(1, members("private-objects")[:2], last=5)

        with serving(respond) as server:
            crawl = keyed.crawl(
                "private_objects", *LOUD, "-a", "page_size=2", DMG_BASE_URL=server.base_url
            )
    assert crawl.code == 10, crawl.err
    assert other.requested == []
    assert len(server.requested) == 5
    check_no_key(keyed, out=crawl.out, err=crawl.err)


def test_the_key_goes_to_the_private_paths_alone(keyed: Scrapy) -> None:
    """Retries and pages of stubs bear it; robots.txt and what a redirect leads to do not."""
    stubs = orjson.loads(recorded("private-stub")[2])["hydra:member"][:2]
    full = members("private-objects")[:2]
    times: dict[str, int] = {}

    def respond(path: str) -> RawResponse:
        times[path] = times.get(path, 0) + 1
        requested = urlsplit(path)
        query = parse_qs(requested.query)
        if requested.path != "/v2/id/private/objects":
            return 404, [], b""
        if query["page"] == ["2"]:
            return 302, [("Location", "/v2/id/objects?page=2")], b""
        if times[path] == 1:
            return 503, [], b""
        rows = [full[0], {}] if "fullRecord" in query else stubs
        return 200, [LD_JSON], page(1, rows)

    with serving(respond) as server:
        crawl = keyed.crawl(
            "private_objects",
            *(*LOUD, "-a", "page_size=2", "-s", "ROBOTSTXT_OBEY=True"),
            DMG_BASE_URL=server.base_url,
        )
    assert crawl.code == 10, crawl.err
    seen = list(zip(map(urlsplit, server.requested), server.headers_seen, strict=True))
    keys = {
        url.path: {h.get("x-api-key") for u, h in seen if u.path == url.path} for url, _ in seen
    }
    assert keys == {
        "/robots.txt": {None},
        "/v2/id/private/objects": {CANARY},
        "/v2/id/objects": {None},
    }
    assert sum("fullRecord" not in url.query for url, _ in seen if "private" in url.path) == 2
    check_no_key(keyed, out=crawl.out, err=crawl.err)


def echoing(server: Server, path: str, *, packed: bool) -> RawResponse:
    """A response that repeats the key wherever it can."""
    key = server.headers_seen[-1]["x-api-key"]
    address = f"/v2/id/private/objects?page=1&itemsPerPage=2&fullRecord=true&apiKey={quote(key)}"
    if len(server.requested) == 1:
        return 302, [("Location", address)], b""
    rows = [{**row, "crm:P3_has_note": f"for {key}"} for row in members("private-objects")[:2]]
    body = page(1, rows, last=1).replace(b"fullRecord=true", b"apiKey=" + quote(key).encode())
    body = body.replace(b"canary/", rb"canary\/")  # JSON may be written so
    headers = [LD_JSON, ("X-Echo", key), ("X-Lower", LOWER)]
    headers.append(("Set-Cookie", f"key={quote(key, safe='')}"))
    if packed:
        return 200, [*headers, ("Content-Encoding", "gzip")], gzip.compress(body)
    return 200, headers, body


@pytest.mark.parametrize("packed", [False, True])
def test_a_key_that_the_museum_repeats_is_struck_out(keyed: Scrapy, packed: bool) -> None:
    with serving(lambda path: echoing(server, path, packed=packed)) as server:
        crawl = keyed.crawl(
            "private_objects", *LOUD, "-a", "page_size=2", DMG_BASE_URL=server.base_url
        )
    assert crawl.code == 0, crawl.err
    assert [row["record"]["crm:P3_has_note"] for row in crawl.records] == 2 * ["for key-struck-out"]
    assert "a response repeated the key: the key was struck out" in crawl.certificate["notes"]
    check_no_key(keyed, out=crawl.out, err=crawl.err)


def test_next_links_with_a_key_in_them_are_followed_without(keyed: Scrapy) -> None:
    full = members("private-objects")

    def respond(path: str) -> RawResponse:
        number = int(parse_qs(urlsplit(path).query)["page"][0])
        row = {**full[0], "@id": f"https://data.designmuseumgent.be/v2/id/object/{number}"}
        other = {**row, "@id": f"{row['@id']}b"}
        return 200, [LD_JSON], page(number, [row, other], 3).replace(b"&full", b"&apiKey=k&full")

    with serving(respond) as server:
        crawl = keyed.crawl(
            "private_objects", *LOUD, "-a", "page_size=2", DMG_BASE_URL=server.base_url
        )
    assert crawl.code == 0, crawl.err
    assert len(crawl.records) == 6
    assert [path for path in server.requested if "apiKey" in path] == []


def test_nothing_is_left_of_the_key_after_a_kill_or_a_timeout(
    museum: Callable[..., Sandbox], keyed: Scrapy
) -> None:
    sandbox = museum(
        objects=300,
        api_key=CANARY,
        faults=["hang:path=private_objects,page=4,seconds=9,times=always"],
    )
    log = f"LOG_FILE={keyed.folder / 'log'}"  # no pipe holds all that is said
    process = keyed.at(sandbox).start(
        "crawl", "private_objects", *LOUD, "-s", "LOOKAHEAD=1", "-s", log
    )
    try:
        while sandbox.stats()["tiers"]["private"]["requests"] < 4:
            assert process.poll() is None
            time.sleep(0.05)
        assert CANARY not in Path(f"/proc/{process.pid}/cmdline").read_text()
        in_hand = check_owned(keyed)
    finally:
        process.kill()
        out, err = process.communicate()
    for ending in (".part", ".ledger", ".ledger-wal", ".ledger-shm", ".lock"):
        assert any(name.endswith(ending) for name in in_hand), ending
    check_no_key(keyed, out=out, err=err)

    late = keyed.crawl(
        "private_objects", *LOUD, "-s", "DOWNLOAD_TIMEOUT=0.3", "-s", "RETRY_TIMES=1"
    )
    assert late.code == 10, late.err
    assert "private_objects.incomplete.jsonl" in check_owned(keyed)
    check_no_key(keyed, out=late.out, err=late.err)

    sandbox.clear()
    crawl = keyed.crawl("private_objects", *LOUD)
    assert crawl.code == 0, crawl.err
    assert len(crawl.records) == 427
    check_no_key(keyed, out=crawl.out, err=crawl.err)


def test_rows_that_move_are_found_although_they_have_no_page_of_their_own(
    museum: Callable[..., Sandbox], keyed: Scrapy
) -> None:
    sandbox = museum(objects=300, api_key=CANARY, faults=["delete:at=5,nth=2,path=private_objects"])
    crawl: Crawl = keyed.at(sandbox).crawl("private_objects", *QUICK, "-s", "LOOKAHEAD=1")
    assert (crawl.code, crawl.certificate["verdict"]) == (0, "complete_with_drift"), crawl.err
    ids = sandbox.truth()["private_objects"]["ids"]
    assert sorted(record["id"] for record in crawl.records) == ids
    assert len(ids) == 426
    assert crawl.certificate["unreadable"] == 0


@pytest.mark.parametrize(
    "key", ["two\nlines", "a b", "k\xe9y", "cl\u00e9\u20ac", "\udcff", "a\x7fb"]
)
def test_a_key_that_no_header_carries_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("DMG_API_KEY", key)
    with pytest.raises(UsageError, match="cannot be sent") as refused:
        check_key(load_policy("dmg"), "private_objects")
    assert key not in str(refused.value)


@given(
    st.sampled_from(["http://127.0.0.1:1", "http://127.0.0.1:2", "https://127.0.0.1:1"]),
    st.lists(st.sampled_from(["v2", "id", "private", "objects", "", "..", "%2e%2e", "a"])),
)
def test_only_the_private_paths_of_the_origin_are_signed(place: str, parts: list[str]) -> None:
    policy, base = load_policy("dmg"), "http://127.0.0.1:1/v2/"
    request = Request(f"{place}/{'/'.join(parts)}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DMG_API_KEY", CANARY)
        sent = signed(request, policy, base)
    inside = [part for part in parts if part][:3] == ["v2", "id", "private"]
    climbs = ".." in parts or "%2e%2e" in parts
    wanted = inside and not climbs and place == "http://127.0.0.1:1"
    assert ("x-api-key" in sent.headers) is wanted
    assert "x-api-key" not in request.headers
    assert os.environ.get("DMG_API_KEY") is None
