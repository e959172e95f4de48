"""Gent: what a record names by URI has a column, and what belongs together is parallel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.dmg import KINDS, members
from tests.test_cidoc import BASE, LOCAL, an_agent, an_object, canonical, columns

# Where a URI may stand without a column, and why.
WITHOUT_COLUMN = {
    # Constants that say what a node is, not which: the column that holds the node says so, too.
    "crm:P1_is_identified_by/crm:P2_has_type/@id": "the type of number: object_number, id",
    "crm:P67i_is_referred_to_by/crm:P2_has_type/@id": "description, of which columns are made",
    "crm:P138i_has_representation/crm:P2_has_type/@id": "exhibition view: images",
    "crm:P65_shows_visual_item/crm:P2_has_type/@id": "poster",
    "crm:P129i_is_subject_of/crm:P2_has_type/@id": "film or publication: media, publications",
    "crm:P55_has_current_location/crm:P2_has_type/@id": "a display: on_display",
    "crm:P55_has_current_location/@id": "the permanent display, the only one: on_display",
    # Codes: the column's name or value is the term.
    "crm:P72_has_language/@id": "the language of a text: the end of a column's name",
    "human-sex": "gender",
    "crm:P2_has_type/@id of a relation": "relations",
    "crm:P56_bears_feature": "colours and their shares: colors, color_codes",
    "crm:P138i_has_representation/crm:P43_has_dimension": "pixels of an exhibition view",
    # Addresses of the same thing, or of a request.
    "thumbnail": "the image in a smaller size",
    "dominant": "a request: -a dominant=true",
    "/dcat:dataset/": "each data set has a row",
    "dcat:distribution/dcat:accessURL/@id": "endpoint",
    "dct:publisher/foaf:homepage/@id": "a page of the publisher, whose URI is in publisher_ids",
}


def uris(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Each URI below *value*, contexts apart, with the properties that lead to it."""
    if isinstance(value, dict):
        for name, below in value.items():
            if name != "@context":
                yield from uris(below, f"{path}/{name}")
    elif isinstance(value, list):
        for below in value:
            yield from uris(below, path)
    elif isinstance(value, str) and re.match(r"https?://", value):
        yield path, value


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for below in value.values():
            yield from texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from texts(below)
    elif isinstance(value, str):
        yield from (value, *value.split(" | "))


def excused(path: str, uri: str) -> bool:
    """Whether :data:`WITHOUT_COLUMN` has a reason."""
    if "human-sex" in uri or "/id/type/relation/" in uri:
        return True
    return any(reason in path for reason in WITHOUT_COLUMN)


@pytest.mark.parametrize("name", KINDS)
def test_every_uri_of_a_record_has_a_column_or_a_reason(name: str) -> None:
    for record in members(name):
        row = columns(KINDS[name], record, f"{BASE}id/{KINDS[name]}/1")
        held = set(texts(row))
        own = record.get("@id") or ""
        for path, uri in uris(record):
            # Nodes within the record have URIs that begin with its own, and name nothing else.
            if own and path.count("/") > 1 and uri.startswith(f"{own}/") and "/part/" not in uri:
                continue
            # A citation has the page at its end.
            found = {uri, canonical(uri)} & held or any(one.endswith(f", {uri}") for one in held)
            assert found or excused(path, uri), (path, uri)


def test_what_has_no_uri_or_no_label_keeps_its_place() -> None:
    terms = [
        {"rdfs:label": "hout"},
        {
            "@id": f"{LOCAL}id/concept/1",
            "rdfs:label": "eik",
            "owl:sameAs": ["http://a/1", "http://b/2"],
        },
        {"@id": f"{LOCAL}id/concept/2"},
        {"@id": f"{LOCAL}id/concept/1", "rdfs:label": "eik"},
        {},
    ]
    row = an_object(P45_consists_of=terms)
    assert row["materials"] == ["hout", "eik", "2"]
    assert row["material_ids"] == ["", f"{BASE}id/concept/1", f"{BASE}id/concept/2"]
    assert row["material_same_as"] == ["", "http://a/1 | http://b/2", ""]


def test_two_makers_of_one_name_are_two() -> None:
    makers = [{"@id": f"{BASE}id/agent/{n}", "rdfs:label": "Jan"} for n in (1, 2, 1)]
    row = an_object(P108i_was_produced_by={"crm:P14_carried_out_by": makers})
    assert row["makers"] == ["Jan", "Jan"]
    assert row["maker_ids"] == [f"{BASE}id/agent/1", f"{BASE}id/agent/2"]


