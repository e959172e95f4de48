"""Faults of the sandbox."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

import pytest

from mplus_crawler.sandbox.app import Sandbox
from tests.sandbox.wire import (
    BASE,
    PUBLIC,
    Reply,
    canonical,
    get,
)


@pytest.mark.parametrize(
    ("spec", "status", "kind"),
    [
        ("status:page=2", 500, "application/ld+json"),
        ("status:code=503,html=1,page=2", 503, "text/html"),
        ("status:code=429,retry_after=7,page=2", 429, "application/ld+json"),
        ("html:page=2", 200, "text/html"),
        ("empty:page=2", 200, "application/ld+json"),
        ("redirect:url=http://127.0.0.1:9/,page=2", 302, "application/ld+json"),
    ],
)
def test_faults_that_replace_the_response(
    small: Sandbox, spec: str, status: int, kind: str
) -> None:
    before = get(small, "id/objects?page=2")
    small.fault(spec)
    assert get(small, "id/objects?page=1").status == 200
    spoilt = get(small, "id/objects?page=2")
    assert (spoilt.status, spoilt.headers["Content-Type"]) == (status, f"{kind}; charset=utf-8")
    assert spoilt.headers["Retry-After"] == ("7" if status == 429 else None)
    assert spoilt.headers["Location"] == ("http://127.0.0.1:9/" if status == 302 else None)
    assert spoilt.body != before.body
    assert get(small, "id/objects?page=2").body == before.body


@pytest.mark.parametrize(
    ("spec", "changed"),
    [
        ("short:rows=3", lambda r: len(r.members) == 7 and r.json["hydra:totalItems"] == 45),
        ("empty_page", lambda r: r.members == [] and r.json["hydra:totalItems"] == 45),
        ("total:value=7", lambda r: r.json["hydra:totalItems"] == 7),
        ("total:delta=-2", lambda r: r.json["hydra:totalItems"] == 43),
        (
            "next_offorigin:url=http://127.0.0.1:9/x",
            lambda r: nexts(r) == ["http://127.0.0.1:9/x"] * 2,
        ),
        ("next_loop", lambda r: nexts(r) == [page_url(2)] * 2),
        ("next_loop:to=1", lambda r: nexts(r) == [page_url(1)] * 2),
        ("next_missing_link", lambda r: nexts(r) == [None, page_url(3)]),
        ("next_missing_hydra", lambda r: nexts(r) == [page_url(3), None]),
        ("next_disagree", lambda r: nexts(r) == [page_url(3), page_url(4)]),
        ("last_gone", lambda r: not r.link("last") and "hydra:last" not in r.json["hydra:view"]),
    ],
)
def test_faults_that_falsify_a_page(
    small: Sandbox, spec: str, changed: Callable[[Reply], bool]
) -> None:
    before = get(small, "id/objects?page=2")
    small.fault(spec)
    get(small, "id/types")
    assert changed(get(small, "id/objects?page=2"))
    assert get(small, "id/objects?page=2").body == before.body


def page_url(page: int) -> str:
    return f"{BASE}id/objects?page={page}&itemsPerPage=10"


def nexts(reply: Reply) -> list[str | None]:
    linked = reply.link("next")
    full = linked if linked is None or linked.startswith("http") else f"{BASE}{linked}"
    return [full, reply.json["hydra:view"].get("hydra:next")]


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("truncate", "IncompleteRead"),
        ("reset", "ConnectionResetError"),
        ("reset:when=after", "ConnectionResetError|IncompleteRead"),
        ("hang:seconds=0.2", "ConnectionResetError"),
    ],
)
def test_faults_of_the_wire(small: Sandbox, spec: str, problem: str) -> None:
    small.fault(spec)
    with pytest.raises((HTTPException, OSError)) as raised:
        get(small, "id/objects?fullRecord=true")
    assert raised.type.__name__ in problem.split("|")
    assert get(small, "id/objects").status == 200
    statuses = small.stats()["tiers"]["collections"]["statuses"]
    assert statuses == ({"0": 1, "200": 1} if spec in ("reset", "hang:seconds=0.2") else {"200": 2})


def test_a_clean_truncation_looks_whole_until_parsed(small: Sandbox) -> None:
    small.fault("truncate:clean=1")
    reply = get(small, "id/objects")
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(reply.body)


@pytest.mark.parametrize("spec", ["slow:seconds=0.2", "latency:seconds=0.2"])
def test_slow_responses_are_whole(small: Sandbox, spec: str) -> None:
    small.fault(spec)
    began = monotonic()
    assert len(get(small, "id/objects?fullRecord=true").members) == 10
    assert monotonic() - began >= 0.2


def test_a_client_may_leave_before_the_end(
    small: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    small.fault("slow:seconds=0.3")
    where = urlsplit(small.base_url)
    with socket.create_connection((where.hostname, where.port)) as client:
        client.sendall(b"GET /v2/id/objects?fullRecord=true HTTP/1.1\r\nHost: museum\r\n\r\n")
        client.recv(100)
    while not small.stats()["tiers"]["collections"]["statuses"]:
        sleep(0.01)
    assert caplog.records == []


def test_a_hanging_response_does_not_outlive_its_client(small: Sandbox) -> None:
    small.fault("hang")
    where = urlsplit(small.base_url)
    with socket.create_connection((where.hostname, where.port)) as client:
        client.sendall(b"GET /v2/id/objects HTTP/1.1\r\nHost: museum\r\n\r\n")
        while small.stats()["tiers"]["collections"]["requests"] == 0:
            sleep(0.01)
    while small.stats()["tiers"]["collections"]["statuses"] == {}:
        sleep(0.01)
    assert small.stats()["tiers"]["collections"]["statuses"] == {"0": 1}


@pytest.mark.parametrize(
    ("spec", "hit"),
    [
        ("status", [1]),
        ("status:nth=3", [3]),
        ("status:nth=3,times=2", [3, 4]),
        ("status:nth=4,times=always", [4, 5, 6]),
        ("status:every=2", [2, 4, 6]),
        ("status:every=2,times=2", [2, 4]),
        ("status:rate=1", [1, 2, 3, 4, 5, 6]),
        ("status:rate=0", []),
        ("status:tier=collections,path=objects,page=1,times=always", [1, 2, 3, 4, 5, 6]),
        ("status:tier=single,times=always", []),
        ("status:tier=unlimited,times=always", []),
        ("status:path=agents,times=always", []),
        ("status:page=2,times=always", []),
    ],
)
def test_selectors(small: Sandbox, spec: str, hit: list[int]) -> None:
    small.fault(spec)
    statuses = [get(small, "id/objects").status for _ in range(6)]
    assert [number for number, status in enumerate(statuses, 1) if status == 500] == hit


def test_a_share_of_faults_follows_the_seed() -> None:
    runs = []
    for _ in range(2):
        with Sandbox(objects=20, limits="off", faults=["status:rate=0.3"]) as museum:
            runs.append([get(museum, "id/objects").status for _ in range(60)])
    assert runs[0] == runs[1]
    assert 5 < runs[0].count(500) < 35


def test_poison_spoils_full_pages_and_the_record_for_ever(small: Sandbox) -> None:
    id_ = canonical(get(small, "id/objects").members[2]["@id"])
    small.fault("poison:row=3")
    assert small.truth()["objects"]["poison"] == [id_]
    for _ in range(2):
        assert get(small, "id/objects?fullRecord=true").status == 500
        single = get(small, id_.removeprefix(BASE))
        assert (single.status, single.json) == (500, {"error": "Internal Server Error"})
    assert get(small, "id/objects").status == 200
    assert get(small, "id/objects?fullRecord=true&itemsPerPage=1&page=2").status == 200
    assert get(small, "id/objects?fullRecord=true&itemsPerPage=1&page=3").status == 500
    small.clear()
    assert get(small, "id/objects?fullRecord=true").status == 200


def test_rows_come_and_go_between_requests(small: Sandbox) -> None:
    small.fault("insert:nth=2,at=5")
    small.fault("delete:nth=3,at=1")
    before, second, third, after = (get(small, "id/objects?itemsPerPage=100") for _ in range(4))
    assert second.body == before.body
    ids = [[stub["@id"] for stub in reply.members] for reply in (before, third, after)]
    assert len(ids[1]) == third.json["hydra:totalItems"] == 46
    assert ids[1][:4] + ids[1][5:] == ids[0]
    assert ids[1] == sorted(ids[1])
    assert ids[2] == ids[1][1:]
    assert small.truth()["objects"]["ids"] == sorted(map(canonical, ids[2]))
    new = canonical(ids[1][4]).removeprefix(BASE)
    assert canonical(get(small, new).json["@id"]).removeprefix(BASE) == new
    assert get(small, canonical(ids[0][0]).removeprefix(BASE)).status == 404


def test_rows_of_other_collections_move_too(small: Sandbox) -> None:
    for name in PUBLIC[1:]:
        small.fault(f"insert:path={name},at=6")
        get(small, f"id/{name}")
        stubs = [stub["@id"] for stub in get(small, f"id/{name}").members]
        assert len(stubs) == 6
        assert get(small, canonical(stubs[-1]).removeprefix(BASE)).status == 200


def test_faults_come_and_go_over_http(small: Sandbox) -> None:
    def send(method: str, body: str = "") -> Reply:
        where = urlsplit(small.base_url)
        connection = HTTPConnection(where.hostname or "", where.port)
        connection.request(method, "/__faults", body)
        response = connection.getresponse()
        reply = Reply(response.status, response.headers, response.read())
        connection.close()
        return reply

    assert send("POST", '["status:times=always", "latency:seconds=0"]').json == {"added": 2}
    assert get(small, "id/objects").status == 500
    assert send("DELETE").status == 200
    assert get(small, "id/objects").status == 200
    for wrong in ("[1]", "{", '"status"', '["status", "nonsense"]'):
        assert send("POST", wrong).status == 400
    assert get(small, "id/objects").status == 200


@pytest.mark.parametrize(
    "options",
    [
        {"faults": ["nonsense"]},
        {"faults": ["status:code=999"]},
        {"faults": ["status:nonsense=1"]},
        {"faults": ["reset:when=never"]},
        {"faults": ["redirect"]},
        {"faults": ["poison:row=11"]},
        {"faults": ["insert:path=types"]},
        {"faults": ["status:path=pages"]},
        {"faults": ["status:tier=slow"]},
        {"faults": ["status:every=0"]},
        {"limits": "single=120"},
        {"limits": "nonsense=1/1"},
        {"limits": "single=0/60"},
        {"window_scale": 0.0},
        {"host": "0.0.0.0"},
        {"port": 70_000},
        {"objects": -1},
        {"links": "both"},
        {"v1": "perhaps"},
    ],
)
def test_nonsense_is_one_line(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\A\w[^\n]*\Z"), Sandbox(**{"objects": 10} | options):
        pass
