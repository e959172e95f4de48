"""The shape of records, and changes of it: found where they are, and nowhere else."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from itertools import pairwise
from time import process_time
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mplus_crawler.museum.policies.reading import load_policy
from mplus_crawler.records.shape import SAMPLE, Shape, uri_pattern
from mplus_crawler.records.shape_changes import Promise, ShapeChange, shape_changes
from mplus_crawler.sandbox.dmg.front import Front as Gent
from mplus_crawler.sandbox.dmg.museum import Museum as GentMuseum
from mplus_crawler.sandbox.mplus.front import Front as Mplus
from mplus_crawler.sandbox.mplus.museum import Museum as MplusMuseum
from mplus_crawler.sandbox.options import Options
from mplus_crawler.sandbox.schema_changes import SchemaChanges

Json = dict[str, Any]
GENT = ("objects", "agents", "exhibitions", "concepts")
MPLUS = ("objects", "constituents", "exhibitions")


@cache
def gents_museum(seed: int, day: int) -> GentMuseum:
    """A small museum."""
    options = Options(objects=90, agents=60, exhibitions=40, concepts=60, seed=seed, day=day)
    return Gent(options).museum


@cache
def gent(seed: int, day: int, name: str) -> list[Json]:
    """The records of a collection of a small museum."""
    contents = gents_museum(seed, day).contents(name)
    return [orjson.loads(content) for content in contents.values()]


@cache
def mplus_museum(day: int) -> MplusMuseum:
    """M+ with the sample of its records."""
    return Mplus(Options(day=day)).museum


@cache
def mplus(day: int, name: str) -> list[Json]:
    """The records of one of M+'s roots, as the spider joins both languages."""
    contents = mplus_museum(day).contents(name)
    return [dict(zip(("en", "zh"), orjson.loads(both), strict=True)) for both in contents.values()]


def shape(records: list[Json], expected: int | None = None) -> Json:
    """The shape of records."""
    found = Shape()
    for number, record in enumerate(records):
        found.add(f"id/{number}", record, expected or len(records))
    return found.document()


def changes(former: list[Json], now: list[Json]) -> list[ShapeChange]:
    """The changes between the shapes, as certificates keep them."""
    return shape_changes(*(json.loads(json.dumps(shape(records))) for records in (former, now)))


def test_the_shape_of_some_records() -> None:
    records: list[Json] = [
        {"id": 1, "name": "a", "part": {"@id": "https://museum.example/v2/id/part/12/x"}},
        {"id": 2, "name": None, "part": [{"@id": "https://museum.example/v2/id/part/13/y"}]},
        {"id": 3, "name": ["b", 4], "part": []},
    ]
    pattern = "https://museum.example/v2/id/part/*/*"
    assert shape(records) == {
        "records": 3,
        "read": 3,
        "bounded": False,
        "paths": {
            "id": {"records": 3, "types": {"number": 3}},
            "name": {"records": 3, "types": {"null": 1, "number": 1, "string": 2}},
            "part": {"records": 3, "types": {"empty": 1, "object": 2}},
            "part.@id": {"records": 2, "types": {"string": 2}, "uris": {pattern: 2}},
        },
    }


def test_a_list_of_one_is_a_single_value() -> None:
    records = gent(1, 0, "objects")
    lists = [{k: v if isinstance(v, list) else [v] for k, v in one.items()} for one in records]
    assert shape(records) == shape(lists)


def test_large_harvests_are_read_in_a_sample() -> None:
    records = [{"a": 1, "b": {"c": number % 4 == 0}} for number in range(40 * SAMPLE)]
    found = shape(records)
    assert found["paths"]["b"]["records"] == len(records)
    assert SAMPLE * 0.8 < found["read"] < SAMPLE * 1.2
    assert found["paths"]["b.c"]["records"] == found["read"]


def test_the_sample_is_the_same_in_each_harvest() -> None:
    records = [{"id": {"number": number}} for number in range(10 * SAMPLE)]
    read = []
    for order in (1, -1):
        found = Shape()
        for number, record in list(enumerate(records))[::order]:
            found.add(f"id/{number}", record, len(records))
        read.append(found.document())
    assert read[0] == read[1]


@pytest.mark.parametrize(
    ("start", "pattern"),
    [
        ("https://a.example/v2/id/object/", "https://a.example/v2/id/object/*"),
        (
            "https://a.example/v2/id/object/1950-0001/part/",
            "https://a.example/v2/id/object/*/part/*",
        ),
        ("http://a.example/", "http://a.example/*"),
        ("https://a.example/x%2Fy/", "https://a.example/*/*"),
        ("https://a.example/v123/", "https://a.example/*/*"),
        ("http:", "other:"),
        ("https://a.example/\ud800/", "https://a.example/?/*"),
    ],
)
def test_uri_patterns(start: str, pattern: str) -> None:
    assert uri_pattern(start) == pattern


