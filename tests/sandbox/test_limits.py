"""Limits of the sandbox, and its statistics."""

from __future__ import annotations

from base64 import b64decode
from hashlib import sha256
from http.client import HTTPConnection
from time import monotonic, sleep
from urllib.parse import urlsplit

import pytest

from mplus_crawler.sandbox.app import Sandbox
from tests.sandbox.wire import (
    TOO_MANY,
    a_pid,
    get,
)


@pytest.mark.parametrize(
    ("tier", "limit", "paths"),
    [
        ("single", 120, ["id/object/nope", "id/agent/x", "id/exhibition/x", "id/concept/x"]),
        ("collections", 300, ["id/objects", "id/agents", "id/exhibitions", "id/concepts"]),
        ("aggregations", 20, ["id/colors", "id/colors/dominant", "id/types", "id/materials"]),
        ("private", 600, ["id/private/objects"]),
    ],
)
def test_the_museums_limits(tier: str, limit: int, paths: list[str]) -> None:
    with Sandbox(objects=10, agents=5, exhibitions=5, concepts=5) as museum:
        for number in range(limit):
            reply = get(museum, paths[number % len(paths)])
            assert reply.status != 429
            assert reply.headers["RateLimit"].startswith(
                f'"{limit}-in-1min"; r={limit - number - 1}; t='
            )
        refused = get(museum, paths[0])
        assert (refused.status, refused.body) == (429, TOO_MANY)
        assert refused.headers["Content-Type"] == "application/json; charset=utf-8"
        wait = refused.headers["Retry-After"]
        assert 50 <= int(wait) <= 60
        assert refused.headers["RateLimit"] == f'"{limit}-in-1min"; r=0; t={wait}'
        counted = museum.stats()["tiers"][tier]
        assert (counted["requests"], counted["too_many"]) == (limit + 1, 1)


def test_the_policy_header_names_the_client() -> None:
    with Sandbox(objects=10) as museum:
        for address, headers in (
            ("127.0.0.1", {}),
            ("10.0.0.9", {"X_Forwarded_For": "a, 10.0.0.9"}),
        ):
            reply = get(museum, "id/objects", **headers)
            policy = reply.headers["RateLimit-Policy"]
            start, _, partition = policy.rstrip(":").rpartition("pk=:")
            assert start == '"300-in-1min"; q=300; w=60; '
            assert b64decode(partition).decode() == sha256(address.encode()).hexdigest()[:12]
            assert reply.headers["RateLimit"].endswith("r=299; t=60")


def test_what_counts() -> None:
    with Sandbox(objects=10, limits="single=4/60") as museum:
        pid = a_pid(museum)
        assert get(museum, f"id/object/{pid}", "OPTIONS").headers["RateLimit"] is None
        assert get(museum, f"id/ark:/29417/object/{pid}").headers["RateLimit"] is None
        assert get(museum, "dcat").headers["RateLimit"] is None
        for method, path, headers in (
            ("HEAD", f"id/object/{pid}", {}),
            ("GET", f"id/object/{pid}", {"If_None_Match": "*"}),
            ("GET", "id/object/REMOVED", {}),
            ("GET", "id/object", {}),
        ):
            assert get(museum, path, method, **headers).status != 429
        assert get(museum, f"id/object/{pid}", "HEAD").status == 429
        assert get(museum, "id/concept/1").status == 429
        assert get(museum, "id/concepts").status == 200
        assert get(museum, "id/concept/1", X_Forwarded_For="10.0.0.9").status == 404


def test_a_window_is_fixed_and_starts_with_its_first_request() -> None:
    with Sandbox(objects=10, limits="collections=3/6", window_scale=0.1) as museum:
        began = monotonic()
        first = get(museum, "id/objects")
        assert first.headers["RateLimit-Policy"].startswith('"3-in-0.6sec"; q=3; w=1; pk=:')
        assert first.headers["RateLimit"] == '"3-in-0.6sec"; r=2; t=1'
        statuses = []
        while monotonic() < began + 0.5:
            statuses.append(get(museum, "id/objects").status)
        assert statuses[:2] == [200, 200]
        assert set(statuses[2:]) == {429}
        sleep(began + 0.65 - monotonic())
        assert get(museum, "id/objects").headers["RateLimit"].endswith("r=2; t=1")
        counted = museum.stats()["tiers"]["collections"]
        assert counted["peak_fixed"] == len(statuses) + 1
        assert counted["peak_sliding"] >= counted["peak_fixed"]


def test_limits_can_be_switched_off(museum: Sandbox) -> None:
    reply = get(museum, "id/objects")
    assert reply.headers["RateLimit"] is None
    assert museum.stats()["tiers"]["collections"]["peak_sliding"] > 0


def test_statistics_are_exact() -> None:
    with Sandbox(objects=30, latency=0.05) as museum:
        connections = [
            HTTPConnection("127.0.0.1", urlsplit(museum.base_url).port) for _ in range(3)
        ]
        for connection in connections:
            connection.request("GET", "/v2/id/objects?page=2")
        for connection in connections:
            connection.getresponse().read()
            connection.close()
        get(museum, "id/objects?page=-1")
        get(museum, "id/object/nope")
        stats = get(museum, "/__stats?log=1").json
        collections = stats["tiers"]["collections"]
        assert collections["requests"] == collections["peak_sliding"] == 4
        assert collections["statuses"] == {"200": 3, "500": 1}
        assert collections["peak_in_flight"] == 3
        assert collections["last"] - collections["first"] >= 0.05
        assert stats["tiers"]["single"]["statuses"] == {"404": 1}
        assert stats["paths"] == {"id/objects": 4, "id/object/nope": 1}
        assert [line[1:] for line in stats["log"]][-2:] == [
            ["/v2/id/objects?page=-1", 500],
            ["/v2/id/object/nope", 404],
        ]
        assert museum.stats() == get(museum, "/__stats").json
        assert get(museum, "/__truth").json == museum.truth()
        assert get(museum, "/__reset", "POST").status == 200
        assert museum.stats()["tiers"]["collections"]["requests"] == 0
        assert get(museum, "/__nothing").status == 404
