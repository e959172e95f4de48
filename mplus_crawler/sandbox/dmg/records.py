"""The museum's JSON-LD of any row: stubs, and full records as bytes, which are cached."""

from __future__ import annotations

from functools import lru_cache, partial

import orjson

from mplus_crawler.sandbox.dmg.agents import AGENT_TYPES, add_to_agent, agent_record
from mplus_crawler.sandbox.dmg.data import ROWS_KEPT, AgentRow, Collection, ObjectRow, Row, some
from mplus_crawler.sandbox.dmg.names import ExhibitionNumbers, concept_number
from mplus_crawler.sandbox.dmg.objects import add_to_object, object_record, object_stub, visual_item
from mplus_crawler.sandbox.dmg.shapes import (
    OBJECT,
    STORED,
    aat,
    appellations,
    film,
    generated,
    in_languages,
    internal_number,
    one_or_list,
    sentence,
    span,
    text,
)
from mplus_crawler.sandbox.facts.dmg import URI, Json, context, iri
from mplus_crawler.sandbox.schema_changes import SchemaChanges


class Records:
    """Writes any row as the museum sends it."""

    def __init__(self, rows: Collection, schema: SchemaChanges) -> None:
        self._rows = rows
        self._schema = schema
        self._written = {
            name: lru_cache(ROWS_KEPT)(partial(self._write, name)) for name in rows.listings
        }

    def stub(self, name: str, key: int, base: str) -> Json:
        """Return a member of a collection without ``fullRecord=true``."""
        kind = self._rows.listings[name].kind
        row = self._rows.row(kind, key)
        if isinstance(row, ObjectRow):
            # Observed on the wire: the private collection doubles a slash in its ids.
            return object_stub(row, f"{base}/" if name == "private_objects" else base)
        if isinstance(row, AgentRow):
            label: str | int = row.titles.get("NLD", row.pid)
            type_ = AGENT_TYPES[row.type]
        else:
            label = row.titles.get("NLD", key + 1)
            type_ = "crm:E7_Activity" if kind == "exhibition" else "crm:E55_Type"
        return {"@id": iri(kind, row.pid, base), "@type": type_, "rdfs:label": label}

    def full(self, name: str, key: int, colours: bool) -> bytes:
        """Return a full record, with or without its colours."""
        return self._written[name](key, colours)

    def _write(self, name: str, key: int, colours: bool) -> bytes:
        listing = self._rows.listings[name]
        row = self._rows.row(listing.kind, key)
        record = {} if key in listing.bare else self._stored(listing.kind, row)
        if isinstance(row, AgentRow):
            add_to_agent(self._rows, row, record)
        elif isinstance(row, ObjectRow):
            if name == "objects":
                add_to_object(self._rows, row, record)
            if colours and row.palette:
                record["crm:P65_shows_visual_item"] = visual_item(self._rows, row)
        elif key in listing.bare:
            record |= _unlinked(listing.kind, row)
        if key in listing.invalid:
            _spoil(record, listing.invalid[key])
        self._schema.apply(name, record)
        return orjson.dumps(record)

    def _stored(self, kind: str, row: Row) -> Json:
        if isinstance(row, ObjectRow):
            return object_record(self._rows, row)
        if isinstance(row, AgentRow):
            return agent_record(self._rows, row)
        write = _exhibition_record if kind == "exhibition" else _concept_record
        return write(self._rows, row)


def _exhibition_record(rows: Collection, row: Row) -> Json:
    dice = rows.random("exhibition record", row.key)
    me = iri("exhibition", row.pid)
    year = ExhibitionNumbers(rows.sizes.exhibitions).year(row.key)
    record: Json = {
        "@context": context(*STORED),
        "@id": me,
        "@type": "crm:E7_Activity",
        "owl:sameAs": f"{URI['stad']}tentoonstelling/{530_003_000 + row.key}",
        "rdfs:label": row.titles.get("NLD", row.key + 1),
        **generated(row),
        "crm:P2_has_type": aat("300054755", "tentoonstelling"),
        "crm:P1_is_identified_by": [internal_number(me, row.pid), *appellations(row.titles)],
        "crm:P4_has_time-span": span(f"{year}-03-01/{year}-06-30"),
        "crm:P16_used_specific_object": [
            {"@id": iri("object", rows.listings["objects"].pid(key)), "@type": OBJECT}
            for key in some(dice, range(rows.listings["objects"].numbered), (0, 0, 1, 3))
        ],
    }
    if dice.random() < 0.3:
        record["crm:P129i_is_subject_of"] = one_or_list(dice, [film(row.pid, dice)])
    if dice.random() < 0.4:
        record["crm:P67i_is_referred_to_by"] = [text(sentence(dice), "NLD")]
    if dice.random() < 0.3:
        record["crm:P65_shows_visual_item"] = _view(f"posters/{row.pid}.jpg", "300027221")
    record["crm:P138i_has_representation"] = [
        _view(f"views/{row.pid}_{number:02d}.jpg", "300210730")
        for number in range(1, dice.choice((1, 1, 1, 2, 5)))
    ]
    return record


def _unlinked(kind: str, row: Row) -> Json:
    """Return a row without linked data; an exhibition also has an ``@id`` and its number."""
    titles = appellations(row.titles)
    if kind != "exhibition":
        return {"crm:P1_is_identified_by": titles}
    me = iri("exhibition", row.pid)
    return {
        "@id": me,
        "crm:P1_is_identified_by": [internal_number(me, row.pid), *titles],
        "crm:P138i_has_representation": [_view(f"views/{row.pid}_01.jpg", "300210730")],
    }


def _view(path: str, kind: str) -> Json:
    return {
        "@id": f"{URI['storage']}{path}",
        "@type": "crm:E36_Visual_Item",
        "crm:P2_has_type": {"@id": f"{URI['aat']}{kind}", "@type": "crm:E55_Type"},
    }


def _concept_record(rows: Collection, row: Row) -> Json:
    dice = rows.random("concept record", row.key)
    same = [f"{URI['stad']}concept/{row.pid}"]
    if dice.random() < 0.5:
        same.append(f"{URI['aat']}{300_000_000 + row.key}")
    record: Json = {
        "@context": context(*STORED, "skos"),
        "@id": iri("concept", row.pid),
        "@type": "crm:E55_Type",
        "owl:sameAs": one_or_list(dice, same),
        "rdfs:label": row.titles.get("NLD", row.key + 1),
        **generated(row),
        "skos:prefLabel": in_languages(row.titles),
    }
    if dice.random() < 0.6:
        record["skos:scopeNote"] = in_languages({"NLD": sentence(dice)})
    if row.key and dice.random() < 0.7:
        number = concept_number(dice.randrange(min(row.key, rows.sizes.concepts)))
        broader = {"@id": f"{URI['stad']}concept/{number}", "owl:sameAs": iri("concept", number)}
        record["skos:broader"] = one_or_list(dice, [broader])
    return record


def _spoil(record: Json, variant: int) -> None:
    """Change the type of one field so that the record fails its schema."""
    match variant % 3:
        case 0:
            record["rdfs:label"] = {"nl": "etiket zonder waarde"}
        case 1:
            record["@type"] = 22
        case _:
            record["prov:generatedAtTime"] = {"@value": "yesterday", "@type": "xsd:dateTime"}