@pytest.mark.parametrize("name", GENT)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_change_is_reported_where_there_is_none(seed: int, name: str) -> None:
    """Records come, go and change, on four days, and from one museum to the next."""
    runs = [gent(seed, day, name) for day in (0, 1, 2, 6)] + [gent(seed + 1, 0, name)]
    for former, now in pairwise(runs):
        assert changes(former, now) == []


@pytest.mark.parametrize("name", MPLUS)
def test_no_change_is_reported_at_mplus(name: str) -> None:
    runs = [mplus(day, name) for day in (0, 1, 5)]
    for former, now in pairwise(runs):
        assert changes(former, now) == []


# Collection, change, kind of change, the field that is named.
PLANTED = [
    ("objects", "drop:field=crm:P46_has_component", "removed", "crm:P46_has_component"),
    ("objects", "drop:field=image", "removed", "image"),
    ("objects", "drop:field=crm:P2_has_type/rdfs:label", "removed", "crm:P2_has_type.rdfs:label"),
    ("objects", "drop:field=image/thumbnail", "removed", "image.thumbnail"),
    ("agents", "drop:field=person:citizenship", "removed", "person:citizenship"),
    ("concepts", "drop:field=skos:broader", "removed", "skos:broader"),
    (
        "exhibitions",
        "drop:field=crm:P16_used_specific_object",
        "removed",
        "crm:P16_used_specific_object",
    ),
    ("objects", "rename:field=crm:P45_consists_of,to=made_of", "removed", "crm:P45_consists_of"),
    (
        "objects",
        "rename:field=crm:P108i_was_produced_by/crm:P14_carried_out_by,to=maker",
        "removed",
        "crm:P108i_was_produced_by.crm:P14_carried_out_by",
    ),
    ("agents", "rename:field=crm:P98i_was_born,to=birth", "removed", "crm:P98i_was_born"),
    ("objects", "retype:field=crm:P43_has_dimension", "retyped", "crm:P43_has_dimension"),
    (
        "objects",
        "retype:field=crm:P43_has_dimension/crm:P90_has_value",
        "retyped",
        "crm:P43_has_dimension.crm:P90_has_value",
    ),
    ("concepts", "retype:field=skos:prefLabel", "retyped", "skos:prefLabel"),
    ("agents", "retype:field=rdfs:label", "retyped", "rdfs:label"),
    ("exhibitions", "retype:field=@type", "retyped", "@type"),
    (
        "objects",
        "uri:field=crm:P108i_was_produced_by/@id",
        "uri",
        "crm:P108i_was_produced_by.@id",
    ),
    ("exhibitions", "uri:field=@id", "uri", "@id"),
    ("concepts", "uri:field=skos:broader/owl:sameAs", "uri", "skos:broader.owl:sameAs"),
    ("objects", "uri:field=crm:P2_has_type/@id", "uri", "crm:P2_has_type.@id"),
    ("objects", "add:field=crm:P999_new", "added", "crm:P999_new"),
    ("agents", "add:field=crm:P98i_was_born/place", "added", "crm:P98i_was_born.place"),
]


@pytest.mark.parametrize(("name", "spec", "kind", "path"), PLANTED)
def test_planted_changes_are_found(name: str, spec: str, kind: str, path: str) -> None:
    former, now = gent(1, 0, name), deepcopy(gent(1, 1, name))
    schema = SchemaChanges([f"{spec},path={name}"], 1)
    for record in now:
        schema.apply(name, record)
    found = changes(former, now)
    assert [(one.kind, one.path) for one in found if one.breaking] == (
        [] if kind == "added" else [(kind, path)]
    )
    if kind == "added":
        assert [(one.kind, one.path) for one in found] == [(kind, path)]
    # Back again: what is new is gone, and what was gone is new.
    assert changes(now, former)


@pytest.mark.parametrize("kind", ["removed", "retyped"])
def test_planted_changes_at_mplus(kind: str) -> None:
    former = mplus(0, "objects")
    now: list[Json] = [deepcopy(record) for record in mplus(1, "objects")]
    for record in now:
        for half in record.values():
            half["beginDate"] = None if kind == "removed" else str(half["beginDate"])
    found = changes(former, now)
    assert [(one.kind, one.path) for one in found] == [
        (kind, "en.beginDate"),
        (kind, "zh.beginDate"),
    ]


def test_a_field_that_is_gone_below_is_named_once() -> None:
    former = [{"a": {"b": {"c": 1, "d": 2}}} for _ in range(20)]
    found = changes(former, [{"a": {}} for _ in range(20)])
    assert [one.path for one in found] == ["a.b"]


def test_a_field_that_is_left_in_few_records_is_gone() -> None:
    found = changes([{"a": 1, "b": 2}] * 100, [{"a": 1, "b": 2}] * 3 + [{"b": 1}] * 97)
    assert [one.what for one in found] == ["a is gone from 97 of 100 records"]


