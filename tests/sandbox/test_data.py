"""What the sandbox's museum is made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.sandbox.dmg.names import ObjectNumbers
from tests.sandbox.wire import PUBLIC, get, is_spoilt, walk


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
