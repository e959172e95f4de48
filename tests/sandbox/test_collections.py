"""Collections of the sandbox at the wire, as they were observed at the museum."""

from __future__ import annotations

from math import ceil

import pytest

from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.sandbox.facts.dmg import FACTS
from tests.sandbox.wire import BASE, KEY, PUBLIC, RANGE, canonical, get, is_spoilt, pid_of, walk


def test_a_page_has_the_shape_of_the_museums(museum: Sandbox) -> None:
    reply = get(museum, "id/objects?itemsPerPage=3&page=2")
    page = reply.json
    assert list(page) == [
        "@context",
        "@id",
        "@type",
        "hydra:totalItems",
        "hydra:view",
        "hydra:member",
    ]
    assert list(page["@context"]) == ["crm", "rdfs", "hydra", "owl"]
    assert page["@id"] == f"{BASE}id/objects"
    assert page["hydra:view"] == {
        "@id": f"{BASE}id/objects?page=2&itemsPerPage=3",
        "@type": "hydra:PartialCollectionView",
        "hydra:first": f"{BASE}id/objects?page=1&itemsPerPage=3",
        "hydra:last": f"{BASE}id/objects?page=300&itemsPerPage=3",
        "hydra:previous": f"{BASE}id/objects?page=1&itemsPerPage=3",
        "hydra:next": f"{BASE}id/objects?page=3&itemsPerPage=3",
    }
    assert reply.headers["Link"] == ", ".join(
        f'<{BASE}id/objects?page={page}&itemsPerPage=3>; rel="{rel}"'
        for rel, page in (("first", 1), ("last", 300), ("prev", 1), ("next", 3))
    )
    assert reply.headers["Content-Type"] == "application/ld+json; charset=utf-8"
    assert reply.headers["Content-Disposition"] == "inline"
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert reply.headers["ETag"].startswith(f'W/"{len(reply.body):x}-')
    assert "Server" not in reply.headers


@pytest.mark.parametrize(
    ("query", "page", "size", "shown"),
    [
        ("", 1, 10, 10),
        ("itemsPerPage=1000", 1, 100, 100),
        ("itemsPerPage=0", 1, 10, 10),
        ("itemsPerPage=many", 1, 10, 10),
        ("itemsPerPage=99.9", 1, 99, 99),
        ("page=0", 1, 10, 10),
        ("page=last", 1, 10, 10),
        ("page=2nd", 2, 10, 10),
        ("page=9&itemsPerPage=100", 9, 100, 100),
        ("page=10&itemsPerPage=100", 10, 100, 0),
        ("page=12&itemsPerPage=100", 12, 100, 0),
    ],
)
def test_pages_are_read_like_javascript_does(
    museum: Sandbox, query: str, page: int, size: int, shown: int
) -> None:
    reply = get(museum, f"id/objects?{query}")
    assert len(reply.members) == shown
    assert reply.json["hydra:totalItems"] == 900
    address = f"{BASE}id/objects?page={{}}&itemsPerPage={size}"
    view = reply.json["hydra:view"]
    last = ceil(900 / size)
    assert view["@id"] == address.format(page)
    assert view["hydra:last"] == address.format(last)
    assert view.get("hydra:next") == (address.format(page + 1) if page < last else None)
    assert view.get("hydra:previous") == (address.format(page - 1) if page > 1 else None)


@pytest.mark.parametrize(
    ("query", "echoed"),
    [
        ("fullRecord=true&nonsense=1", "&fullRecord=true"),
        ("fullRecord=True&hasImages=1&hasParts=false", ""),
        (
            "colors=true&fullRecord=true&hasColors=true",
            "&fullRecord=true&colors=true&hasColors=true",
        ),
        ("q=rode%20stoel,%20~&hasParts=true", "&hasParts=true&q=rode+stoel%2C+%7E"),
        ("onDisplay=1&language=nld", "&onDisplay=true&language=NLD"),
        ("onDisplay=0&color=PINK", "&onDisplay=false&color=pink"),
        ("onDisplay=perhaps&type=", ""),
        (
            "sortOrder=desc&sortBy=modified&koepels=exclude&date=1900/1950"
            "&language=nld&material=glas%20(materiaal)&type=vaas&onDisplay=false&hasImages=true",
            "&hasImages=true&onDisplay=false&type=vaas&material=glas+%28materiaal%29&language=NLD"
            "&date=1900%2F1950&koepels=exclude&sortBy=modified&sortOrder=desc",
        ),
        ("modifiedSince=2026-03-01", "&modifiedSince=2026-03-01"),
    ],
)
def test_links_repeat_what_was_understood(museum: Sandbox, query: str, echoed: str) -> None:
    reply = get(museum, f"id/objects?itemsPerPage=1&{query}")
    assert reply.link("first") == f"id/objects?page=1&itemsPerPage=1{echoed}"


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("id/objects?page=-1", 500, RANGE),
        ("id/objects?itemsPerPage=-5", 500, RANGE),
        ("id/agents?page=-1", 500, '{"error":"Error fetching agents"}'),
        ("id/objects?type=a&type=b", 500, '{"error":"Internal Server Error"}'),
        ("id/objects?type=%22vaas", 500, '{"error":"Error fetching objects","details":""}'),
        ("id/objects?material=%7Bhout", 500, '{"error":"Error fetching objects","details":""}'),
        ("id/exhibitions?q=a,b(c)", 500, '{"error":"Error fetching exhibitions"}'),
        (
            "id/objects?modifiedSince=gisteren",
            400,
            '{"error":"Invalid modifiedSince date format. Use YYYY-MM-DD."}',
        ),
        (
            "id/objects?modifiedSince=2026-06-25T10:00:00+02:00",
            400,
            '{"error":"Invalid modifiedSince date format. Use YYYY-MM-DD."}',
        ),
        (
            "id/concepts?modifiedSince=gisteren",
            400,
            '{"error":"Invalid modifiedSince format. Use YYYY-MM-DD."}',
        ),
        (
            "id/private/objects",
            401,
            '{"error":"Authentication key is missing or invalid.'
            ' This stream is only available via authentication."}',
        ),
        ("id/private/objects?apiKey=wrong", 401, None),
        ("id/colors/dominant", 400, '{"error":"Provide either ?color= or ?cssColor="}'),
        ("id/object/nope", 404, '{"error":"Object not found"}'),
        ("id/object/removed", 404, '{"error":"Object not found"}'),
        ("id/object/UNHEALTHY", 404, '{"error":"Object not found"}'),
        (
            "id/object/REMOVED",
            410,
            '{"error":"This object has been permanently removed from our collection."}',
        ),
        ("id/agent/DMG-A-99999", 404, '{"error":"Agent not found"}'),
        ("id/exhibition/TE_1800-001", 404, '{"error":"Exhibition not found"}'),
        ("id/concept/1", 404, '{"error":"Concept not found"}'),
    ],
)
def test_refusals_in_the_museums_words(
    museum: Sandbox, path: str, status: int, body: str | None
) -> None:
    reply = get(museum, path)
    assert reply.status == status
    assert reply.headers["Content-Type"] == "application/ld+json; charset=utf-8"
    assert body is None or reply.body.decode() == body


