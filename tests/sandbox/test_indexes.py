"""Indexes, routes and the retired version of the sandbox."""

from __future__ import annotations

import pytest

from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.sandbox.dmg.retired import retired
from mplus_crawler.sandbox.facts.dmg import FACTS
from tests.sandbox.wire import (
    BASE,
    a_pid,
    get,
)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("types", "object_count"),
        ("materials", "object_count"),
        ("nationalities", "agent_count"),
        ("roles", "agent_count"),
    ],
)
def test_indexes_count_what_their_filter_finds(museum: Sandbox, name: str, count: str) -> None:
    index = get(museum, f"id/{name}")
    assert index.headers["Link"] is None
    assert "hydra:view" not in index.json
    assert index.json["hydra:totalItems"] == len(index.members)
    member = index.members[0]
    found = get(museum, member["filter"].removeprefix(BASE))
    assert found.json["hydra:totalItems"] == member[count]


def test_the_time_index(museum: Sandbox) -> None:
    index = get(museum, "id/production").json
    assert (index["@id"], index["bucket_size"]) == (f"{BASE}id/production", 10)
    assert {"hydra:member", "hydra:totalItems"}.isdisjoint(index)
    buckets = index["buckets"]
    assert [bucket["year"] for bucket in buckets] == list(range(1600, buckets[-1]["year"] + 1, 10))
    for total, part in (("total_weight", "weight"), ("total_acquired", "acquired")):
        assert index[total] == pytest.approx(sum(bucket[part] for bucket in buckets), abs=0.01)
    found = get(museum, buckets[-4]["filter"].removeprefix(BASE))
    assert found.json["hydra:totalItems"] == buckets[-4]["object_count"] > 0
    assert buckets[0]["spread_factor"] is None
    some = get(museum, "id/production?bucket=3&yearFrom=1900&yearTo=9999&onDisplay=true&q=a").json
    assert (some["bucket_size"], some["year_from"], some["year_to"]) == (5, 1900, 2100)
    assert some["@id"].endswith("?bucket=3&yearFrom=1900&yearTo=9999&onDisplay=true&q=a")
    assert some["total_weight"] < index["total_weight"]


def test_the_colour_index_and_its_rights(museum: Sandbox) -> None:
    index = get(museum, "id/colors").json
    colour = index["base_colors"][0]
    found = get(museum, colour["filter"].removeprefix(BASE))
    assert found.json["hydra:totalItems"] == colour["object_count"]
    dominant = get(museum, f"{colour['dominant'].removeprefix(BASE)}&limit=3")
    assert len(dominant.members) == 3
    shares = [member["dominance_pct"] for member in dominant.members]
    assert shares == sorted(shares, reverse=True)
    member = dominant.members[0]
    assert member["@id"].startswith(f"{BASE}/id/object/")
    assert member["image"]["crm:P104_is_subject_to"]["@type"] == "crm:E30_Right"
    on_display = get(museum, "id/types?onDisplay=true").members[0]
    assert on_display["filter"].endswith("&onDisplay=true")


@pytest.mark.parametrize("path", ["", "dcat", "/v2", "//", "DCAT/"])
def test_the_catalogue(museum: Sandbox, path: str) -> None:
    path = "/v2//" if path == "//" else path
    catalogue = get(museum, path).json
    assert catalogue["dct:license"]["@id"] == FACTS["licence"]["metadata"]


def test_the_description_is_plain_json(museum: Sandbox) -> None:
    reply = get(museum, "api-docs.json")
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    assert "/id/roles" in reply.json["paths"]


@pytest.mark.parametrize(
    ("spelling", "status"),
    [
        ("id/object/{}", 200),
        ("id/object/{}/", 200),
        ("ID/Object/{}", 200),
        ("/v2//id/object/{}", 200),
        ("/v2/id//object/{}", 404),
        ("/V2/id/object/{}", 200),
        ("id/object/{}/more", 404),
    ],
)
def test_routes_are_taken_as_express_takes_them(
    museum: Sandbox, spelling: str, status: int
) -> None:
    assert get(museum, spelling.format(a_pid(museum))).status == status


@pytest.mark.parametrize(
    "path", ["/", "/robots.txt", "/v1/id/objects", "/v2/id/similar", "/v2/id/object", "/v2x/"]
)
def test_unknown_routes_are_html(museum: Sandbox, path: str) -> None:
    reply = get(museum, path)
    assert (reply.status, reply.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert f"<pre>Cannot GET {path}</pre>" in reply.body.decode()


def test_other_methods_and_undecodable_paths(museum: Sandbox) -> None:
    assert b"Cannot POST /v2/id/objects" in get(museum, "id/objects", "POST").body
    for path in ("id/object/50%", "id/object/%FF"):
        reply = get(museum, path)
        assert (reply.status, reply.headers["Content-Type"]) == (400, "text/html; charset=utf-8")
    options = get(museum, "id/objects", "OPTIONS")
    assert (options.status, options.body) == (204, b"")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("application/ld+json, application/json", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("text/html;q=0.1, application/json", "application/json"),
        ("image/png", "application/json"),
    ],
)
def test_the_retired_version(accept: str, kind: str) -> None:
    headers = retired(accept).headers
    assert headers["Content-Type"] == f"{kind}; charset=utf-8"


def test_the_retired_version_is_gone_on_demand() -> None:
    with Sandbox(objects=10, v1="gone") as museum:
        reply = get(museum, "/v1/id/objects")
        assert (reply.status, reply.headers["Deprecation"]) == (410, "true")
        assert reply.headers["Link"] == f'<{BASE}>; rel="successor-version"'
        assert reply.headers["Sunset"] == FACTS["v1"]["sunset"]
        assert reply.json["retired_on"] == FACTS["v1"]["retired_on"]


def test_the_retired_version_lives_on_demand() -> None:
    """It is counted with the single records; every response announces its end."""
    with Sandbox(objects=30, v1="live", limits="single=120/60") as museum:
        for number, (path, status) in enumerate(
            [
                ("", 404),
                ("id/objects?itemsPerPage=1000&fullRecord=false", 200),
                ("id/objects?pageNumber=900", 404),
                ("id/object/0004.json", 200),
                ("id/agent/nope", 404),
            ]
        ):
            reply = get(museum, f"/v1/{path}")
            assert (reply.status, reply.headers["Deprecation"]) == (status, "true")
            assert reply.headers["Sunset"] == FACTS["v1"]["announced"]
            assert reply.headers["Link"] == f'<{BASE}>; rel="successor-version"'
            assert f"r={119 - number}" in reply.headers["RateLimit"]
        assert "r=114" in get(museum, "/v2/id/object/0004").headers["RateLimit"]
        first = get(museum, "/v1/id/objects?itemsPerPage=7").json
        assert first["hydra:view"]["hydra:previous"] is None
        assert first["@id"].startswith(BASE.replace("v2/", "v1id/objects?"))
        assert first["hydra:totalItems"] < 30
        every = get(museum, "/v1/id/objects?hasImages=false&pageNumber=2").json
        assert (every["hydra:totalItems"], every["hydra:view"]["hydra:next"]) == (30, None)
