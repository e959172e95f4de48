"""The sandbox at the wire, held against what was observed of the museum's API."""

from __future__ import annotations

import json
import signal
import socket
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPConnection, HTTPException, HTTPMessage
from math import ceil
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest

from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.sandbox.dmg.facts import FACTS
from mplus_crawler.sandbox.dmg.names import ObjectNumbers
from mplus_crawler.sandbox.dmg.retired import retired
from tests.conftest import Scrapy

BASE: str = FACTS["base_url"]
PUBLIC = ("objects", "agents", "exhibitions", "concepts")
KEY = {"x-api-key": FACTS["private_key"]}
TOO_MANY = b'{"status":429,"error":"Too many requests. Please slow down."}'
RANGE = '{"error":"Error fetching objects","details":"Requested range not satisfiable"}'


@dataclass
class Reply:
    """An answer off the wire."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def members(self) -> list[dict[str, Any]]:
        members: list[dict[str, Any]] = self.json["hydra:member"]
        return members

    def link(self, rel: str) -> str | None:
        """The target of a link, below the base."""
        for part in (self.headers["Link"] or "").split(", "):
            url, _, name = part.partition("; rel=")
            if name == f'"{rel}"':
                return url.strip("<>").removeprefix(BASE)
        return None


def get(museum: Sandbox, path: str, method: str = "GET", **headers: str) -> Reply:
    """One request on its own connection; a path that begins with a slash is taken from the root."""
    where = urlsplit(museum.base_url)
    target = path if path.startswith("/") else f"{where.path}{path}"
    connection = HTTPConnection(where.hostname or "", where.port, timeout=10)
    try:
        connection.request(
            method, target, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def walk(museum: Sandbox, path: str, **headers: str) -> Iterator[dict[str, Any]]:
    """All members along the Link headers."""
    following: str | None = path
    while following:
        reply = get(museum, following, **headers)
        assert reply.status == 200
        yield from reply.members
        following = reply.link("next")


def canonical(member_id: str) -> str:
    """The spelling that the truth uses of an id that a stub shows."""
    kind, _, pid = member_id.replace("//id/", "/id/").removeprefix(f"{BASE}id/").partition("/")
    return f"{BASE}id/{kind}/{quote(pid, safe='')}"


def pid_of(canonical_id: str) -> str:
    return canonical_id.rpartition("/")[2]


@pytest.fixture(scope="module")
def museum() -> Iterator[Sandbox]:
    """A museum without limits or faults, for everything that doesn't change it."""
    with Sandbox(objects=900, agents=450, exhibitions=130, concepts=520, limits="off") as sandbox:
        yield sandbox


@pytest.fixture
def small() -> Iterator[Sandbox]:
    """A museum to spoil."""
    with Sandbox(objects=45, agents=5, exhibitions=5, concepts=5, limits="off") as sandbox:
        yield sandbox


# Collections


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


def is_spoilt(record: dict[str, Any]) -> bool:
    stamp = record.get("prov:generatedAtTime", {}).get("@value", "2026")
    return (
        isinstance(record["rdfs:label"], dict)
        or not isinstance(record["@type"], str)
        or not stamp.startswith("2026")
    )


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


def labels(record: dict[str, Any], property_: str) -> set[str]:
    found = record.get(property_, [])
    return {node["rdfs:label"] for node in (found if isinstance(found, list) else [found])}