def test_places_and_countries_of_an_agent() -> None:
    tgn, country = "http://vocab.getty.edu/tgn/1", "http://publications.europa.eu/x/BEL"
    row = an_agent(
        P98i_was_born={"crm:P7_took_place_at": [{}, {"@id": tgn, "rdfs:label": "Gent"}]},
        P100i_died_in={"crm:P7_took_place_at": {"@id": tgn}},
    )
    assert (row["birth_place"], row["birth_place_id"]) == ("Gent", tgn)
    assert (row["death_place"], row["death_place_id"]) == (None, tgn)
    record = {"person:citizenship": [{"rdfs:label": "Belgisch"}, {"@id": country}]}
    row = columns("agent", record, f"{BASE}id/agent/1")
    assert (row["nationalities"], row["nationality_ids"]) == (["Belgisch", "BEL"], ["", country])


@pytest.mark.parametrize(
    ("kind", "value", "unit", "column", "expected"),
    [
        ("hoogte", 13.2, "cm", "height_cm", 13.2),
        ("breedte", "42,9", "cm", "width_cm", 42.9),
        ("diepte", "15", "mm", "depth_cm", 1.5),
        ("diameter", 1.5, "m", "diameter_cm", 150),
        ("http://vocab.getty.edu/aat/300055644", 3, "cm", "height_cm", 3),
        ("hoogte", "ca. 13", "cm", "height_cm", None),
        ("hoogte", 500, "g", "height_cm", None),
        ("gewicht", 500, "cm", "height_cm", None),
        ("hoogte", 1000, "px", "height_cm", None),
    ],
)
def test_measurements_are_centimetres_where_they_can_be(
    kind: str, value: Any, unit: str, column: str, expected: float | None
) -> None:
    typed = {"@id": kind} if kind.startswith("http") else {"rdfs:label": kind}
    row = an_object(
        P43_has_dimension={
            "crm:P2_has_type": typed,
            "crm:P90_has_value": value,
            "crm:P91_has_unit": {"rdfs:label": unit},
        }
    )
    assert row[column] == expected
    assert row["dimension_details"][0]["text"] == str(value)


@pytest.mark.parametrize(
    ("label", "begin", "end", "edtf", "how"),
    [
        ("1867/1874", 1867, 1874, "1867/1874", "exact"),
        ("1867", None, None, "1867", "exact"),
        ("1872/..", 1872, None, "1872/..", "exact"),
        ("ca. 1900", None, None, "1900~", "approximate"),
        ("circa 1900/1910", 1890, 1920, "1900~/1910", "approximate"),
        ("[1900]", None, None, "1900?", "uncertain"),
        ("1900?", None, None, "1900?", "uncertain"),
        ("1900 - 1910", 1900, 1910, "1900/1910", "exact"),
        (None, 1900, 1910, "1900/1910", "exact"),
        (None, 1900, 1900, "1900", "exact"),
        ("1930-03-01/1930-06-30", 1930, 1930, "1930-03-01/1930-06-30", "exact"),
        ("1900", 1950, 1960, None, None),
        ("1910/1900", None, None, None, None),
        ("19de eeuw", 1800, 1899, None, None),
        (None, None, 1910, None, None),
        ("/", None, None, None, None),
    ],
)
def test_dates_as_edtf(
    label: str | None, begin: int | None, end: int | None, edtf: str | None, how: str | None
) -> None:
    span = {
        "rdfs:label": label,
        "crm:P82a_begin_of_the_begin": begin and str(begin),
        "crm:P82b_end_of_the_end": end and str(end),
    }
    row = an_object(P108i_was_produced_by={"crm:P4_has_time-span": span})
    assert (row["date_edtf"], row["date_certainty"]) == (edtf, how)


def test_a_line_break_is_one_character() -> None:
    said = {"crm:P67i_is_referred_to_by": {"rdfs:label": "een\r\ntwee\rdrie"}}
    language = {"@id": "http://publications.europa.eu/resource/authority/language/NLD"}
    said["crm:P67i_is_referred_to_by"]["crm:P72_has_language"] = language  # type: ignore[assignment]
    assert columns("object", said, f"{BASE}id/object/1")["description_nl"] == "een\ntwee\ndrie"
