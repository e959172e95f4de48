"""Columns of museum objects (CIDOC-CRM E22 Human-Made Object)."""

from __future__ import annotations

from typing import Any

from mplus_crawler.records.batch import SEVERAL
from mplus_crawler.spiders.dmg.cidoc import crm
from mplus_crawler.spiders.dmg.cidoc.dates import edtf
from mplus_crawler.spiders.dmg.cidoc.dimensions import fill_dimensions
from mplus_crawler.spiders.dmg.cidoc.ids import pid
from mplus_crawler.spiders.dmg.cidoc.jsonld import (
    Canonical,
    Node,
    as_list,
    each,
    first_id,
    first_label,
    has_type,
    ids,
    links,
    nodes,
    references,
    statement,
    text,
    unique,
    uri_of,
)
from mplus_crawler.spiders.dmg.cidoc.terms import terms

# Getty AAT 300312355, "accession numbers": the type of an object's inventory number.
OBJECT_NUMBER = "http://vocab.getty.edu/aat/300312355"
# What an image is subject to: a crm:E30_Right.
RIGHT = "crm:P104_is_subject_to"
NOTE = "crm:P3_has_note"

Columns = dict[str, Any]


def object_columns(record: Node, canonical: Canonical, known_id: str | None = None) -> Columns:
    """Return the columns of ``schemas/object.schema.json``, except those of every record."""
    named, numbered = crm.identifiers(record)
    titles = crm.titles(named)
    row = crm.identity(record, canonical, known_id, titles.values())
    row["object_number"] = _number(numbered) or (row["id"] and pid(row["id"]))
    row["title_nl"], row["title_fr"], row["title_en"] = map(titles.get, crm.LANGUAGES)
    said = map(crm.descriptions(record).get, crm.LANGUAGES)
    row["description_nl"], row["description_fr"], row["description_en"] = said
    types = nodes(record, "crm:P2_has_type")
    row["types"], row["type_ids"], row["type_same_as"] = terms(types, canonical)
    materials = nodes(record, "crm:P45_consists_of")
    row["materials"], row["material_ids"], row["material_same_as"] = terms(materials, canonical)
    fill_dimensions(row, record)
    _fill_making(row, record, canonical)
    _fill_acquisition(row, record, canonical)
    _fill_relations(row, record, canonical)
    _fill_images(row, record)
    _fill_colors(row, record)
    row["on_display"] = bool(nodes(record, "crm:P55_has_current_location"))
    row["same_as"] = references(record.get("owl:sameAs"), canonical)
    row["alias_of"] = None
    return row


def _number(numbers: list[Node]) -> str | None:
    inventory = [node for node in numbers if has_type(node, OBJECT_NUMBER)]
    return first_label(inventory or numbers)


def _fill_making(row: Columns, record: Node, canonical: Canonical) -> None:
    made = nodes(record, "crm:P108i_was_produced_by")
    designed = nodes(record, "crm:P94i_was_created_by")
    events = made + designed
    makers = each(made, "crm:P14_carried_out_by")
    row["makers"], row["maker_ids"], _ = terms(makers, canonical)
    designers = each(designed, "crm:P14_carried_out_by")
    row["designers"], row["designer_ids"], _ = terms(designers, canonical)
    used = each(events, "crm:P32_used_general_technique")
    row["techniques"], row["technique_ids"], row["technique_same_as"] = terms(used, canonical)
    places = each(events, "crm:P7_took_place_at")
    row["places"], row["place_ids"], _ = terms(places, canonical)
    spans = each(events, crm.TIME_SPAN)
    row["date_begin"], row["date_end"] = begin, end = crm.years(spans)
    row["date_label"] = label = first_label(spans)
    row["date_edtf"], row["date_certainty"] = edtf(label, begin, end)


def _fill_acquisition(row: Columns, record: Node, canonical: Canonical) -> None:
    events = nodes(record, "crm:P24i_changed_ownership_through")
    types = each(events, "crm:P2_has_type")
    row["acquisition"] = first_label(types)
    row["acquisition_id"] = first_id(types, canonical)
    row["acquired"] = first_label(each(events, crm.TIME_SPAN))


def _fill_relations(row: Columns, record: Node, canonical: Canonical) -> None:
    row["exhibitions"] = links(record, "crm:P12i_was_present_at", canonical)
    row["part_of"] = links(record, "crm:P46i_forms_part_of", canonical)
    row["parts"] = links(record, "crm:P46_has_component", canonical)
    row["members"] = links(record, "crm:P106_is_composed_of", canonical)
    sets = nodes(record, "crm:P106i_forms_part_of")
    row["collections"], row["collection_ids"], _ = terms(sets, canonical)
    about = nodes(record, "crm:P129i_is_subject_of")
    row["iiif_manifest"], documents = crm.manifest_among(about)
    row["media"] = ids(documents)
    activities = nodes(record, "crm:P15i_was_motivation_of")
    row["projects"] = unique(map(_project, activities)) if activities else []


def _project(node: Node) -> str | None:
    page = first_id(nodes(node, "crm:P129i_is_subject_of"))
    return crm.citation(node, page or uri_of(node))


def _fill_images(row: Columns, record: Node) -> None:
    """Fill in the images, main one first; :mod:`mplus_crawler.records.rights` adds licences."""
    views: dict[str, list[Node]] = {}
    for view in nodes(record, "image")[:1] + nodes(record, "crm:P138i_has_representation"):
        if uri := uri_of(view):
            views.setdefault(uri, []).append(view)
    row["image"] = next(iter(views), None)
    row["images"] = list(views)
    row["image_rights"] = [_rights(image, same) for image, same in views.items()]


def _rights(image: str, same: list[Node]) -> dict[str, str | None]:
    """Return the rights in the nodes of one image, as the museum writes them."""
    rights: list[Any] = []
    attribution: str | None = None
    for view in same:
        if RIGHT in view:
            rights += as_list(view[RIGHT])
        if NOTE in view:
            attribution = attribution or text(view[NOTE])
    stated = SEVERAL.join(unique(map(statement, rights))) if rights else None
    return {
        "image": image,
        "licence": None,
        "licence_uri": stated,
        "attribution": attribution,
        "source": "record" if stated else None,
    }


def _fill_colors(row: Columns, record: Node) -> None:
    names: list[str] = []
    codes: list[str] = []
    row["colors"], row["color_codes"] = names, codes
    features = each(nodes(record, "crm:P65_shows_visual_item"), "crm:P56_bears_feature")
    if notes := each(features, NOTE):
        for value in unique(text(note.get("rdf:value")) for note in notes):
            (codes if value.startswith("#") else names).append(value)