def years(record: dict[str, Any]) -> tuple[int, int]:
    production = record["crm:P108i_was_produced_by"]
    event = production[0] if isinstance(production, list) else production
    span = event["crm:P4_has_time-span"]
    begin, end = span["crm:P82a_begin_of_the_begin"], span["crm:P82b_end_of_the_end"]
    return int(begin["@value"]), int(end["@value"])


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("type=vaas", lambda r: "vaas" in labels(r, "crm:P2_has_type")),
        (
            "material=hout,zilver",
            lambda r: {"hout", "zilver"} <= labels(r, "crm:P45_consists_of"),
        ),
        ("hasImages=true", lambda r: "crm:P129i_is_subject_of" in r),
        ("hasColors=true&colors=true", lambda r: "crm:P65_shows_visual_item" in r),
        ("hasParts=true", lambda r: "crm:P46_has_component" in r),
        ("isPartOf=true", lambda r: "crm:P46i_forms_part_of" in r),
        ("onDisplay=true", lambda r: "crm:P55_has_current_location" in r),
        ("onDisplay=false", lambda r: "crm:P55_has_current_location" not in r),
        ("modifiedSince=2026-05-01", lambda r: r["prov:generatedAtTime"]["@value"] >= "2026-05-01"),
        ("q=LEPEL", lambda r: "lepel" in json.dumps(r)),
        ("language=FRA", lambda r: "language/FRA" in json.dumps(r)),
        ("language=DE", lambda r: True),
        ("date=1900/1910", lambda r: years(r)[1] >= 1900 and years(r)[0] <= 1910),
        ("dateFrom=2000", lambda r: years(r)[1] >= 2000),
        ("dateTo=1850", lambda r: years(r)[0] <= 1850),
        ("koepels=exclude", lambda r: "_0-" not in r["@id"]),
        ("color=Pink&colors=true", lambda r: '"pink"' in json.dumps(r)),
        ("cssColor=Jet,Sage&colors=true", lambda r: {"#343434", "#bcb88a"} <= shades(r)),
        ("concept=530000001", lambda r: "vaas" in labels(r, "crm:P2_has_type")),
    ],
)
def test_object_filters_select(
    museum: Sandbox, query: str, holds: Callable[[dict[str, Any]], bool]
) -> None:
    records = list(walk(museum, f"id/objects?itemsPerPage=100&fullRecord=true&{query}"))
    whole = [record for record in records if "@id" in record]
    spoilt = [record for record in whole if not is_spoilt(record)]
    assert 0 < len(records) <= 900
    assert all(holds(record) for record in spoilt)


def shades(record: dict[str, Any]) -> set[str]:
    features = record["crm:P65_shows_visual_item"]["crm:P56_bears_feature"]
    return {note["rdf:value"] for feature in features for note in feature["crm:P3_has_note"]}


def test_an_agent_pushes_all_other_filters_aside(museum: Sandbox) -> None:
    records = walk(museum, "id/objects?itemsPerPage=100&fullRecord=true")
    maker = next(m for r in records if (m := first_maker(r)))
    asked = get(museum, f"id/objects?agent={quote(maker, safe='')}&type=none&fullRecord=true")
    assert asked.json["hydra:totalItems"] > 0
    assert "type=none" in (asked.link("first") or "")
    assert all(maker in json.dumps(record) for record in asked.members if "@id" in record)


def first_maker(record: dict[str, Any]) -> str | None:
    events = record.get("crm:P108i_was_produced_by", [])
    event = events if isinstance(events, dict) else (events or [{}])[0]
    makers = event.get("crm:P14_carried_out_by", [])
    maker = makers if isinstance(makers, dict) else (makers or [{}])[0]
    return maker.get("@id")


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("nationality=Itali%C3%AB", lambda r: "Italië" in json.dumps(r, ensure_ascii=False)),
        ("type=organisation", lambda r: r["@type"] == "crm:E74_Group"),
        ("type=individual", lambda r: r["@type"] == "crm:E21_Person"),
        ("language=FRA", lambda r: "language/FRA" in json.dumps(r)),
        ("role=designer,producer", lambda r: True),
        ("hasBio=true", lambda r: True),
        ("q=maes", lambda r: "Maes" in json.dumps(r)),
    ],
)
def test_agent_filters_select(
    museum: Sandbox, query: str, holds: Callable[[dict[str, Any]], bool]
) -> None:
    records = list(walk(museum, f"id/agents?itemsPerPage=100&fullRecord=true&{query}"))
    assert 0 < len(records) < 450
    assert all(holds(r) for r in records if "@id" in r and not is_spoilt(r))


@pytest.mark.parametrize(
    "field", ["titleNL", "titleFR", "titleEN", "dateBegin", "dateEnd", "modified"]
)
def test_sorting_puts_the_unknown_last(museum: Sandbox, field: str) -> None:
    up, down = (
        [stub["@id"] for stub in walk(museum, f"id/objects?itemsPerPage=100&sortBy={field}{order}")]
        for order in ("", "&sortOrder=desc")
    )
    plain = [stub["@id"] for stub in walk(museum, "id/objects?itemsPerPage=100")]
    assert sorted(up) == sorted(down) == plain
    assert up != plain
    assert up[-1] == down[-1]


def test_sorting_by_number_can_be_turned_round(museum: Sandbox) -> None:
    stubs = [stub["@id"] for stub in walk(museum, "id/objects?itemsPerPage=100&sortOrder=desc")]
    assert stubs == sorted(stubs, reverse=True)


# Single records, indexes and what isn't there


def a_pid(museum: Sandbox, name: str = "objects") -> str:
    """The encoded number of a record that is simply in order."""
    truth = museum.truth()[name]
    odd = {id_ for kind in ("invalid", "null", "merged") for id_ in truth[kind]}
    return pid_of(next(id_ for id_ in truth["ids"] if id_ not in odd))


