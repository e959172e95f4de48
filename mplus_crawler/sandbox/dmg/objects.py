"""Objects as JSON-LD: the stored record, what the API adds to it, and the colours."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from mplus_crawler.sandbox.dmg.data import Collection, ObjectRow, some
from mplus_crawler.sandbox.dmg.images import has_rights, representation, rights
from mplus_crawler.sandbox.dmg.names import agent_name, exhibition_titles
from mplus_crawler.sandbox.dmg.shapes import (
    OBJECT,
    STORED,
    aat,
    appellations,
    film,
    generated,
    manifest,
    one_or_list,
    place,
    sentence,
    span,
    term,
    text,
    years,
)
from mplus_crawler.sandbox.facts.dmg import URI, WORDS, Json, context, iri

_MEASURES = (("300055644", "hoogte"), ("300055645", "breedte"), ("300072633", "diepte"))


def object_stub(row: ObjectRow, base: str) -> Json:
    """Return a member of a collection without ``fullRecord=true``."""
    stub = {
        "@id": iri("object", row.pid, base),
        "@type": OBJECT,
        "rdfs:label": row.titles.get("NLD") or row.pid,
    }
    return stub | {"crm:P129i_is_subject_of": manifest(row.pid)} if row.manifest else stub


def object_record(rows: Collection, row: ObjectRow) -> Json:
    """Return the stored record."""
    dice = rows.random("object record", row.key)
    me = iri("object", row.pid)
    record: Json = {
        "@context": context(*STORED),
        "@id": me,
        "@type": OBJECT,
        "owl:sameAs": [f"{URI['stad']}mensgemaaktobject/dmg/{530_000_000 + row.key}"],
        "rdfs:label": _label(row, dice),
        **generated(row),
        "crm:P1_is_identified_by": [_number(me, row.pid), *appellations(row.titles)],
        "crm:P2_has_type": one_or_list(dice, [term("E55_Type", t) for t in row.types]),
        "crm:P45_consists_of": one_or_list(dice, [term("E57_Material", m) for m in row.materials]),
        "crm:P43_has_dimension": one_or_list(dice, _dimensions(me, dice)),
        "crm:P108i_was_produced_by": one_or_list(dice, [_production(rows, me, row, dice)]),
    }
    if row.makers and row.years and dice.random() < 0.5:
        record["crm:P94i_was_created_by"] = one_or_list(dice, [_creation(rows, me, row)])
    if dice.random() < 0.8:
        record["crm:P24i_changed_ownership_through"] = one_or_list(dice, [_acquisition(me, dice)])
    if row.manifest:
        record["crm:P129i_is_subject_of"] = manifest(row.pid)
    return record | _parts(me, row)


def add_to_object(rows: Collection, row: ObjectRow, record: Json) -> None:
    """Add what the public endpoints add; to a bare record only what needs no ``@id``."""
    dice = rows.random("object additions", row.key)
    if "@id" in record:
        _add_links(rows, row, record, dice)
    else:
        record["crm:P1_is_identified_by"] = appellations(row.titles)
    if texts := _descriptions(row, dice):
        record["crm:P67i_is_referred_to_by"] = texts
    if row.images:
        pictures = [_picture(rows, row, number) for number in range(row.images)]
        record |= {"crm:P138i_has_representation": pictures, "image": pictures[0]}


def _picture(rows: Collection, row: ObjectRow, number: int) -> Json:
    found = representation(rows, row, number)
    return found | rights(row.key + number) if has_rights(rows, row, number) else found


def visual_item(rows: Collection, row: ObjectRow) -> Json:
    """Return the colours of the first image, sent for ``colors=true``."""
    me = f"{iri('object', row.pid)}/visual/image/1"
    palette = WORDS["palette"]
    hexes = [_shade(palette[name][1], share, name) for name, share in row.palette]
    bases = [_shade(base, share) for base, share in row.base_shares().items()]
    return {
        "@id": me,
        "@type": "crm:E36_Visual_Item",
        "crm:P2_has_type": aat("300264863", "digital image"),
        "crm:P138i_has_representation": {
            "@id": representation(rows, row, 0)["@id"],
            "@type": "crm:E38_Image",
        },
        "crm:P56_bears_feature": [
            _feature(f"{me}/colors/hex", hexes),
            _feature(f"{me}/colors/base", bases),
        ],
    }


def dominant_member(rows: Collection, row: ObjectRow, share: float, base: str) -> Json:
    """Return a member of the index of dominant colours, where images have rights."""
    images = [
        representation(rows, row, number) | rights(row.key + number) for number in range(row.images)
    ]
    return {
        "@id": iri("object", row.pid, f"{base}/"),
        "@type": OBJECT,
        "rdfs:label": row.titles.get("NLD"),
        "dominance_pct": share,
        "crm:P138i_has_representation": images,
        "image": images[0],
        "crm:P129i_is_subject_of": manifest(row.pid),
    }


def _label(row: ObjectRow, dice: Random) -> Any:
    label = row.titles.get("NLD", row.pid)
    die = dice.random()
    if die < 0.006:
        return None
    if die < 0.012:
        return 1900 + row.key % 100
    if die < 0.04:
        return [{"@value": label, "@language": "nl"}]
    return label


def _number(me: str, pid: str) -> Json:
    return {
        "@id": f"{me}/identifier/objectnummer",
        "@type": "crm:E42_Identifier",
        "rdfs:label": pid,
        "crm:P2_has_type": aat("300312355", "objectnummer"),
    }


def _dimensions(me: str, dice: Random) -> list[Json]:
    measures = _MEASURES[: dice.choice((0, 1, 2, 3, 3))]
    return [
        _dimension(f"{me}/dimension/{number}", measure, dice)
        for number, measure in enumerate(measures, start=1)
    ]


def _dimension(me: str, measure: tuple[str, str], dice: Random) -> Json:
    value = dice.randint(5, 2500) / 10
    return {
        "@id": me,
        "@type": "crm:E54_Dimension",
        "crm:P2_has_type": aat(*measure),
        "crm:P90_has_value": str(value) if dice.random() < 0.2 else value,
        "crm:P91_has_unit": {"@id": f"{URI['aat']}300379098", "rdfs:label": "cm"},
    }


def _production(rows: Collection, me: str, row: ObjectRow, dice: Random) -> Json:
    event: Json = {"@id": f"{me}/production/1", "@type": "crm:E12_Production"}
    if row.makers:
        makers = [_maker(rows, key) for key in row.makers]
        event["crm:P14_carried_out_by"] = one_or_list(dice, makers)
    event["crm:P7_took_place_at"] = place(dice)
    techniques = some(dice, WORDS["techniques"], (0, 0, 1, 2))
    event["crm:P32_used_general_technique"] = [term("E55_Type", t) for t in techniques]
    if row.years:
        event["crm:P4_has_time-span"] = years(*row.years)
    return event


def _creation(rows: Collection, me: str, row: ObjectRow) -> Json:
    begin = row.years[0] if row.years else 0
    return {
        "@id": f"{me}/creation/1",
        "@type": "crm:E65_Creation",
        "crm:P14_carried_out_by": _maker(rows, row.makers[0]),
        "crm:P4_has_time-span": years(begin, begin),
    }


def _maker(rows: Collection, key: int) -> Json:
    return {
        "@id": iri("agent", rows.listings["agents"].pid(key)),
        "@type": "crm:E39_Actor",
        "rdfs:label": agent_name(key),
    }


def _acquisition(me: str, dice: Random) -> Json:
    kind = {"@type": "crm:E55_Type", "rdfs:label": dice.choice(WORDS["acquisitions"])}
    return {
        "@id": f"{me}/acquisition",
        "@type": "crm:E8_Acquisition",
        "crm:P2_has_type": kind,
        "crm:P4_has_time-span": span(str(dice.randint(1903, 2025))),
    }


def _parts(me: str, row: ObjectRow) -> Json:
    found: Json = {}
    if row.parts:
        found["crm:P46_has_component"] = [
            {"@id": f"{me}/part/{number}", "@type": OBJECT, "rdfs:label": f"onderdeel {number}"}
            for number in range(1, row.parts + 1)
        ]
    if row.set_number:
        whole = {"@id": iri("object", row.set_number), "@type": OBJECT}
        found["crm:P46i_forms_part_of"] = whole
    return found


def _add_links(rows: Collection, row: ObjectRow, record: Json, dice: Random) -> None:
    if shows := some(dice, range(rows.sizes.exhibitions), (0, 0, 1, 2)):
        record["crm:P12i_was_present_at"] = [_exhibition(rows, key) for key in shows]
    if row.on_display:
        room = dice.choice(WORDS["rooms"])
        record["crm:P55_has_current_location"] = {"@type": "crm:E53_Place", "rdfs:label": room}
    if row.manifest and dice.random() < 0.05:
        record["crm:P129i_is_subject_of"] = [manifest(row.pid), film(row.pid, dice)]


def _exhibition(rows: Collection, key: int) -> Json:
    return {
        "@id": iri("exhibition", rows.listings["exhibitions"].pid(key)),
        "@type": "crm:E7_Activity",
        "rdfs:label": exhibition_titles(key)["NLD"],
    }


def _descriptions(row: ObjectRow, dice: Random) -> list[Json]:
    count = dice.choice((0, 1, 2, 4, 5))
    dutch = " ".join(sentence(dice) for _ in range(count))
    texts = [text(f"{row.pid}. {dutch}", "NLD")] if count else []
    if dice.random() < 0.2:
        texts.append(text(f"Description de {row.pid}.", "FRA"))
    return texts


def _feature(me: str, shades: Iterable[Json]) -> Json:
    return {
        "@id": me,
        "@type": "crm:E26_Physical_Feature",
        "crm:P2_has_type": aat("300056130", "color"),
        "crm:P3_has_note": list(shades),
    }


def _shade(value: str, share: float, label: str | None = None) -> Json:
    shade: Json = {"@type": "crm:E62_String", "rdf:value": value}
    if label:
        shade["rdfs:label"] = label
    shade["crm:P43_has_dimension"] = {
        "@type": "crm:E54_Dimension",
        "crm:P2_has_type": aat("300417476", "percentage"),
        "crm:P90_has_value": {"@value": share, "@type": "xsd:decimal"},
        "crm:P91_has_unit": {"@id": f"{URI['aat']}300417476", "rdfs:label": "%"},
    }
    return shade
