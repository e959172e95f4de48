"""Columns of museum objects (CIDOC-CRM E22 Human-Made Object)."""

from __future__ import annotations

from typing import Any

from mplus_crawler.records.batch import SEVERAL
from mplus_crawler.spiders.dmg.cidoc import crm
from mplus_crawler.spiders.dmg.cidoc.dates import edtf_columns
from mplus_crawler.spiders.dmg.cidoc.dimensions import DIMENSIONS
from mplus_crawler.spiders.dmg.cidoc.ids import pid
from mplus_crawler.spiders.dmg.cidoc.jsonld import (
    Canonical,
    Node,
    as_list,
    each,
    first,
    first_label,
    has_type,
    ids,
    nodes,
    references,
    statement,
    text,
    unique,
    uri_of,
)
from mplus_crawler.spiders.dmg.cidoc.plan import Columns, Plan, Property, links, names, terms
from mplus_crawler.spiders.dmg.cidoc.terms import name_columns, term_columns

# Getty AAT 300312355, "accession numbers": the type of an object's inventory number.
OBJECT_NUMBER = "http://vocab.getty.edu/aat/300312355"
# What an image is subject to: a crm:E30_Right.
RIGHT = "crm:P104_is_subject_to"
NOTE = "crm:P3_has_note"
_TECHNIQUES = ("techniques", "technique_ids", "technique_same_as")


def object_columns(
    record: Node, canonical: Canonical, known_id: str | None = None
) -> dict[str, Any]:
    """Return the columns of ``schemas/object.schema.json``, except those of every record."""
    named, numbered = crm.identifiers(record)
    titles = crm.titles(named)
    columns = crm.identity(record, canonical, known_id, titles.values())
    columns["object_number"] = _number(numbered) or (columns["id"] and pid(columns["id"]))
    columns.update(crm.in_languages("title", titles))
    columns.update(_PLAN.columns(record, canonical))
    columns.update(_making(record, canonical))
    columns.update(_images(record))
    columns["on_display"] = bool(nodes(record, "crm:P55_has_current_location"))
    columns["same_as"] = references(record.get("owl:sameAs"), canonical)
    columns["alias_of"] = None
    return columns


def _number(numbers: list[Node]) -> str | None:
    inventory = [node for node in numbers if has_type(node, OBJECT_NUMBER)]
    return first_label(inventory or numbers)


def _making(record: Node, canonical: Canonical) -> Columns:
    made = nodes(record, "crm:P108i_was_produced_by")
    designed = nodes(record, "crm:P94i_was_created_by")
    makers = each(made, "crm:P14_carried_out_by")
    designers = each(designed, "crm:P14_carried_out_by")
    events = made + designed
    spans = each(events, crm.TIME_SPAN)
    begin, end = crm.years(spans)
    label = first_label(spans)
    return {
        **name_columns("makers", "maker_ids", makers, canonical),
        **name_columns("designers", "designer_ids", designers, canonical),
        **term_columns(*_TECHNIQUES, each(events, "crm:P32_used_general_technique"), canonical),
        **name_columns("places", "place_ids", each(events, "crm:P7_took_place_at"), canonical),
        "date_begin": begin,
        "date_end": end,
        "date_label": label,
        **edtf_columns(label, begin, end),
    }


def _acquisition(events: list[Node], canonical: Canonical) -> Columns:
    types = each(events, "crm:P2_has_type")
    return {
        "acquisition": first_label(types),
        "acquisition_id": first(ids(types, canonical)),
        "acquired": first_label(each(events, crm.TIME_SPAN)),
    }


def _images(record: Node) -> Columns:
    """Return the images, main one first; :mod:`mplus_crawler.records.rights` adds licences."""
    views: dict[str, list[Node]] = {}
    for view in nodes(record, "image")[:1] + nodes(record, "crm:P138i_has_representation"):
        if uri := uri_of(view):
            views.setdefault(uri, []).append(view)
    return {
        "image": next(iter(views), None),
        "images": list(views),
        "image_rights": [_rights(image, same) for image, same in views.items()],
    }


def _rights(image: str, same: list[Node]) -> dict[str, str | None]:
    """Return the rights in the nodes of one image, as the museum writes them."""
    rights = [right for view in same if RIGHT in view for right in as_list(view[RIGHT])]
    stated = unique(map(statement, rights)) if rights else None
    return {
        "image": image,
        "licence": None,
        "licence_uri": SEVERAL.join(stated) if stated else None,
        "attribution": first([text(view[NOTE]) for view in same if NOTE in view]),
        "source": "record" if stated else None,
    }


def _documents(about: list[Node], _: Canonical) -> Columns:
    manifest, others = crm.manifest_among(about)
    return {"iiif_manifest": manifest, "media": ids(others)}


def _projects(activities: list[Node], _: Canonical) -> Columns:
    return {"projects": unique(map(_project, activities))}


def _project(node: Node) -> str | None:
    page = first(ids(nodes(node, "crm:P129i_is_subject_of")))
    return crm.citation(node, page or uri_of(node))


def _colors(pictures: list[Node], _: Canonical) -> Columns:
    notes = each(each(pictures, "crm:P56_bears_feature"), "crm:P3_has_note")
    values = unique(text(note.get("rdf:value")) for note in notes)
    return {
        "colors": [value for value in values if not value.startswith("#")],
        "color_codes": [value for value in values if value.startswith("#")],
    }


# Columns that are read from one property each.
_PLAN = Plan(
    crm.DESCRIPTIONS,
    terms("type", "crm:P2_has_type"),
    terms("material", "crm:P45_consists_of"),
    DIMENSIONS,
    Property(
        "crm:P24i_changed_ownership_through",
        _acquisition,
        scalars=("acquisition", "acquisition_id", "acquired"),
    ),
    links("exhibitions", "crm:P12i_was_present_at"),
    links("part_of", "crm:P46i_forms_part_of"),
    links("parts", "crm:P46_has_component"),
    links("members", "crm:P106_is_composed_of"),
    names("collections", "collection_ids", "crm:P106i_forms_part_of"),
    Property("crm:P129i_is_subject_of", _documents, lists=("media",), scalars=("iiif_manifest",)),
    Property("crm:P15i_was_motivation_of", _projects, lists=("projects",)),
    Property("crm:P65_shows_visual_item", _colors, lists=("colors", "color_codes")),
)