@pytest.mark.parametrize(("kind", "name"), [("object", "objects"), ("agent", "agents")])
def test_dated_records_have_strong_validators(museum: Sandbox, kind: str, name: str) -> None:
    pid = a_pid(museum, name)
    reply = get(museum, f"id/{kind}/{pid}")
    assert reply.headers["ETag"].startswith(f'"{pid}-')
    assert reply.headers["ETag"].endswith('000"')
    assert reply.headers["Cache-Control"] == "public, max-age=3600"
    asked = get(museum, f"id/ark:/29417/{kind}/{pid}")
    assert asked.body == reply.body


@pytest.mark.parametrize(("kind", "name"), [("exhibition", "exhibitions"), ("concept", "concepts")])
def test_undated_records_have_only_a_weak_hash(museum: Sandbox, kind: str, name: str) -> None:
    reply = get(museum, f"id/{kind}/{a_pid(museum, name)}")
    assert reply.headers["ETag"].startswith('W/"')
    assert "Last-Modified" not in reply.headers
    assert "Cache-Control" not in reply.headers


def test_every_listed_object_answers_by_its_encoded_number(museum: Sandbox) -> None:
    truth = museum.truth()["objects"]
    for id_ in truth["ids"]:
        if id_ in truth["merged"]:
            continue
        reply = get(museum, id_.removeprefix(BASE))
        assert reply.status == 200
        if id_ not in truth["null"]:
            assert canonical(reply.json["@id"]) == id_


