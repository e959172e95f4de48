"""Item schemas: what they let pass, what they refuse, and where they say it is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scrapy.exceptions import DropItem
from scrapy.statscollectors import StatsCollector
from scrapy.utils.test import get_crawler
from scrapy_jsonschema import JsonSchemaValidatePipeline

from mplus_crawler.errors import UsageError
from mplus_crawler.museum.policies.reading import load_policy
from mplus_crawler.records.items import (
    ITEM_CLASSES,
    Validator,
    errors,
    item_class,
    make_item_class,
)
from mplus_crawler.records.rights import UNWRITTEN, Rights
from mplus_crawler.spiders.dmg.cidoc import canonical_id
from mplus_crawler.verification.strict_json import parse, without_doubles
from tests.conftest import Scrapy
from tests.fixtures.dmg import FLATTEN, KINDS, members

ROOT = Path(__file__).parent.parent
BASE = "https://museum.test/v2/"
WIRE = members("object-slash")[0]["@id"].partition("id/object/")[0]
ENVELOPE = {
    "uri": f"{BASE}id/object/1",
    "source": "A museum",
    "url": f"{BASE}id/object/1",
    "retrieved_at": "2026-11-22T06:00:00Z",
    "licence": "CC BY 4.0",
    "licence_uri": "https://creativecommons.org/licenses/by/4.0/",
    "attribution": UNWRITTEN,
    "expires_at": None,
    "digest": "0" * 64,
}
CLASSES = {
    "object": "crm:E22_Human-Made_Object",
    "agent": "crm:E39_Actor",
    "exhibition": "crm:E7_Activity",
    "concept": "crm:E55_Type",
}
RECORDS = [(KINDS[name], record) for name in KINDS for record in members(name)]

ObjectItem = ITEM_CLASSES["object"]
RIGHTS = Rights(load_policy("dmg"))

canonical = partial(canonical_id, base_url=BASE, also=(WIRE,))


def row_of(kind: str, record: dict[str, Any], known_id: str | None = None) -> dict[str, Any]:
    columns = FLATTEN[kind](record, canonical, known_id)
    blank = dict.fromkeys(ITEM_CLASSES[kind].fields)
    row = {**blank, **ENVELOPE, "kind": kind, **columns, "record": record}
    RIGHTS.settle(row)
    return row


def paths(kind: str, record: dict[str, Any]) -> list[str]:
    return [fault["path"] for fault in errors(ITEM_CLASSES[kind], row_of(kind, record))]


def a_record(kind: str, **more: Any) -> dict[str, Any]:
    return {"@id": f"{BASE}id/{kind}/1", "@type": CLASSES[kind], "rdfs:label": "A label", **more}


# The schemas themselves


@pytest.mark.parametrize("kind", ITEM_CLASSES)
def test_a_schema_documents_every_column(kind: str) -> None:
    schema = ITEM_CLASSES[kind].jsonschema
    jsonschema.Draft7Validator.check_schema(schema)
    assert {"title", "description", "required"} <= schema.keys()
    assert not {"$ref", "allOf", "anyOf", "oneOf", "patternProperties"} & schema.keys()
    undocumented = [
        name for name, rule in schema["properties"].items() if "description" not in rule
    ]
    assert undocumented == []
    assert list(ITEM_CLASSES[kind].fields) == list(schema["properties"])


@pytest.mark.parametrize("file", sorted((ROOT / "schemas").glob("*.json")), ids=lambda f: f.stem)
def test_no_schema_says_a_thing_twice(file: Path) -> None:
    parse(file.read_bytes(), object_pairs_hook=without_doubles)


def test_every_kind_has_a_class() -> None:
    names = {kind: cls.__name__ for kind, cls in ITEM_CLASSES.items() if kind in CLASSES}
    assert names == {
        "object": "ObjectItem",
        "agent": "AgentItem",
        "exhibition": "ExhibitionItem",
        "concept": "ConceptItem",
    }
    assert "policy" not in ITEM_CLASSES


def test_a_further_kind_is_one_schema() -> None:
    schema = {**ObjectItem.jsonschema, "required": ["id"], "description": "A thing."}
    cls = make_item_class("mplus_object", schema)
    assert (cls.__name__, cls.__doc__) == ("MplusObjectItem", "A thing.")
    assert errors(cls, {}) == [{"path": "id", "message": '"id" is a required property'}]


@pytest.mark.parametrize(
    "spelling",
    [
        None,
        "http://json-schema.org/draft-07/schema",
        "https://json-schema.org/draft-07/schema#",
        "http://json-schema.org/draft-04/schema#",
    ],
)
def test_another_draft_is_a_loud_failure(spelling: str | None) -> None:
    with pytest.raises(ValueError, match=r"thing\.schema\.json: \$schema must be http"):
        make_item_class("thing", {**ObjectItem.jsonschema, "$schema": spelling})


def test_a_kind_without_a_schema_is_one_line(scrapy: Scrapy) -> None:
    with pytest.raises(UsageError, match=r"no schema describes the kind 'nothing'"):
        item_class("nothing")
    code = (
        "from mplus_crawler.spiders.dmg.indexes import IndexSpider\n"
        "class LampsSpider(IndexSpider):\n    name = 'lamps'\n    kind = 'lamp'\n"
        "    path = 'id/lamps'\n"
    )
    (scrapy.folder / "lamps.py").write_text(code)
    first = scrapy.first(f"import sys\nsys.path.insert(0, {str(scrapy.folder)!r})")
    crawl = scrapy.crawl("lamps", "-s", "SPIDER_MODULES=lamps", RUN_FIRST=first)
    assert crawl.code == 2
    assert "add schemas/lamp.schema.json" in crawl.err
    assert len(crawl.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        *(("type", "object_count"), ("material", "object_count")),
        *(("nationality", "agent_count"), ("role", "agent_count")),
    ],
)
def test_kinds_that_share_a_schema_have_their_own_columns(kind: str, column: str) -> None:
    counts = {name for name in ITEM_CLASSES[kind].fields if name.endswith("_count")}
    assert counts == {column}
    name = {"type": "types", "material": "materials", "nationality": "nationalities"}
    row = row_of(kind, members(name.get(kind, "roles"))[0])
    assert errors(ITEM_CLASSES[kind], row) == []
    (fault,) = errors(ITEM_CLASSES[kind], {**row, column: None})
    assert fault["path"] == column
    assert errors(ITEM_CLASSES[kind], {**row, "kind": "type" if kind != "type" else "role"})


def test_an_invalid_schema_is_a_loud_failure() -> None:
    with pytest.raises(ValueError, match='"objekt" is not valid'):
        make_item_class("thing", {**ObjectItem.jsonschema, "type": "objekt"})


def test_no_reference_is_fetched() -> None:
    with pytest.raises(ValueError, match="Retrieval is disabled"):
        Validator({"$ref": "http://127.0.0.1:9/schema.json"})


# What passes


@pytest.mark.parametrize(("kind", "record"), RECORDS)
def test_what_the_museum_sends_is_valid(kind: str, record: dict[str, Any]) -> None:
    assert errors(ITEM_CLASSES[kind], row_of(kind, record)) == []


def test_a_record_without_linked_data_is_valid_under_a_known_id() -> None:
    (record,) = members("object-null")
    assert errors(ObjectItem, row_of("object", record, f"{BASE}id/object/2268")) == []
    assert paths("object", record) == ["id", "url", "object_number"]


@pytest.mark.parametrize("kind", CLASSES)
def test_a_record_needs_no_more_than_id_type_and_label(kind: str) -> None:
    assert paths(kind, a_record(kind)) == []


@pytest.mark.parametrize("label", ["A", 4711, 0.5, None, ["A", {"@value": "B"}], {"@value": 1}])
def test_labels_of_any_known_shape_are_valid(label: Any) -> None:
    assert paths("object", a_record("object", **{"rdfs:label": label})) == []


def test_a_class_may_stand_among_others() -> None:
    both = ["crm:E39_Actor", "crm:E21_Person"]
    assert paths("agent", a_record("agent", **{"@type": both})) == []


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from _dicts(inner)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.sampled_from(RECORDS), st.data(), anything)
def test_what_a_record_gains_is_never_refused(
    kind_and_record: tuple[str, dict[str, Any]], data: st.DataObject, value: Any
) -> None:
    kind, record = deepcopy(kind_and_record)
    data.draw(st.sampled_from(list(_dicts(record))))["crm:P0_is_new"] = value
    assert paths(kind, record) == []


# What is refused, and where


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"rdfs:label": {"nl": "x"}}, "record.rdfs:label.@value"),
        ({"rdfs:label": True}, "record.rdfs:label"),
        ({"@type": "crm:E7_Activity"}, "record.@type"),
        ({"@type": ["crm:E7_Activity"]}, "record.@type"),
        ({"prov:generatedAtTime": ["2026-04-22"]}, "record.prov:generatedAtTime"),
        ({"prov:generatedAtTime": {"@value": "yesterday"}}, "modified"),
        ({"crm:P1_is_identified_by": "0004"}, "record.crm:P1_is_identified_by"),
        ({"crm:P2_has_type": ["vaas"]}, "record.crm:P2_has_type.0"),
        (
            {"crm:P108i_was_produced_by": [{"crm:P14_carried_out_by": "Horta"}]},
            "record.crm:P108i_was_produced_by.0.crm:P14_carried_out_by",
        ),
        ({"owl:sameAs": [5]}, "record.owl:sameAs.0"),
        ({"image": "https://museum.test/1.jpg"}, "record.image"),
    ],
)
def test_a_known_property_keeps_its_shape(change: dict[str, Any], path: str) -> None:
    assert paths("object", a_record("object", **change)) == [path]


@pytest.mark.parametrize("kind", CLASSES)
def test_a_record_with_an_id_has_a_type_unless_it_is_an_exhibition(kind: str) -> None:
    record = a_record(kind)
    del record["@type"]
    assert paths(kind, record) == ([] if kind == "exhibition" else ["record.@type"])
    assert paths(kind, {**record, "@type": None}) == ["record.@type"]


def test_an_exhibition_without_linked_data_has_its_columns() -> None:
    record = {
        "@id": f"{BASE}id/exhibition/TE_1933-004",
        "crm:P1_is_identified_by": [
            {"@type": "crm:E42_Identifier", "rdfs:label": "TE_1933-004"},
            {"rdfs:label": "Design in Gent", "crm:P72_has_language": {"rdfs:label": "nl"}},
        ],
        "crm:P67i_is_referred_to_by": [
            {"rdfs:label": "Over glas.", "crm:P72_has_language": {"rdfs:label": "nl"}}
        ],
        "crm:P138i_has_representation": [{"@id": "https://museum.test/view.jpg"}],
    }
    row = row_of("exhibition", record)
    assert errors(ITEM_CLASSES["exhibition"], row) == []
    assert (row["label"], row["title_nl"]) == ("Design in Gent", "Design in Gent")
    assert (row["description_nl"], row["images"]) == (
        "Over glas.",
        ["https://museum.test/view.jpg"],
    )
    bare = {"@id": record["@id"], "crm:P138i_has_representation": []}
    assert row_of("exhibition", bare)["label"] == "TE_1933-004"
    assert paths("exhibition", bare) == []


@pytest.mark.parametrize("kind", CLASSES)
def test_each_kind_refuses_the_others(kind: str) -> None:
    for other in CLASSES.keys() - {kind}:
        assert {"id", "record.@type"} <= {*paths(kind, a_record(other))}


@pytest.mark.parametrize("kind", CLASSES)
def test_every_property_that_is_read_is_typed(kind: str) -> None:
    known = ITEM_CLASSES[kind].jsonschema["definitions"]["properties"]["properties"]
    for name in known.keys() - {"@type"}:
        assert f"record.{name}" in paths(kind, a_record(kind, **{name: True}))


@pytest.mark.parametrize("kind", CLASSES)
def test_required_columns(kind: str) -> None:
    required = {*ENVELOPE, "id", "kind", "label", "modified", "record"}
    number = {"object_number"} if kind == "object" else set()
    assert {fault["path"] for fault in errors(ITEM_CLASSES[kind], {})} == required | number


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", f"{BASE}id/agent/1"),
        ("id", f"{BASE}id/object/A B"),
        ("id", f"{BASE}id/object/A/B"),
        ("id", None),
        ("kind", "agent"),
        ("url", "nowhere"),
        ("label", ""),
        ("modified", "22 November 2026"),
        ("modified", "2026-13-01"),
        ("retrieved_at", "2026-11-22"),
        ("object_number", ""),
        ("object_number", None),
        ("date_begin", "1872"),
        ("types", None),
        ("types", [1]),
        ("record", []),
        ("licence", None),
        ("surprise", 1),
    ],
)
def test_columns_keep_their_types(column: str, value: Any) -> None:
    row = {**row_of("object", a_record("object")), column: value}
    found = {fault["path"].partition(".")[0] for fault in errors(ObjectItem, row)}
    assert found == ({""} if column == "surprise" else {column})


def test_messages_are_cut() -> None:
    (fault,) = errors(ObjectItem, {**row_of("object", a_record("object")), "url": "x" * 5000})
    assert len(fault["message"]) == 300


def test_the_librarys_own_pipeline_drops_with_the_path(stats: StatsCollector) -> None:
    pipeline = JsonSchemaValidatePipeline(stats)
    valid = ObjectItem(row_of("object", a_record("object")))
    assert pipeline.process_item(valid, None) is valid
    record = a_record("object", **{"crm:P2_has_type": "vaas"})
    with pytest.raises(DropItem, match=r"record\.crm:P2_has_type: "):
        pipeline.process_item(ObjectItem(row_of("object", record)), None)
    assert stats.get_stats() == {"jsonschema/errors/record.crm:P2_has_type": 1}


@pytest.fixture
def stats() -> StatsCollector:
    return StatsCollector(get_crawler(settings_dict={"STATS_DUMP": False}))


# The fast validator against the stock one


@cache
def _stock(kind: str) -> jsonschema.Draft7Validator:
    checker = jsonschema.Draft7Validator.FORMAT_CHECKER
    return jsonschema.Draft7Validator(ITEM_CLASSES[kind].jsonschema, format_checker=checker)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


odd: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, 0, -1.5, "", "x", "2026-11-22", f"{BASE}id/object/A%20B", [], {}),
        *(["x"], [None], [[]], {"@value": "x"}, {"nl": "x"}, [{"@value": None}], [{"@id": "x"}, 1]),
    ]
).map(deepcopy)


@settings(max_examples=100)
@given(st.sampled_from(RECORDS), st.data())
def test_stock_jsonschema_agrees(
    kind_and_record: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    kind, record = kind_and_record
    row = deepcopy(row_of(kind, record))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(list(_places(row))))
        if isinstance(holder, dict) and data.draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = data.draw(odd)
    assert (errors(ITEM_CLASSES[kind], row) == []) == _stock(kind).is_valid(row)
