"""The museums from day to day: responses agree with ``/__truth``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from mplus_crawler.sandbox.app import Sandbox
from tests.sandbox.wire import BASE, KEY, PUBLIC, get, pid_of, send, walk

Json = dict[str, Any]
SMALL = {"objects": 55, "agents": 12, "exhibitions": 9, "concepts": 14, "limits": "off"}
GENT = (*PUBLIC, "private_objects")
MPLUS = ("objects", "constituents", "exhibitions")


@pytest.fixture(scope="module")
def museum() -> Iterator[Sandbox]:
    """A small museum; each test moves it to the day that it needs."""
    with Sandbox(**SMALL) as sandbox:
        yield sandbox


def listed(museum: Sandbox, name: str) -> dict[str, Json]:
    """The list of a collection off the wire, by canonical id."""
    stubs = walk(museum, f"id/{name}?itemsPerPage=100")
    records = walk(museum, f"id/{name}?itemsPerPage=100&fullRecord=true&colors=true")
    ids = [f"{BASE}id/{name[:-1]}/{stub['@id'].partition(f'/{name[:-1]}/')[2]}" for stub in stubs]
    return dict(zip(ids, records, strict=True))


def test_each_kind_of_change_happens_within_four_days(museum: Sandbox) -> None:
    kinds: dict[str, set[str]] = {name: set() for name in GENT}
    for day in (1, 2, 3, 4):
        for name, truth in museum.truth(day=day).items():
            kinds[name] |= {kind for kind, ids in truth["changes"].items() if ids}
    anywhere = {"created", "updated", "regenerated"}
    listing = {"listed_again", "unlisted"}
    assert kinds["objects"] == anywhere | listing | {"removed", "moved"}
    assert kinds["private_objects"] == anywhere | {"removed", "moved"}
    for name in ("agents", "exhibitions", "concepts"):
        assert kinds[name] == anywhere | listing | {"missing"}


def test_no_day_takes_out_more_than_one_of_fifty_objects(museum: Sandbox) -> None:
    for day in range(1, 7):
        changes = museum.truth(day=day)["objects"]["changes"]
        assert len(changes["moved"]) + len(changes["removed"]) + len(changes["missing"]) <= 1


@pytest.mark.parametrize("name", PUBLIC)
def test_the_truth_of_a_day_is_what_the_wire_shows(museum: Sandbox, name: str) -> None:
    museum.move_to(2)
    before = listed(museum, name)
    museum.move_to(4)
    after = listed(museum, name)
    truth = museum.truth(day=4, since=2)[name]
    changes = truth["changes_since"]
    plain = {pid_of(id_.replace("%2F", "/")) for id_ in truth["ids"]}
    assert len(plain) == len(after) == truth["total"]
    gone = {pid_of(id_) for id_ in before.keys() - after.keys()}
    found = [*changes["removed"], *changes["missing"], *changes["unlisted"], *changes["moved"]]
    assert {pid_of(id_) for id_ in found} == gone
    new = {pid_of(id_) for id_ in after.keys() - before.keys()}
    targets = [id_ for id_ in changes["moved"].values() if pid_of(id_) in new]
    found = [*changes["created"], *changes["listed_again"], *targets]
    assert {pid_of(id_) for id_ in found} == new
    differ = {id_ for id_ in before.keys() & after.keys() if before[id_] != after[id_]}
    assert {pid_of(id_) for id_ in (*changes["updated"], *changes["regenerated"])} == {
        pid_of(id_) for id_ in differ
    }
    for id_ in changes["regenerated"]:
        old, now = (dict(day[id_]) for day in (before, after))
        assert old.pop("prov:generatedAtTime") != now.pop("prov:generatedAtTime")
        assert old == now


def test_some_edits_leave_the_time_of_generation_as_it_was(museum: Sandbox) -> None:
    museum.move_to(0)
    before = listed(museum, "objects")
    museum.move_to(1)
    after = listed(museum, "objects")
    times = [
        before[id_].get("prov:generatedAtTime") == after[id_].get("prov:generatedAtTime")
        for id_ in museum.truth(day=1)["objects"]["changes"]["updated"]
    ]
    assert sorted(times) == [False, True]


def test_records_that_left_the_list_respond_singly(museum: Sandbox) -> None:
    seen = set()
    for day in (1, 2, 3):
        museum.move_to(day)
        for name in PUBLIC:
            changes = museum.truth(day=day)[name]["changes"]
            for status, kind in ((410, "removed"), (404, "missing"), (200, "unlisted")):
                for id_ in changes[kind]:
                    assert get(museum, id_.removeprefix(BASE)).status == status
                    seen.add(kind)
            for old, new in changes["moved"].items():
                reply = get(museum, old.removeprefix(BASE))
                assert (reply.status, reply.headers["Location"]) == (301, new)
                seen.add("renumbered" if new not in museum.truth(day=0)[name]["ids"] else "merged")
    assert seen == {"removed", "missing", "unlisted", "renumbered", "merged"}


def test_private_objects_follow_the_public_ones(museum: Sandbox) -> None:
    museum.move_to(4)
    truth = museum.truth()
    reply = get(museum, "id/private/objects?itemsPerPage=100", **KEY)
    assert reply.json["hydra:totalItems"] == truth["private_objects"]["total"]
    unlisted = museum.truth(day=3)["objects"]["changes"]["unlisted"]
    assert unlisted
    assert set(unlisted) < set(museum.truth(day=3)["private_objects"]["ids"])


def test_a_day_is_the_same_however_it_is_reached(museum: Sandbox) -> None:
    museum.move_to(9)
    museum.move_to(3)
    with Sandbox(**SMALL, day=3) as other:
        assert listed(museum, "objects") == listed(other, "objects")
        assert museum.truth() == other.truth()
        assert museum.truth("mplus") == other.truth("mplus")


def test_another_seed_has_another_history() -> None:
    created = []
    for seed in (1, 1, 2):
        with Sandbox(**SMALL, seed=seed) as museum:
            created.append(museum.truth(day=2)["concepts"]["changes"]["updated"])
    assert created[0] == created[1] != created[2]


def test_tiny_museums_have_a_history() -> None:
    with Sandbox(objects=1, agents=0, exhibitions=0, concepts=2, limits="off") as museum:
        for day in range(9):
            museum.move_to(day)
            assert len(list(walk(museum, "id/objects"))) == museum.truth()["objects"]["total"]


def test_faults_and_statistics_outlast_the_day() -> None:
    with Sandbox(**SMALL, faults=["poison:row=3", "status:code=503,path=agents,nth=2"]) as museum:
        assert get(museum, "id/agents").status == 200
        museum.move_to(1)
        assert get(museum, "id/agents").status == 503
        assert get(museum, "id/objects?fullRecord=true").status == 500
        assert len(museum.truth()["objects"]["poison"]) == 1
        assert museum.stats()["tiers"]["collections"]["requests"] == 3
        museum.clear()
        assert get(museum, "id/objects?fullRecord=true").status == 200


def test_the_day_over_http(museum: Sandbox) -> None:
    assert get(museum, "/__day?day=5", "POST").json == {"day": 5}
    found = get(museum, "/__truth?day=5&since=3").json
    assert found == json.loads(json.dumps(museum.truth(day=5, since=3)))
    assert found["objects"]["ids"] == museum.truth()["objects"]["ids"]
    assert "changes" not in get(museum, "/__truth").json["objects"]
    assert get(museum, "/__truth?museum=mplus&day=1").json["objects"]["changes"]["updated"]
    for wrong in ("/__truth?day=1&since=2", "/__truth?day=-1", "/__truth?day=x"):
        assert get(museum, wrong).status == 400
    assert get(museum, "/__day?day=-2", "POST").status == 400


def call(museum: Sandbox, root: str, fields: str) -> list[Json]:
    """All records of one of M+'s roots."""
    query = {"query": f"{{ {root}(per_page: 999) {{ {fields} }} }}"}
    headers = {"Content-Type": "application/json"}
    path = urlsplit(museum.mplus_url).path
    records: list[Json] = send(museum.mplus_url, path, "POST", headers, json.dumps(query)).data[
        root
    ]
    return records