def test_a_slash_in_a_number_must_be_encoded(museum: Sandbox) -> None:
    pid = next(pid_of(id_) for id_ in museum.truth()["objects"]["ids"] if "%2F" in id_)
    assert get(museum, f"id/object/{pid}").status == 200
    raw = get(museum, f"id/object/{quote(unquote(pid))}")
    assert (raw.status, raw.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_a_merged_object_redirects_and_stays_listed(museum: Sandbox) -> None:
    truth = museum.truth()["objects"]
    id_ = truth["merged"][0]
    assert id_ in truth["ids"]
    reply = get(museum, f"id/object/{pid_of(id_)}")
    assert reply.status == 301
    other = reply.json["resolved"].removeprefix(f"{BASE}id/object/")
    assert reply.json["message"] == f"This object has been merged into {other}."
    assert reply.headers["Location"].startswith(f"{BASE}id/object/")


def test_a_database_that_is_down_hides_behind_other_answers() -> None:
    faults = ["database:times=always"]
    with Sandbox(objects=20, agents=5, limits="off", faults=faults) as museum:
        paths = ("id/object/0004", "id/agent/DMG-A-00001", "id/private/objects", "id/agents")
        assert [get(museum, path).status for path in paths] == [500, 404, 401, 500]
        assert get(museum, paths[1]).json == {"error": "Agent not found"}


def test_unlisted_objects_are_gone_moved_or_still_there(museum: Sandbox) -> None:
    truth = museum.truth()
    unlisted = set(truth["private_objects"]["ids"]) - set(truth["objects"]["ids"])
    statuses = {get(museum, f"id/object/{pid_of(id_)}").status for id_ in sorted(unlisted)[:60]}
    assert statuses == {200, 301, 410}


def test_a_bare_record_has_no_id(museum: Sandbox) -> None:
    record = get(museum, f"id/object/{pid_of(museum.truth()['objects']['null'][0])}").json
    assert not record.keys() & {"@id", "@type", "@context", "rdfs:label"}
    assert "crm:P1_is_identified_by" in record


def test_colours_come_when_asked_for_and_leave_the_tag(museum: Sandbox) -> None:
    record = next(walk(museum, "id/objects?hasColors=true&itemsPerPage=1"))
    path = canonical(record["@id"]).removeprefix(BASE)
    plain, coloured = get(museum, path), get(museum, f"{path}?colors=true")
    assert "crm:P65_shows_visual_item" not in plain.json
    assert "crm:P65_shows_visual_item" in coloured.json
    assert plain.headers["ETag"] == coloured.headers["ETag"]


def conditions(museum: Sandbox, path: str) -> list[tuple[dict[str, str], int]]:
    sent = get(museum, path).headers
    tag, date = sent["ETag"], sent["Last-Modified"]
    cases = [
        ({"If_None_Match": tag}, 304),
        ({"If_None_Match": f'"other", W/{tag.removeprefix("W/")}'}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"other"'}, 200),
        ({"If_None_Match": tag, "Cache_Control": "no-cache"}, 200),
        ({"If_Modified_Since": "Thu, 01 Jan 2015 00:00:00 GMT"}, 200),
        ({"If_Modified_Since": "nonsense"}, 200),
        ({"If_Modified_Since": "Sun, 22 Nov 2026 00:00:00 GMT"}, 304 if date else 200),
    ]
    return [*cases, ({"If_Modified_Since": date}, 304)] if date else cases


@pytest.mark.parametrize(
    "place", ["object", "agent", "exhibition", "concept", "collection", "types"]
)
def test_conditional_requests(museum: Sandbox, place: str) -> None:
    path = {"collection": "id/objects?itemsPerPage=3", "types": "id/types"}.get(place)
    path = path or f"id/{place}/{a_pid(museum, f'{place}s')}"
    whole = get(museum, path)
    for headers, status in conditions(museum, path):
        reply = get(museum, path, **headers)
        assert reply.status == status, headers
        if status == 304:
            assert reply.body == b""
            assert "Content-Type" not in reply.headers
            for kept in ("ETag", "Last-Modified", "Cache-Control", "Link", "Content-Disposition"):
                assert reply.headers[kept] == whole.headers[kept]


def test_head_is_get_without_a_body(museum: Sandbox) -> None:
    for path in ("id/objects?itemsPerPage=3", f"id/object/{a_pid(museum)}", "id/object/nope"):
        whole, head = get(museum, path), get(museum, path, "HEAD")
        assert (head.status, head.body) == (whole.status, b"")
        for name in ("Content-Length", "ETag", "Link", "Last-Modified"):
            assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    ("name", "count"),
    [("types", "object_count"), ("materials", "object_count"), ("nationalities", "agent_count")],
)
def test_indexes_count_what_their_filter_finds(museum: Sandbox, name: str, count: str) -> None:
    index = get(museum, f"id/{name}")
    assert index.headers["Link"] is None
    assert "hydra:view" not in index.json
    assert index.json["hydra:totalItems"] == len(index.members)
    member = index.members[0]
    found = get(museum, member["filter"].removeprefix(BASE))
    assert found.json["hydra:totalItems"] == member[count]


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
    "path", ["/", "/robots.txt", "/v1/id/objects", "/v2/id/roles", "/v2/id/object", "/v2x/"]
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
    """It is counted with the single records; whatever it answers bears notice of its end."""
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


# Limits and statistics


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


# Data


def test_the_default_museum() -> None:
    began = monotonic()
    with Sandbox() as museum:
        assert monotonic() - began < 2
        truth = museum.truth()
        assert {name: truth[name]["total"] for name in truth} == {
            "objects": 8430,
            "agents": 1500,
            "exhibitions": 300,
            "concepts": 4000,
            "private_objects": 12000,
        }
        assert [len(truth[name]["invalid"]) for name in PUBLIC] == [5, 2, 1, 3]
        assert len(truth["objects"]["null"]) == 25
        page = get(museum, "id/objects?itemsPerPage=100&fullRecord=true&page=40")
        assert 400_000 < len(page.body) < 520_000


def test_a_large_museum_starts_at_once() -> None:
    began = monotonic()
    with Sandbox(objects=200_000) as museum:
        page = get(museum, "id/objects?itemsPerPage=100&fullRecord=true&page=2000")
        assert len(page.members) == 100
        assert monotonic() - began < 3


def test_seeds_decide() -> None:
    bodies = []
    for seed in (1, 1, 2):
        with Sandbox(objects=60, seed=seed) as museum:
            bodies.append(get(museum, "id/objects?itemsPerPage=100&fullRecord=true").body)
    assert bodies[0] == bodies[1] != bodies[2]


@pytest.mark.parametrize(("invalid", "counts"), [(0, [0] * 4), (1, [1] * 4), (100, [5, 2, 1, 3])])
def test_invalid_records_scale(invalid: float, counts: list[int]) -> None:
    with Sandbox(objects=84, agents=15, exhibitions=3, concepts=40, invalid=invalid) as museum:
        truth = museum.truth()
        assert [len(truth[name]["invalid"]) for name in PUBLIC] == counts


@pytest.mark.parametrize("objects", [0, 1, 2, 7])
def test_tiny_museums_work(objects: int) -> None:
    with Sandbox(objects=objects, agents=0, exhibitions=0, concepts=0) as museum:
        assert len(list(walk(museum, "id/objects?fullRecord=true"))) == objects
        for path in ("id/agents", "id/types", "id/colors", "id/nationalities", "id/concepts"):
            assert get(museum, path).status == 200


@pytest.mark.parametrize("rows", [1, 7, 99, 1000, 12_000, 300_000])
def test_object_numbers_ascend(rows: int) -> None:
    numbers = list(map(ObjectNumbers(rows, seed=3), range(rows)))
    assert numbers == sorted(set(numbers))


ODDITIES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "one type bare": lambda r: isinstance(r["crm:P2_has_type"], dict),
    "one type in a list": lambda r: (
        isinstance(r["crm:P2_has_type"], list) and len(r["crm:P2_has_type"]) == 1
    ),
    "numeric label": lambda r: isinstance(r["rdfs:label"], int),
    "no label": lambda r: r["rdfs:label"] is None,
    "label with languages": lambda r: isinstance(r["rdfs:label"], list),
    "unknown title": lambda r: r["rdfs:label"] == "unknown",
    "formula": lambda r: isinstance(r["rdfs:label"], str) and r["rdfs:label"][0] in "=+-@",
    "no date": lambda r: "prov:generatedAtTime" not in r,
    "several images": lambda r: len(r.get("crm:P138i_has_representation", [])) > 1,
    "no image": lambda r: "image" not in r,
    "media": lambda r: isinstance(r.get("crm:P129i_is_subject_of"), list),
    "dimension as text": lambda r: '"crm:P90_has_value": "' in json.dumps(r),
    "dimension as number": lambda r: '"crm:P90_has_value": 1' in json.dumps(r),
    "no dimension": lambda r: r["crm:P43_has_dimension"] == [],
    "current location": lambda r: "crm:P55_has_current_location" in r,
}


