"""Flattening of records: recorded responses, and shapes that JSON-LD allows."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mplus_crawler.records.items import ITEM_CLASSES, errors
from mplus_crawler.spiders.dmg.cidoc import canonical_id, pid
from tests.fixtures.dmg import FLATTEN, KINDS, members

BASE = "https://museum.test/v2/"
LOCAL = "http://127.0.0.1:8001/v2/"
WIRE = members("object-slash")[0]["@id"].partition("id/object/")[0]
LANGUAGE = "http://publications.europa.eu/resource/authority/language/"
DESCRIPTION = {"@id": "http://vocab.getty.edu/aat/300080091"}

canonical = partial(canonical_id, base_url=BASE, also=(WIRE, LOCAL))
RECORDS = [(KINDS[name], record) for name in KINDS for record in members(name)]
record_of_any_kind = st.sampled_from(RECORDS).map(deepcopy)


def columns(kind: str, record: dict[str, Any], known_id: str | None = None) -> dict[str, Any]:
    return FLATTEN[kind](record, canonical, known_id)


def an_object(**properties: Any) -> dict[str, Any]:
    record = {"@id": f"{BASE}id/object/1", "@type": "crm:E22_Human-Made_Object"}
    return columns("object", {**record, **{f"crm:{k}": v for k, v in properties.items()}})


def an_agent(**properties: Any) -> dict[str, Any]:
    record = {"@id": f"{BASE}id/agent/1", "@type": "crm:E39_Actor"}
    return columns("agent", {**record, **{f"crm:{k}": v for k, v in properties.items()}})


def filled(row: dict[str, Any]) -> dict[str, Any]:
    """The columns of *row* that hold something, but for ``url``, which is the id."""
    assert row["url"] == row["id"]
    return {name: value for name, value in row.items() if value not in (None, []) and name != "url"}


# What becomes of the museum's responses


def test_an_object_with_colours() -> None:
    (record,) = members("objects-colors")
    row = columns("object", record)
    assert filled(row) == {
        "id": f"{BASE}id/object/0012",
        "label": "Vroege asbak",
        "modified": "2026-04-19T08:40:04",
        "object_number": "0012",
        "title_nl": "Vroege asbak",
        "title_fr": "Objet asbak (fr)",
        "types": ["asbak"],
        "type_ids": [f"{BASE}id/concept/530000085"],
        "type_same_as": ["http://vocab.getty.edu/aat/300011866"],
        "materials": ["aardewerk"],
        "material_ids": [f"{BASE}id/concept/530000113"],
        "material_same_as": [""],
        "makers": ["Håkansson, Jules"],
        "maker_ids": [f"{BASE}id/agent/DMG-A-01348"],
        "designers": ["Van de Velde, Michael"],
        "designer_ids": [f"{BASE}id/agent/DMG-A-00834"],
        "techniques": ["blazen", "verchromen", "verglazen"],
        "technique_ids": [f"{BASE}id/concept/530000{tail}" for tail in (183, 171, 165)],
        "technique_same_as": ["", "", ""],
        "places": ["Milano"],
        "place_ids": ["http://vocab.getty.edu/tgn/7110403"],
        "date_begin": 1864,
        "date_end": 1876,
        "date_label": "1864/1876",
        "date_edtf": "1864/1876",
        "date_certainty": "exact",
        "dimensions": ["hoogte 92.2 cm"],
        "dimension_details": [
            {
                "kind": "hoogte",
                "kind_id": "http://vocab.getty.edu/aat/300055644",
                "value": 92.2,
                "text": "92.2",
                "unit": "cm",
                "unit_id": "http://vocab.getty.edu/aat/300379098",
            }
        ],
        "height_cm": 92.2,
        "acquisition": "schenking",
        "acquired": "1938-11-01",
        "on_display": False,
        "image": "https://beeldbank-temp.stad.gent/iiif/image/303031320.jpg/full/full/0/default.jpg",
        "images": [
            "https://beeldbank-temp.stad.gent/iiif/image/303031320.jpg/full/full/0/default.jpg"
        ],
        "image_rights": [
            {
                "image": row["image"],
                **dict.fromkeys(("licence", "licence_uri", "attribution", "source")),
            }
        ],
        "iiif_manifest": "https://api.collectie.gent/iiif/presentation/v2/manifest/dmg:0012",
        "parts": [f"{BASE}id/object/0012/part/1", f"{BASE}id/object/0012/part/2"],
        "same_as": ["https://stad.gent/id/mensgemaaktobject/dmg/530007637"],
        "colors": ["brown", "red"],
        "color_codes": ["#12a34a", "#9ccef7"],
    }


def test_the_page_of_objects() -> None:
    shown, on_display, _ = (columns("object", record) for record in members("objects"))
    assert shown["exhibitions"] == [
        f"{BASE}id/exhibition/TE_2002-001",
        f"{BASE}id/exhibition/TE_1947-004",
    ]
    assert (shown["acquisition"], shown["acquired"]) == ("onbekend", "1936")
    assert shown["description_nl"].startswith("Beschrijving van 0004.")
    assert shown["description_fr"] == "Description de 0004."
    assert (shown["on_display"], on_display["on_display"]) == (False, True)
    assert on_display["dimensions"] == ["hoogte 1 cm"]


def test_media_stand_beside_the_manifest() -> None:
    row = columns("object", members("object-media")[0])
    assert (
        row["iiif_manifest"] == "https://api.collectie.gent/iiif/presentation/v2/manifest/dmg:3172"
    )
    assert row["media"] == ["https://vimeo.com/7858846", "https://vimeo.com/6793627"]
    assert len(row["images"]) == 2


def test_an_object_without_linked_data_goes_by_the_id_that_is_known() -> None:
    (record,) = members("object-null")
    row = columns("object", record, f"{BASE}id/object/22%2F68")
    assert (row["id"], row["object_number"]) == (f"{BASE}id/object/22%2F68", "22/68")
    assert (row["label"], row["modified"]) == ("Blauwe vork", None)
    assert row["image"] == row["images"][0]


def test_an_agent_with_biographies() -> None:
    (record,) = members("agent")
    row = filled(columns("agent", record))
    texts = row.pop("biographies")
    assert row == {
        "id": f"{BASE}id/agent/DMG-A-00001",
        "label": "Thonet, Nathalie",
        "modified": "2026-05-01T09:44:45",
        "agent_type": "person",
        "names": ["Thonet, Nathalie", "Thonet"],
        "born": "1867",
        "birth_year": 1867,
        "biography_nl": "Thonet, Nathalie is een ontwerper. (DMG-A-00001)",
        "biography_fr": "Thonet, Nathalie est un designer. (DMG-A-00001)",
        "biography_en": "Thonet, Nathalie is a designer. (DMG-A-00001)",
        "thumbnail": "https://upload.wikimedia.org/wikipedia/commons/thumb/0/en.jpg/220px-en.jpg",
        "related_agents": [f"{BASE}id/agent/DMG-A-00963"],
        "relations": ["parent of DMG-A-00963"],
        "same_as": ["https://stad.gent/id/agent/530000000"],
    }
    assert texts[0] == {
        "text": "Interne biografische nota.",
        "language": None,
        **dict.fromkeys(("source", "licence", "licence_uri")),
    }
    assert [text["language"] for text in texts[1:]] == ["nl", "fr", "en"]
    assert texts[1]["source"] == "https://nl.wikipedia.org/wiki/Thonet_Nathalie"


def test_the_page_of_agents() -> None:
    _, person, group = (columns("agent", record) for record in members("agents"))
    assert (person["gender"], person["nationalities"]) == ("female", ["Groot-Brittannië"])
    assert person["relations"] == ["spouse of DMG-A-00455"]
    assert (group["agent_type"], group["nationalities"]) == ("group", ["Denemarken"])


def test_exhibitions() -> None:
    film, poster, book = (columns("exhibition", record) for record in members("exhibitions"))
    assert (film["date_begin"], film["date_end"]) == ("1930-03-01", "1930-06-30")
    assert (film["media"], film["publications"]) == (["https://vimeo.com/8708282"], [])
    assert poster["poster"].endswith("/posters/TE_1930-002.jpg")
    assert poster["title_en"] == "Exhibition 1"
    assert book["media"] == []
    assert book["publications"] == [
        "Catalogus Roze speelgoed in design 2, 1980, https://lib.ugent.be/catalog/rug01:3727543"
    ]
    shown = columns("exhibition", members("exhibition")[0])
    assert shown["objects"] == [f"{BASE}id/object/2012-0013"]
    assert len(shown["images"]) == 4
    assert shown["iiif_manifest"].endswith("/manifest/dmg:TE_1936-003")


def test_concepts() -> None:
    rows = [columns("concept", record) for record in members("concepts")]
    assert [row["label"] for row in rows] == ["vaas", "schaal", "bord (vaatwerk)"]
    assert (rows[2]["label_fr"], rows[2]["scope_note_en"]) == (
        "notion 2",
        "Definition of concept 2.",
    )
    assert rows[1]["same_as"][1] == "http://vocab.getty.edu/aat/300005013"


@pytest.mark.parametrize("kind", FLATTEN)
def test_columns_are_those_of_the_schema(kind: str) -> None:
    envelope = {
        *("uri", "source", "kind", "retrieved_at"),
        *("licence", "licence_uri", "attribution", "expires_at", "digest", "record"),
    }
    if kind == "object":
        envelope |= {"image_licence", "image_licence_uri", "image_attribution"}
    assert {*columns(kind, {}), *envelope} == {*ITEM_CLASSES[kind].fields}


# What the wire may do to a value


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: [_listed(one)] if isinstance(one, dict) else _listed(one)
            for key, one in value.items()
            if key != "@context"
        }
    return [_listed(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("kind", "record"), RECORDS)
def test_one_value_reads_like_a_list_of_one(kind: str, record: dict[str, Any]) -> None:
    assert columns(kind, _listed(record)) == columns(kind, record)


@pytest.mark.parametrize(("kind", "record"), RECORDS)
def test_absence_is_null_or_empty(kind: str, record: dict[str, Any]) -> None:
    fields = ITEM_CLASSES[kind].jsonschema["properties"]
    empty = columns(kind, {})
    for column, value in columns(kind, record).items():
        assert type(empty[column]) in (list if isinstance(value, list) else type(value), type(None))
        assert (empty[column] == []) == (fields[column].get("type") == "array")


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("Vaas", "Vaas"),
        (4711, "4711"),
        (None, "1"),
        ("", "1"),
        ({"@value": "Vaas", "@language": "nl"}, "Vaas"),
        ([{"@value": None}, {"@value": "Vase", "@language": "fr"}], "Vase"),
        (["Vaas", "Vase"], "Vaas"),
    ],
)
def test_labels(written: Any, label: str) -> None:
    record = {"@id": f"{BASE}id/object/1", "rdfs:label": written}
    assert columns("object", record)["label"] == label


def test_a_title_stands_in_for_a_null_label() -> None:
    title = {
        "@type": "crm:E41_Appellation",
        "rdfs:label": [{"@value": "Vase", "@language": "fr-BE"}],
    }
    row = an_object(P1_is_identified_by=title)
    assert (row["label"], row["title_fr"], row["title_nl"]) == ("Vase", "Vase", None)


def test_unknown_is_no_title() -> None:
    dutch = {"crm:P72_has_language": {"@id": LANGUAGE + "NLD"}}
    unknown = {"rdfs:label": "unknown", **dutch}
    assert an_object(P1_is_identified_by=unknown)["title_nl"] is None
    known = [unknown, {"rdfs:label": "Vaas", **dutch}]
    assert an_object(P1_is_identified_by=known)["title_nl"] == "Vaas"


@pytest.mark.parametrize("kind", ["object", "exhibition"])
@pytest.mark.parametrize("title", ["unknown", [{"@value": "unknown", "@language": "nl"}]])
def test_a_title_stands_in_for_an_unknown_label(kind: str, title: Any) -> None:
    names = [
        {"rdfs:label": "unknown", "crm:P72_has_language": {"@id": LANGUAGE + "NLD"}},
        {"rdfs:label": "Vase", "crm:P72_has_language": {"@id": LANGUAGE + "FRA"}},
    ]
    record = {"@id": f"{BASE}id/{kind}/1", "rdfs:label": title}
    assert columns(kind, record)["label"] == "unknown"
    named = columns(kind, {**record, "crm:P1_is_identified_by": names})
    assert (named["label"], named["title_nl"], named["title_fr"]) == ("Vase", None, "Vase")


def test_a_label_in_another_language_stands_in_for_an_unknown_one() -> None:
    label = [{"@value": "unknown", "@language": "nl"}, {"@value": "Stoel", "@language": "en"}]
    for kind in ("object", "concept", "agent"):
        record = {"@id": f"{BASE}id/{kind}/1", "rdfs:label": label}
        assert columns(kind, record)["label"] == "Stoel"
    concept = {"rdfs:label": "unknown", "skos:prefLabel": {"@value": "chair", "@language": "en"}}
    assert columns("concept", {"@id": f"{BASE}id/concept/1", **concept})["label"] == "chair"


def test_the_number_of_an_object_is_the_one_that_is_typed_so() -> None:
    inventory = {"@id": "http://vocab.getty.edu/aat/300312355"}
    numbers = [
        {"@type": ["crm:E42_Identifier", "crm:E41_Appellation"], "rdfs:label": "loan 7"},
        {"@type": "crm:E42_Identifier", "rdfs:label": 4711, "crm:P2_has_type": inventory},
    ]
    assert an_object(P1_is_identified_by=numbers)["object_number"] == "4711"
    assert an_object(P1_is_identified_by=numbers[0])["object_number"] == "loan 7"


def test_the_first_representation_stands_in_for_the_image() -> None:
    views = [{"@id": "https://iiif.test/1.jpg"}, {"@id": "https://iiif.test/2.jpg"}]
    row = an_object(P138i_has_representation=views)
    assert (row["image"], row["images"]) == (views[0]["@id"], [view["@id"] for view in views])


def test_several_descriptions_are_paragraphs_and_other_texts_are_none() -> None:
    dutch = {"crm:P72_has_language": {"@id": LANGUAGE + "NLD"}}
    texts = [
        {"rdfs:label": "Een.", "crm:P2_has_type": DESCRIPTION, **dutch},
        {"rdfs:label": "Twee.", **dutch},
        {"rdfs:label": "Citaat.", "crm:P2_has_type": {"@id": "urn:citation"}, **dutch},
    ]
    assert an_object(P67i_is_referred_to_by=texts)["description_nl"] == "Een.\n\nTwee."


def _production(label: str | None = None, begin: Any = None, end: Any = None) -> dict[str, Any]:
    span = {"rdfs:label": label, "crm:P82a_begin_of_the_begin": begin}
    return {"crm:P4_has_time-span": {**span, "crm:P82b_end_of_the_end": end}}


@pytest.mark.parametrize(
    ("production", "begin", "end"),
    [
        (_production("1872/1881", {"@value": "1872"}, {"@value": "1881"}), 1872, 1881),
        (_production(begin=1872, end="1881"), 1872, 1881),
        (_production(begin="-0450", end=-400), -450, -400),
        (_production(begin=[{"@value": "1858-03-25"}]), 1858, None),
        (_production("1872/1881"), 1872, 1881),
        (_production("1872"), 1872, 1872),
        (_production("1872/.."), 1872, None),
        (_production("ca. 1900"), None, None),
        (_production(begin="18580325"), None, None),
        (_production("ca. 1900", "1895", "1905"), 1895, 1905),
        ([_production("1902"), _production("1898/1899"), {}], 1898, 1902),
    ],
)
def test_years(production: Any, begin: int | None, end: int | None) -> None:
    row = an_object(P108i_was_produced_by=production)
    assert (row["date_begin"], row["date_end"]) == (begin, end)


def test_design_widens_the_years_of_production() -> None:
    row = an_object(
        P108i_was_produced_by=_production("1902"), P94i_was_created_by=_production("1898")
    )
    assert (row["date_begin"], row["date_end"], row["date_label"]) == (1898, 1902, "1902")


@pytest.mark.parametrize(
    ("label", "begin", "end"),
    [
        ("2020-10-01/2021-03-07", "2020-10-01", "2021-03-07"),
        ("2020-10", "2020-10", "2020-10"),
        ("2020-10-01/", "2020-10-01", None),
        ("2020-13-01", None, None),
        ("zomer 1930", None, None),
    ],
)
def test_days_of_an_exhibition(label: str, begin: str | None, end: str | None) -> None:
    row = columns("exhibition", {"crm:P4_has_time-span": {"rdfs:label": label}})
    assert (row["date_begin"], row["date_end"], row["date_label"]) == (begin, end, label)


@pytest.mark.parametrize("value", [143, "143", {"@value": 143}])
def test_dimensions(value: Any) -> None:
    height = {"crm:P2_has_type": {"rdfs:label": "hoogte"}, "crm:P91_has_unit": {"rdfs:label": "cm"}}
    row = an_object(P43_has_dimension=[{**height, "crm:P90_has_value": value}, height])
    assert row["dimensions"] == ["hoogte 143 cm"]


def test_a_maker_without_id_or_without_name() -> None:
    makers = [{"rdfs:label": "Atelier"}, {"@id": f"{LOCAL}id/agent/DMG-A-1/", "rdfs:label": None}]
    row = an_object(P108i_was_produced_by={"crm:P14_carried_out_by": makers})
    assert (row["makers"], row["maker_ids"]) == (
        ["Atelier", "DMG-A-1"],
        ["", f"{BASE}id/agent/DMG-A-1"],
    )


def test_a_term_that_is_named_twice_is_one_term() -> None:
    same_as = ("", "", "aat:1", "aat:2", "")
    labels = ("oak", "pine", "oak", "oak", " ")
    terms = [{"rdfs:label": a, "owl:sameAs": b} for a, b in zip(labels, same_as, strict=True)]
    row = an_object(P45_consists_of=terms)
    assert (row["materials"], row["material_same_as"]) == (["oak", "pine"], ["aat:1", ""])


@pytest.mark.parametrize("location", [{}, [], "here", [None]])
def test_an_object_without_a_location_is_not_on_display(location: Any) -> None:
    assert an_object(P55_has_current_location=location)["on_display"] is False


def test_sets_parts_and_sub_collections() -> None:
    row = an_object(
        P46i_forms_part_of={"@id": f"{WIRE}/id/object/2017-0095_0-3"},
        P106_is_composed_of=[{"@id": f"{WIRE}id/object/SB 0012"}],
        P106i_forms_part_of={"@id": f"{WIRE}id/concept/5", "rdfs:label": "legaat Havermans"},
        P15i_was_motivation_of={
            "crm:P102_has_title": {"rdfs:label": "Remake"},
            "crm:P129i_is_subject_of": {"@id": "https://remake.test/"},
            "crm:P4_has_time-span": {"rdfs:label": "2024"},
        },
    )
    assert row["part_of"] == [f"{BASE}id/object/2017-0095_0-3"]
    assert row["members"] == [f"{BASE}id/object/SB%200012"]
    assert row["collections"] == ["legaat Havermans"]
    assert row["projects"] == ["Remake, 2024, https://remake.test/"]
    project = {"@id": "https://remake.test/2", "crm:P102_has_title": {"rdfs:label": "Again"}}
    row = an_object(P15i_was_motivation_of=project)
    assert row["projects"] == ["Again, https://remake.test/2"]


def test_nationality_and_thumbnail_in_the_older_shape() -> None:
    firm = {"@id": f"{WIRE}id/agent/DMG-A-2", "crm:P2_has_type": {"rdfs:label": "employee of"}}
    country = {"@id": "https://sws.geonames.org/2802361/", "rdfs:label": "België"}
    row = an_agent(
        P107i_is_current_or_former_member_of=[country, firm],
        P65_shows_visual_item={"@id": "https://upload.test/a.jpg"},
    )
    assert (row["nationalities"], row["relations"]) == (["België"], ["employee of DMG-A-2"])
    assert row["related_agents"] == [f"{BASE}id/agent/DMG-A-2"]
    assert row["thumbnail"] == "https://upload.test/a.jpg"


def test_life_dates_may_be_spans() -> None:
    row = an_agent(
        P98i_was_born={**_production("1867/1868"), "crm:P7_took_place_at": {"rdfs:label": "Gent"}},
        P100i_died_in=_production("1930-12-31/1931-01-01"),
    )
    assert (row["born"], row["birth_year"], row["birth_place"]) == ("1867/1868", 1867, "Gent")
    assert (row["died"], row["death_place"]) == ("1930-12-31/1931-01-01", None)
    assert row["death_year"] == 1931


def test_a_span_without_days_gives_its_years() -> None:
    row = columns("exhibition", _production("zomer 1930", {"@value": "1930"}, "1931"))
    assert (row["date_begin"], row["date_end"]) == ("1930", "1931")


def test_a_person_among_actors() -> None:
    record = {"@type": ["crm:E39_Actor", "crm:E21_Person"]}
    assert columns("agent", record)["agent_type"] == "person"


def test_a_publication_needs_no_address() -> None:
    book = {
        "crm:P2_has_type": {"@id": "http://vocab.getty.edu/aat/300048715"},
        "crm:P102_has_title": {"rdfs:label": "Catalogus"},
    }
    row = columns("exhibition", {"crm:P129i_is_subject_of": book})
    assert (row["publications"], row["media"]) == (["Catalogus"], [])


def test_related_concepts_go_by_the_museums_own_id() -> None:
    elsewhere = "https://stad.gent/id/concept/530000003"
    record = {
        "@id": f"{WIRE}id/concept/530000001",
        "skos:broader": {"@id": elsewhere, "owl:sameAs": [f"{WIRE}id/concept/530000003"]},
        "skos:narrower": [{"@id": elsewhere}, f"{WIRE}/id/concept/530000005"],
    }
    row = columns("concept", record)
    assert row["broader"] == [f"{BASE}id/concept/530000003"]
    assert row["narrower"] == [elsewhere, f"{BASE}id/concept/530000005"]


# Whatever comes, nothing breaks, nothing is edited, nothing is lost without a word


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(pairs):
        if key != "@context":
            yield value, key
            if isinstance(inner, dict | list):
                yield from _places(inner)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["@id", "@value", "@language", "rdfs:label", "nl"]), inner
        )
    ),
    max_leaves=4,
)


@pytest.mark.long
@given(record_of_any_kind, st.data())
def test_any_value_may_stand_anywhere(
    kind_and_record: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    kind, record = kind_and_record
    holder, key = data.draw(st.sampled_from(list(_places(record))))
    holder[key] = data.draw(json_values)
    before = deepcopy(record)
    columns(kind, record)
    assert record == before


def _refused(kind: str, record: dict[str, Any]) -> bool:
    row = {**dict.fromkeys(ITEM_CLASSES[kind].fields), "record": record}
    return any(fault["path"].startswith("record.") for fault in errors(ITEM_CLASSES[kind], row))


@given(record_of_any_kind, st.data(), st.sampled_from([True, [["x"]]]))
def test_a_value_that_cannot_be_read_is_refused(
    kind_and_record: tuple[str, dict[str, Any]], data: st.DataObject, value: Any
) -> None:
    kind, record = kind_and_record
    whole = columns(kind, record)
    holder, key = data.draw(st.sampled_from(list(_places(record))))
    holder[key] = value
    assert columns(kind, record) == whole or _refused(kind, record)


@given(record_of_any_kind, st.data())
def test_a_language_map_for_a_text_is_refused(
    kind_and_record: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    kind, record = kind_and_record
    whole = columns(kind, record)
    texts = [(holder, key) for holder, key in _places(record) if isinstance(holder[key], str)]
    holder, key = data.draw(st.sampled_from(texts))
    holder[key] = {"nl": holder[key]}
    assert columns(kind, record) == whole or _refused(kind, record)


@given(record_of_any_kind, st.data(), json_values)
def test_what_a_record_gains_changes_no_column(
    kind_and_record: tuple[str, dict[str, Any]], data: st.DataObject, value: Any
) -> None:
    kind, record = kind_and_record
    whole = columns(kind, record)
    holders = [record, *(holder for holder, _ in _places(record) if isinstance(holder, dict))]
    data.draw(st.sampled_from(holders))["dmg:novelty"] = value
    assert columns(kind, record) == whole


# Ids


@pytest.mark.parametrize(
    ("raw", "canonical_spelling"),
    [
        ("https://museum.test/v2/id/object/1987-1105", "id/object/1987-1105"),
        ("https://museum.test/v2//id/object/0004", "id/object/0004"),
        ("https://museum.test/v2/id/object/0004/", "id/object/0004"),
        ("http://museum.test/v2/id/object/0004", "id/object/0004"),
        ("HTTPS://Museum.TEST/v2/id/object/0004", "id/object/0004"),
        ("https://museum.test/v2/ID/Object/0004", "id/object/0004"),
        ("http://127.0.0.1:8001/v2/id/agent/DMG-A-1", "id/agent/DMG-A-1"),
        ("https://museum.test/v2/id/object/SB 0012", "id/object/SB%200012"),
        ("https://museum.test/v2/id/object/SB%200012", "id/object/SB%200012"),
        ("https://museum.test/v2/id/object/2001-0003/A", "id/object/2001-0003%2FA"),
        ("https://museum.test/v2/id/object/2001-0003%2fA", "id/object/2001-0003%2FA"),
        ("https://museum.test/v2/id/object/0012/part/1", "id/object/0012/part/1"),
        (
            "https://museum.test/v2/id/object/2001-0003/A/part/12/",
            "id/object/2001-0003%2FA/part/12",
        ),
        ("https://museum.test/v2//id/object/SB 0012/part/2", "id/object/SB%200012/part/2"),
        ("https://museum.test/v2/id/object/0012/A/1", "id/object/0012%2FA%2F1"),
        ("https://museum.test/v2/id/object/1996/12", "id/object/1996%2F12"),
        ("https://museum.test/v2/id/object/50% & 50", "id/object/50%25%20%26%2050"),
        ("https://museum.test/v2/id/object/%FF", "id/object/%FF"),
        ("https://museum.test/v2/id/object/été?#", "id/object/%C3%A9t%C3%A9%3F%23"),
        ("https://museum.test/v2/id/object/\ud800", "id/object/%ED%A0%80"),
    ],
)
def test_canonical_ids(raw: str, canonical_spelling: str) -> None:
    assert canonical(raw) == BASE + canonical_spelling
    assert canonical(BASE + canonical_spelling) == BASE + canonical_spelling


@pytest.mark.parametrize(
    "raw",
    [
        "http://vocab.getty.edu/aat/300055644",
        "https://www.wikidata.org/entity/Q1",
        "https://stad.gent/id/concept/530000003",
        "https://museum.test.evil/v2/id/object/0004",
        "https://museum.test/v1/id/object/0004",
        "https://museum.test/v2/id/objects",
        "https://museum.test/v2/id/object/",
        "",
    ],
)
def test_ids_of_others_are_left_alone(raw: str) -> None:
    assert canonical(raw) == raw


def test_a_base_without_its_last_slash_is_the_same_base() -> None:
    assert canonical_id(f"{BASE}id/object/A B", BASE[:-1]) == f"{BASE}id/object/A%20B"


@given(st.text(min_size=1), st.sampled_from([BASE, WIRE, LOCAL, BASE + "/"]))
def test_canonical_ids_are_stable_and_give_the_pid_back(number: str, base: str) -> None:
    canonical_spelling = canonical(f"{base}id/object/{quote(number, safe='')}")
    assert canonical_spelling == f"{BASE}id/object/{quote(number, safe='')}"
    assert pid(canonical_spelling) == number


@given(st.text())
def test_canonical_ids_are_idempotent(tail: str) -> None:
    once = canonical(f"{BASE}id/object/{tail}")
    assert canonical(once) == once