@pytest.mark.parametrize("root", MPLUS)
def test_mplus_has_a_history(museum: Sandbox, root: str) -> None:
    fields = {
        "objects": "id title objectNumber",
        "constituents": "id name",
        "exhibitions": "id endDate",
    }
    days = []
    for day in (0, 3):
        museum.move_to(day)
        days.append({one["id"]: one for one in call(museum, root, fields[root])})
    before, after = days
    changes = museum.truth("mplus", day=3)[root]["changes_since"]
    assert {*changes["missing"], *changes["moved"]} == before.keys() - after.keys()
    new = {*changes["created"], *changes["listed_again"], *changes["moved"].values()}
    assert new == after.keys() - before.keys()
    differ = {id_ for id_ in before.keys() & after.keys() if before[id_] != after[id_]}
    assert differ
    assert differ <= set(changes["updated"])
    for old, now in changes["moved"].items():
        assert before[old]["objectNumber"] == after[now]["objectNumber"]


def test_mplus_lists_a_record_again(museum: Sandbox) -> None:
    again = museum.truth("mplus", day=2)["objects"]["changes"]["listed_again"]
    assert again == [
        id_
        for id_ in museum.truth("mplus", day=1)["objects"]["changes"]["missing"]
        if id_ in museum.truth("mplus", day=2)["objects"]["ids"]
    ]
    assert len(again) == 1


CHANGES = [
    "drop:field=crm:P45_consists_of",
    "rename:field=crm:P43_has_dimension,to=crm:P43_dimension,day=2",
    "retype:field=crm:P2_has_type",
    "uri:field=crm:P108i_was_produced_by/@id",
    "add:field=crm:P999_new",
    "retype:field=beginDate,path=mplus_objects",
]


def test_the_schema_changes_on_request() -> None:
    with Sandbox(**SMALL, unlinked=0, invalid=0, schema_changes=CHANGES) as museum:
        plain = list(listed(museum, "objects").values())
        assert all("crm:P45_consists_of" in one and "crm:P999_new" not in one for one in plain)
        museum.move_to(1)
        for one in listed(museum, "objects").values():
            assert "crm:P45_consists_of" not in one
            assert "crm:P43_has_dimension" in one
            assert isinstance(one["crm:P2_has_type"], str) or "@value" in one["crm:P2_has_type"]
            assert "/v2/data/object/" in json.dumps(one["crm:P108i_was_produced_by"])
            assert one["crm:P999_new"] == "new"
        assert all("@value" in one["beginDate"] for one in call(museum, "objects", "beginDate"))
        museum.move_to(2)
        assert all("crm:P43_dimension" in one for one in listed(museum, "objects").values())


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("melt:field=x", "schema change: 'melt' is not one of drop, rename, retype, uri, add"),
        ("drop", "schema change: drop needs field="),
        ("rename:field=x", "schema change: rename needs to="),
        ("drop:field=x,path=paintings", "does not accept 'path=paintings'"),
        ("drop:field=x,times=2", "its options are field, path, day"),
    ],
)
def test_malformed_schema_changes(spec: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem), Sandbox(**SMALL, schema_changes=[spec]):
        pass