def test_the_museums_oddities_are_all_there() -> None:
    with Sandbox(objects=3000, limits="off") as museum:
        records = walk(museum, "id/objects?itemsPerPage=100&fullRecord=true")
        whole = [r for r in records if "@id" in r and not is_spoilt(r)]
        shares = {name: sum(map(odd, whole)) / len(whole) for name, odd in ODDITIES.items()}
        assert all(0 < share < 0.9 for share in shares.values()), shares
        agents = list(walk(museum, "id/agents?itemsPerPage=100&fullRecord=true"))
        texts = [json.dumps(agent) for agent in agents]
        assert any("crm:P67_refers_to" in text for text in texts)
        assert any("wikipedia" in t and "crm:P67i_is_referred_to_by" in t for t in texts)
        for name in ("exhibitions", "concepts"):
            stubs = walk(museum, f"id/{name}?itemsPerPage=100")
            assert any(isinstance(stub["rdfs:label"], int) for stub in stubs)


# Faults


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
def test_faults_that_take_the_answers_place(
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
def test_slow_answers_are_whole(small: Sandbox, spec: str) -> None:
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


def test_a_hanging_answer_does_not_outlive_its_client(small: Sandbox) -> None:
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
        answer = connection.getresponse()
        reply = Reply(answer.status, answer.headers, answer.read())
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


# The command


ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_stopped(scrapy: Scrapy, number: signal.Signals) -> None:
    flags = ("--objects", "25", "--fault", "status:code=503", "--invalid", "0")
    process = scrapy.start("sandbox", *flags)
    assert process.stdout
    line = process.stdout.readline()
    assert line.startswith("sandbox: http://127.0.0.1:")
    assert line.endswith("/v2/ (Ctrl-C stops)\n")
    where = urlsplit(line.split()[1])
    assert process.stdout.readline() == f"M+: http://{where.netloc}/graphql\n"
    connection = HTTPConnection(where.hostname or "", where.port)
    for status in (503, 200):
        connection.request("GET", "/v2/id/objects")
        answer = connection.getresponse()
        assert answer.status == status
        answer.read()
    connection.close()
    process.send_signal(number)
    assert process.communicate(scrapy.patience) == ("", "")
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--host", "0.0.0.0"], "host: '0.0.0.0' is not 127.0.0.1 or ::1"),
        (["--fault", "nonsense"], "fault: 'nonsense' is none of"),
        (["--port", "taken"], "address already in use"),
        (["extra"], "sandbox takes no arguments"),
    ],
)
def test_the_command_explains_what_is_wrong(scrapy: Scrapy, flags: list[str], problem: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        flags = [str(taken.getsockname()[1]) if flag == "taken" else flag for flag in flags]
        done = scrapy.run("sandbox", *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_of_the_museum_is_spelt_in_code() -> None:
    for source in (ROOT / "mplus_crawler" / "sandbox").glob("*.py"):
        text = source.read_text("utf-8")
        for fact in ("designmuseumgent", "collectie.gent", "stad.gent", "creativecommons"):
            assert fact not in text, source
