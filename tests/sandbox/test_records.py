"""Single records of the sandbox, and conditional requests for them."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest

from mplus_crawler.sandbox.app import Sandbox
from tests.sandbox.wire import (
    BASE,
    a_pid,
    canonical,
    get,
    pid_of,
    walk,
)


@pytest.mark.parametrize(("kind", "name"), [("object", "objects"), ("agent", "agents")])
def test_dated_records_have_strong_validators(museum: Sandbox, kind: str, name: str) -> None:
    pid = a_pid(museum, name)
    reply = get(museum, f"id/{kind}/{pid}")
    assert reply.headers["ETag"].startswith(f'"{pid}-')
    assert reply.headers["ETag"].endswith('000"')
    assert reply.headers["Cache-Control"] == "public, max-age=3600"
    requested = get(museum, f"id/ark:/29417/{kind}/{pid}")
    assert requested.body == reply.body


@pytest.mark.parametrize(("kind", "name"), [("exhibition", "exhibitions"), ("concept", "concepts")])
def test_undated_records_have_only_a_weak_hash(museum: Sandbox, kind: str, name: str) -> None:
    reply = get(museum, f"id/{kind}/{a_pid(museum, name)}")
    assert reply.headers["ETag"].startswith('W/"')
    assert "Last-Modified" not in reply.headers
    assert "Cache-Control" not in reply.headers


def test_every_listed_object_is_found_by_its_encoded_number(museum: Sandbox) -> None:
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


def test_a_database_that_is_down_hides_behind_other_responses() -> None:
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


def test_an_exhibition_without_linked_data_has_an_id_and_no_type(museum: Sandbox) -> None:
    (id_,) = museum.truth()["exhibitions"]["untyped"]
    assert get(museum, id_.removeprefix(BASE)).status == 500
    members = list(walk(museum, "id/exhibitions?itemsPerPage=100&fullRecord=true"))
    (record,) = [member for member in members if member["@id"] == id_]
    assert not record.keys() & {"@type", "@context", "rdfs:label"}
    assert record["crm:P1_is_identified_by"]


def test_numbers_that_two_exhibitions_share() -> None:
    with Sandbox(exhibitions=10, invalid=0, unlinked=0, twins=2) as museum:
        members = list(walk(museum, "id/exhibitions?itemsPerPage=4&fullRecord=true"))
        stubs = list(walk(museum, "id/exhibitions?itemsPerPage=4"))
    ids = [member["@id"] for member in members]
    assert ids == [stub["@id"] for stub in stubs]
    assert (len(ids), len(set(ids))) == (10, 8)
    assert members[0]["@id"] == members[1]["@id"]
    assert members[0]["rdfs:label"] != members[1]["rdfs:label"]


def test_removed_objects_are_gone(museum: Sandbox) -> None:
    removed = museum.truth()["objects"]["removed"]
    assert removed
    assert {get(museum, id_.removeprefix(BASE)).status for id_ in removed[:5]} == {410}


def test_colours_come_on_request_and_leave_the_tag(museum: Sandbox) -> None:
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