def test_a_loss_is_found_beside_odd_records() -> None:
    odd: list[Json] = [
        {"a": 1, "deep": orjson.loads('{"a":[' * 100 + "]}" * 100)},
        {"a": 1, "x" * 101: 1},
        {"a": 1, **{f"wide {number}": number for number in range(600)}},
    ]
    found = changes([{"a": 1, "b": 2}] * 30 + odd, [{"a": 1}] * 30 + odd)
    assert [one.path for one in found] == ["b"]


def test_a_renamed_field_is_named_with_its_new_name() -> None:
    found = changes([{"a": 1, "b": 2}] * 20, [{"c": 1, "b": 2}] * 20)
    assert found[0].what == "a is gone from 20 of 20 records, c is new"


@pytest.mark.parametrize("rare", [1, 5, 9])
def test_a_rare_field_may_be_missing(rare: int) -> None:
    former: list[Json] = [{"a": 1, "rare": {"b": 1}} for _ in range(rare)]
    common: list[Json] = [{"a": 1} for _ in range(200)]
    assert changes(former + common, common) == []
    assert changes(common, former + common) == []


def test_a_small_harvest_is_no_evidence() -> None:
    former: list[Json] = [{"a": 1, "b": 2}] * 250 + [{"a": 1}] * 250
    assert changes(former, [{"a": 1}] * 9) == []
    assert [one.path for one in changes(former, [{"a": 1}] * 40)] == ["b"]
    assert changes(former, []) == []


def test_what_most_records_of_a_small_collection_had_is_evidence() -> None:
    former: list[Json] = [{"a": {"b": 1}, "c": "x"}] * 3
    assert [one.path for one in changes(former, [{"a": {}, "c": "x"}] * 3)] == ["a.b"]
    assert [one.kind for one in changes(former, [{"a": {"b": "1"}, "c": "x"}] * 4)] == ["retyped"]
    assert [one.kind for one in changes(former, [*former, {"c": "x"}])] == []
    assert [one.path for one in changes(former, [{**one, "d": 1} for one in former])] == ["d"]
    assert changes(former[:2], [{"c": "x"}] * 2) == []
    former.append({"c": "x"})
    assert [one.path for one in changes(former, [{"c": "x"}] * 4)] == ["a"]
    assert changes([*former, {"c": "x"}], [{"c": "x"}] * 5) == []


def test_a_further_type_in_few_records_is_no_change() -> None:
    former: list[Json] = [{"label": "x"}] * 100
    assert changes(former, [{"label": "x"}] * 80 + [{"label": 1}] * 20) == []
    assert [one.kind for one in changes(former, [{"label": 1}] * 80 + [{"label": "x"}] * 20)] == [
        "retyped"
    ]


def test_the_words_are_the_museums() -> None:
    found = changes([{"a": 1}] * 425, [{"b": "x"}] * 425)
    said = {}
    for key in ("dmg", "mplus"):
        policy = load_policy(key)
        promise = Promise(policy.name, policy.current_version, policy.stability)
        said[key] = [promise.message(change) for change in found]
    assert said["dmg"] == [
        "breaking change within v2: a is gone from 425 of 425 records (Design Museum Gent promises "
        "a new version for: Removing or renaming a field)",
        "addition within v2: b is new in 425 records",
    ]
    assert said["mplus"] == [
        "change: a is gone from 425 of 425 records (M+ promises no stable fields)",
        "addition: b is new in 425 records",
    ]


def hostile() -> list[Json]:
    """Records that no museum sends."""
    deep: Any = "end"
    for _ in range(500):
        deep = {"a": deep}
    return [
        {f"name {number}": number for number in range(300_000)},
        {"a": {f"name {number}": number for number in range(100_000)}},
        {"a": [{f"name {number}": number} for number in range(100_000)]},
        {"a": deep, "b": [[[[1]]]], "x" * 10_000: 1, "\ud800": "http://\ud800/", "": [None]},
        {f"uri {number}": f"http://host{number}.example/" for number in range(400)},
        *({f"{number}.{name}": {"x": "http:"} for name in range(20)} for number in range(2_000)),
    ]


def test_hostile_records_neither_blow_it_up_nor_slow_it_down() -> None:
    records = hostile()
    began = process_time()
    found = shape(records, 1)
    assert process_time() - began < 2
    assert found["bounded"]
    assert len(found["paths"]) <= 2_000
    assert len(orjson.dumps(found)) < 500_000
    ordinary: list[Json] = [{"a": 1}] * 100
    assert shape_changes(shape(ordinary), found) == []
    json.dumps(shape_changes(found, shape(ordinary)), default=repr)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


@settings(max_examples=25)
@given(st.lists(st.dictionaries(st.text(max_size=3), _values), max_size=4))
def test_any_records_have_a_shape(records: list[Json]) -> None:
    found = shape(records)
    assert found["records"] == len(records)
    for path, entry in found["paths"].items():
        assert 0 <= entry["records"] <= len(records), path
    assert shape_changes(found, found) == []
