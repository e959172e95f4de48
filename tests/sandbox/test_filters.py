"""Filters and orders of the sandbox's collections."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from mplus_crawler.sandbox.app import Sandbox
from tests.sandbox.wire import get, is_spoilt, walk


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
    requested = get(museum, f"id/objects?agent={quote(maker, safe='')}&type=none&fullRecord=true")
    assert requested.json["hydra:totalItems"] > 0
    assert "type=none" in (requested.link("first") or "")
    assert all(maker in json.dumps(record) for record in requested.members if "@id" in record)


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