def test_an_empty_result_ends_on_page_0(museum: Sandbox) -> None:
    reply = get(museum, "id/objects?type=nietbestaand")
    assert (reply.status, reply.json["hydra:totalItems"], reply.members) == (200, 0, [])
    assert reply.link("last") == "id/objects?page=0&itemsPerPage=10&type=nietbestaand"
    assert reply.link("next") is None


def test_an_unknown_concept_has_no_link_header(museum: Sandbox) -> None:
    reply = get(museum, "id/objects?conceptSearch=nietbestaand")
    assert reply.headers["Link"] is None
    assert "page=1&" in reply.json["hydra:view"]["hydra:last"]


@pytest.mark.parametrize("name", [*PUBLIC, "private_objects"])
def test_a_walk_finds_the_truth(museum: Sandbox, name: str) -> None:
    path = FACTS["collection"][name]["path"]
    truth = museum.truth()[name]
    stubs = list(walk(museum, f"{path}?itemsPerPage=100", **KEY))
    records = list(walk(museum, f"{path}?itemsPerPage=100&fullRecord=true", **KEY))
    ids = [canonical(stub["@id"]) for stub in stubs]
    assert sorted(ids) == truth["ids"]
    assert len(set(ids)) == len(ids) == len(records) == truth["total"]
    assert [id_ for id_, record in zip(ids, records, strict=True) if "@id" not in record] == [
        id_ for id_ in ids if id_ in truth["null"]
    ]
    named = [(id_, record) for id_, record in zip(ids, records, strict=True) if "@id" in record]
    assert all(canonical(record["@id"]) == id_ for id_, record in named)
    assert {id_ for id_, record in named if is_spoilt(record)} == set(truth["invalid"])


def test_objects_are_sorted_by_number(museum: Sandbox) -> None:
    stubs = walk(museum, "id/objects?itemsPerPage=100")
    numbers = [stub["@id"].removeprefix(f"{BASE}id/object/") for stub in stubs]
    assert numbers == sorted(numbers)
    for odd in " /%&(":
        assert any(odd in number for number in numbers), odd


def test_private_stubs_double_a_slash(museum: Sandbox) -> None:
    path = f"id/private/objects?itemsPerPage=1&apiKey={FACTS['private_key']}"
    reply = get(museum, path)
    assert reply.members[0]["@id"].startswith(f"{BASE}/id/object/")
    assert "apiKey" not in reply.headers["Link"]
    record = get(museum, f"{path}&fullRecord=true").members[0]
    assert record["@id"].startswith(f"{BASE}id/object/")


def test_local_links_leave_full_records_alone() -> None:
    with Sandbox(objects=30, links="local") as museum:
        base = museum.base_url
        stub = get(museum, "id/objects?itemsPerPage=1")
        assert f"<{base}id/objects?page=2&itemsPerPage=1>" in stub.headers["Link"]
        assert stub.json["@id"] == f"{base}id/objects"
        assert stub.members[0]["@id"].startswith(f"{base}id/object/")
        record = get(museum, "id/objects?itemsPerPage=1&fullRecord=true")
        assert record.json["hydra:view"]["hydra:next"].startswith(base)
        assert record.members[0]["@id"].startswith(f"{BASE}id/object/")
        assert get(museum, "id/types").members[0]["filter"].startswith(base)
        merged = pid_of(museum.truth()["objects"]["merged"][0])
        assert get(museum, f"id/object/{merged}").headers["Location"].startswith(base)
