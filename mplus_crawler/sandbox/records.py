"""The museum's JSON-LD: stubs and full records of every kind, made from the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from random import Random
from typing import Any
from urllib.parse import quote

import orjson

from mplus_crawler.sandbox.data import (
    ROWS_KEPT,
    AgentRow,
    Collection,
    ObjectRow,
    Row,
    agent_name,
    agent_type,
    concept_key,
    concept_number,
    exhibition_titles,
    some,
)
from mplus_crawler.sandbox.facts import FACTS, WORDS, Json, context

BASE: str = FACTS["base_url"]
URI: dict[str, str] = FACTS["uri"]

_OBJECT = "crm:E22_Human-Made_Object"
_STORED = ("owl", "crm", "rdfs", "xsd", "prov")
_AGENT_TYPES = {
    "individual": "crm:E21_Person",
    "organisation": "crm:E74_Group",
    "unknown": "crm:E39_Actor",
}
_WIKIPEDIAS = {"NLD": "nl", "FRA": "fr", "ENG": "en"}


class Records:
    """Writes any row as the museum sends it: bytes for full records, since those are sent often."""

    def __init__(self, collection: Collection) -> None:
        self._rows = collection
        self.full = lru_cache(ROWS_KEPT)(self._full)

    def stub(self, name: str, key: int, base: str) -> Json:
        """A member of a collection asked without ``fullRecord=true``."""
        kind = self._rows.shelves[name].kind
        row = self._rows.row(kind, key)
        if isinstance(row, ObjectRow):
            return _object_stub(row, f"{base}/" if name == "private_objects" else base)
        label = row.titles.get("NLD") or (row.pid if isinstance(row, AgentRow) else key + 1)
        return {"@id": f"{base}id/{kind}/{row.pid}", "@type": _type(row, kind), "rdfs:label": label}

    def _full(self, name: str, key: int, colours: bool) -> bytes:
        shelf = self._rows.shelves[name]
        row = self._rows.row(shelf.kind, key)
        record = {} if key in shelf.bare else self._stored(shelf.kind, row)
        if isinstance(row, ObjectRow) and name == "objects":
            self._add_to_object(record, row)
        elif isinstance(row, AgentRow):
            self._add_to_agent(record, row)
        if colours and isinstance(row, ObjectRow) and row.palette:
            record["crm:P65_shows_visual_item"] = _visual_item(row)
        if key in shelf.invalid:
            _spoil(record, shelf.invalid[key])
        return orjson.dumps(record)

    def _stored(self, kind: str, row: Row) -> Json:
        dice = self._rows.random(f"{kind} record", row.key)
        if isinstance(row, ObjectRow):
            return self._object(row, dice)
        if isinstance(row, AgentRow):
            return self._agent(row, dice)
        return self._exhibition(row, dice) if kind == "exhibition" else self._concept(row, dice)

    def _object(self, row: ObjectRow, dice: Random) -> Json:
        iri = f"{BASE}id/object/{row.pid}"
        record: Json = {
            "@context": context(*_STORED),
            "@id": iri,
            "@type": _OBJECT,
            "owl:sameAs": [f"{URI['stad']}mensgemaaktobject/dmg/{530_000_000 + row.key}"],
            "rdfs:label": _object_label(row, dice),
            **_generated(row),
            "crm:P1_is_identified_by": [_object_number(iri, row.pid), *_appellations(row.titles)],
            "crm:P2_has_type": one_or_list(dice, [_term("E55_Type", t) for t in row.types]),
            "crm:P45_consists_of": one_or_list(
                dice, [_term("E57_Material", m) for m in row.materials]
            ),
            "crm:P43_has_dimension": one_or_list(dice, _dimensions(iri, dice)),
            "crm:P108i_was_produced_by": one_or_list(dice, [self._production(iri, row, dice)]),
        }
        if row.makers and row.years:
            record["crm:P94i_was_created_by"] = one_or_list(dice, [self._creation(iri, row)])
        record["crm:P24i_changed_ownership_through"] = one_or_list(dice, [_acquisition(iri, dice)])
        if row.manifest:
            record["crm:P129i_is_subject_of"] = _manifest(row.pid)
        record |= _parts(iri, row)
        return record

    def _production(self, iri: str, row: ObjectRow, dice: Random) -> Json:
        event: Json = {"@id": f"{iri}/production/1", "@type": "crm:E12_Production"}
        if row.makers:
            makers = [self._maker(key) for key in row.makers]
            event["crm:P14_carried_out_by"] = one_or_list(dice, makers)
        event["crm:P7_took_place_at"] = _place(dice)
        techniques = some(dice, WORDS["techniques"], (0, 1, 2, 3))
        event["crm:P32_used_general_technique"] = [_term("E55_Type", t) for t in techniques]
        if row.years:
            event["crm:P4_has_time-span"] = _time_span(*row.years)
        return event

    def _creation(self, iri: str, row: ObjectRow) -> Json:
        begin = row.years[0] if row.years else 0
        return {
            "@id": f"{iri}/creation/1",
            "@type": "crm:E65_Creation",
            "crm:P14_carried_out_by": self._maker(row.makers[0]),
            "crm:P4_has_time-span": _time_span(begin, begin),
        }

    def _maker(self, key: int) -> Json:
        return {
            "@id": f"{BASE}id/agent/{self._rows.shelves['agents'].pid(key)}",
            "@type": "crm:E39_Actor",
            "rdfs:label": agent_name(key),
        }

    def _add_to_object(self, record: Json, row: ObjectRow) -> None:
        dice = self._rows.random("object additions", row.key)
        if not record:
            record["crm:P1_is_identified_by"] = _appellations(row.titles)
        shows = some(dice, range(self._rows.sizes.exhibitions), (0, 0, 1, 2))
        if shows and "@id" in record:
            record["crm:P12i_was_present_at"] = [self._exhibition_link(key) for key in shows]
        record["crm:P67i_is_referred_to_by"] = _descriptions(row, dice)
        if row.on_display and "@id" in record:
            room = dice.choice(WORDS["rooms"])
            record["crm:P55_has_current_location"] = {"@type": "crm:E53_Place", "rdfs:label": room}
        if row.manifest and "@id" in record and dice.random() < 0.05:
            record["crm:P129i_is_subject_of"] = [_manifest(row.pid), _film(row.pid, dice)]
        if row.images:
            pictures = [_image(row, number) for number in range(row.images)]
            record |= {"crm:P138i_has_representation": pictures, "image": pictures[0]}

    def _exhibition_link(self, key: int) -> Json:
        return {
            "@id": f"{BASE}id/exhibition/{self._rows.shelves['exhibitions'].pid(key)}",
            "@type": "crm:E7_Activity",
            "rdfs:label": exhibition_titles(key)["NLD"],
        }

    def _agent(self, row: AgentRow, dice: Random) -> Json:
        iri = f"{BASE}id/agent/{row.pid}"
        label = row.titles.get("NLD", row.pid)
        names = [{"@id": f"{iri}/appellation/preferred", "@type": "crm:E41_Appellation"}]
        names[0]["rdfs:label"] = label
        record: Json = {
            "@context": context(*_STORED, "person"),
            "@id": iri,
            "@type": _AGENT_TYPES[row.type],
            "owl:sameAs": one_or_list(dice, [f"{URI['stad']}agent/{530_000_000 + row.key}"]),
            "rdfs:label": label,
            **_generated(row),
            "crm:P1_is_identified_by": [*names, _internal_number(iri, row.pid)],
        }
        if row.type == "individual":
            sex = dice.choice(("FEMALE", "MALE"))
            record["crm:P2_has_type"] = one_or_list(
                dice, [{"@id": f"{URI['sex']}{sex}", "@type": "crm:E55_Type"}]
            )
            record |= _lifetime(iri, dice)
        if row.nationality:
            record["person:citizenship"] = _citizenship(row.nationality)
        return record

    def _add_to_agent(self, record: Json, row: AgentRow) -> None:
        dice = self._rows.random("agent additions", row.key)
        name = row.titles.get("NLD", row.pid)
        old_shape = dice.random() < 0.25
        texts = [_biography(name, language, old_shape) for language in row.bios]
        if texts and old_shape:
            record["crm:P67_refers_to"] = texts
        elif texts:
            note = {"@type": "crm:E33_Linguistic_Object", "rdfs:label": "Nota van de bewaarder."}
            record["crm:P67i_is_referred_to_by"] = [note, *texts] if row.has_bio else texts
        if row.bios:
            names = {language: name for language in row.bios}
            record.setdefault("crm:P1_is_identified_by", []).extend(_appellations(names))
            record["thumbnail"] = f"{URI['wikimedia']}{row.key % 16:x}/{row.key}.jpg/220px.jpg"
        if "@id" in record and dice.random() < 0.1 and self._rows.sizes.agents > 1:
            record["crm:P107i_is_current_or_former_member_of"] = self._relation(row, dice)

    def _relation(self, row: AgentRow, dice: Random) -> Json:
        other = (row.key + dice.randrange(1, self._rows.sizes.agents)) % self._rows.sizes.agents
        kind = dice.choice(("member_of", "spouse_of"))
        return {
            "@id": f"{BASE}id/agent/{self._rows.shelves['agents'].pid(other)}",
            "@type": _AGENT_TYPES[agent_type(other)],
            "crm:P2_has_type": {
                "@id": f"{BASE}id/type/relation/{kind}",
                "@type": "crm:E55_Type",
                "rdfs:label": kind.replace("_", " "),
            },
        }

    def _exhibition(self, row: Row, dice: Random) -> Json:
        iri = f"{BASE}id/exhibition/{row.pid}"
        year = 1930 + row.key % 95
        label: str | int = row.titles.get("NLD", row.key + 1)
        used = some(dice, self._rows.shelves["objects"].keys, (0, 0, 1, 3))
        record: Json = {
            "@context": context(*_STORED),
            "@id": iri,
            "@type": "crm:E7_Activity",
            "owl:sameAs": f"{URI['stad']}tentoonstelling/{530_003_000 + row.key}",
            "rdfs:label": label,
            **_generated(row),
            "crm:P2_has_type": _aat("300054755", "tentoonstelling"),
            "crm:P1_is_identified_by": [
                _internal_number(iri, row.pid),
                *_appellations(row.titles),
            ],
            "crm:P4_has_time-span": {
                "@type": "crm:E52_Time-Span",
                "rdfs:label": f"{year}-03-01/{year}-06-30",
            },
            "crm:P16_used_specific_object": [self._used(key) for key in used],
        }
        if dice.random() < 0.3:
            record["crm:P129i_is_subject_of"] = one_or_list(dice, [_film(row.pid, dice)])
        if dice.random() < 0.4:
            record["crm:P67i_is_referred_to_by"] = [_text(dice.choice(WORDS["sentences"]), "NLD")]
        if dice.random() < 0.3:
            record["crm:P65_shows_visual_item"] = _view(f"posters/{row.pid}.jpg", "300027221")
        record["crm:P138i_has_representation"] = [
            _view(f"views/{row.pid}_{number:02d}.jpg", "300210730")
            for number in range(1, dice.choice((1, 1, 1, 2, 5)))
        ]
        return record

    def _used(self, key: int) -> Json:
        pid = self._rows.shelves["objects"].pid(key)
        return {"@id": f"{BASE}id/object/{pid}", "@type": _OBJECT}

    def _concept(self, row: Row, dice: Random) -> Json:
        label: str | int = row.titles.get("NLD", row.key + 1)
        same = [f"{URI['stad']}concept/{row.pid}"]
        if dice.random() < 0.5:
            same.append(f"{URI['aat']}{300_000_000 + row.key}")
        record: Json = {
            "@context": context(*_STORED, "skos"),
            "@id": f"{BASE}id/concept/{row.pid}",
            "@type": "crm:E55_Type",
            "owl:sameAs": one_or_list(dice, same),
            "rdfs:label": label,
            **_generated(row),
            "skos:prefLabel": _in_languages(row.titles),
        }
        if dice.random() < 0.6:
            record["skos:scopeNote"] = _in_languages({"NLD": dice.choice(WORDS["sentences"])})
        if row.key and dice.random() < 0.7:
            record["skos:broader"] = one_or_list(dice, [_broader(dice.randrange(row.key))])
        return record


def one_or_list(dice: Random, values: Sequence[Any]) -> Any:
    """Several values as a list, one value mostly bare: no property of the museum's is stable."""
    return values[0] if len(values) == 1 and dice.random() < 0.6 else list(values)


def dominant_member(row: ObjectRow, share: float, base: str) -> Json:
    """A member of ``id/colors/dominant``: the only place where images carry their rights."""
    member: Json = {
        "@id": f"{base}/id/object/{row.pid}",
        "@type": _OBJECT,
        "rdfs:label": row.titles.get("NLD"),
        "dominance_pct": share,
    }
    images = [_image(row, number) | _rights(row.key + number) for number in range(row.images)]
    return member | {
        "crm:P138i_has_representation": images,
        "image": images[0],
        "crm:P129i_is_subject_of": _manifest(row.pid),
    }


def _object_stub(row: ObjectRow, base: str) -> Json:
    label = row.titles.get("NLD") or row.pid
    stub = {"@id": f"{base}id/object/{row.pid}", "@type": _OBJECT, "rdfs:label": label}
    return stub | {"crm:P129i_is_subject_of": _manifest(row.pid)} if row.manifest else stub


def _type(row: Row, kind: str) -> str:
    if isinstance(row, AgentRow):
        return _AGENT_TYPES[row.type]
    return "crm:E7_Activity" if kind == "exhibition" else "crm:E55_Type"


def _spoil(record: Json, variant: int) -> None:
    """Retype one field so that no sane schema takes the record."""
    match variant % 3:
        case 0:
            record["rdfs:label"] = {"nl": "etiket zonder waarde"}
        case 1:
            record["@type"] = 22
        case _:
            record["prov:generatedAtTime"] = {"@value": "yesterday", "@type": "xsd:dateTime"}


def _generated(row: Row) -> Json:
    if row.modified is None:
        return {}
    stamp = row.modified.strftime("%Y-%m-%dT%H:%M:%S")
    return {"prov:generatedAtTime": {"@value": stamp, "@type": "xsd:dateTime"}}


def _object_label(row: ObjectRow, dice: Random) -> Any:
    label = row.titles.get("NLD", row.pid)
    die = dice.random()
    if die < 0.006:
        return None
    if die < 0.012:
        return 1900 + row.key % 120
    if die < 0.04:
        return [{"@value": label, "@language": "nl"}]
    return label


def _aat(number: str, label: str) -> Json:
    return {"@id": f"{URI['aat']}{number}", "@type": "crm:E55_Type", "rdfs:label": label}


def _language(code: str) -> Json:
    return {"@id": f"{URI['language']}{code}"}


def _in_languages(texts: dict[str, str] | Any) -> list[Json]:
    return [{"@value": text, "@language": _WIKIPEDIAS[code]} for code, text in texts.items()]


def _object_number(iri: str, pid: str) -> Json:
    return {
        "@id": f"{iri}/identifier/objectnummer",
        "@type": "crm:E42_Identifier",
        "rdfs:label": pid,
        "crm:P2_has_type": _aat("300312355", "objectnummer"),
    }


def _internal_number(iri: str, pid: str) -> Json:
    return {
        "@id": f"{iri}/identifier/intern",
        "@type": "crm:E42_Identifier",
        "rdfs:label": pid,
        "crm:P2_has_type": {
            "@id": f"{BASE}id/type/intern-referentienummer",
            "@type": "crm:E55_Type",
            "rdfs:label": "Intern referentienummer",
        },
    }


def _appellations(titles: Any) -> list[Json]:
    return [
        {
            "@type": "crm:E41_Appellation",
            "rdfs:label": title,
            "crm:P72_has_language": _language(code),
        }
        for code, title in titles.items()
    ]


def _term(kind: str, label: str) -> Json:
    key = concept_key(label)
    term = {
        "@id": f"{BASE}id/concept/{concept_number(key)}",
        "@type": f"crm:{kind}",
        "rdfs:label": label,
    }
    return term | {"owl:sameAs": f"{URI['aat']}{300_010_000 + key}"} if key % 2 else term


def _broader(key: int) -> Json:
    number = concept_number(key)
    return {
        "@id": f"{URI['stad']}concept/{number}",
        "owl:sameAs": f"{BASE}id/concept/{number}",
    }


def _dimensions(iri: str, dice: Random) -> list[Json]:
    measures = (("300055644", "hoogte"), ("300055645", "breedte"), ("300072633", "diepte"))
    return [
        _dimension(f"{iri}/dimension/{number}", measure, dice)
        for number, measure in enumerate(measures[: dice.choice((0, 1, 2, 3, 3))], start=1)
    ]


def _dimension(iri: str, measure: tuple[str, str], dice: Random) -> Json:
    value = dice.randint(5, 2500) / 10
    return {
        "@id": iri,
        "@type": "crm:E54_Dimension",
        "crm:P2_has_type": _aat(*measure),
        "crm:P90_has_value": str(value) if dice.random() < 0.2 else value,
        "crm:P91_has_unit": {"@id": f"{URI['aat']}300379098", "rdfs:label": "cm"},
    }


def _place(dice: Random) -> Json:
    number = dice.randrange(len(WORDS["places"]))
    return {
        "@id": f"{URI['tgn']}{7_008_000 + number}",
        "@type": "crm:E53_Place",
        "rdfs:label": WORDS["places"][number],
    }


def _time_span(begin: int, end: int) -> Json:
    return {
        "@type": "crm:E52_Time-Span",
        "rdfs:label": f"{begin}/{end}" if end > begin else str(begin),
        "crm:P82a_begin_of_the_begin": {"@type": "xsd:gYear", "@value": str(begin)},
        "crm:P82b_end_of_the_end": {"@type": "xsd:gYear", "@value": str(end)},
    }


def _acquisition(iri: str, dice: Random) -> Json:
    return {
        "@id": f"{iri}/acquisition",
        "@type": "crm:E8_Acquisition",
        "crm:P2_has_type": {
            "@type": "crm:E55_Type",
            "rdfs:label": dice.choice(WORDS["acquisitions"]),
        },
        "crm:P4_has_time-span": {
            "@type": "crm:E52_Time-Span",
            "rdfs:label": str(dice.randint(1903, 2025)),
        },
    }


def _manifest(pid: str) -> Json:
    return {"@id": f"{URI['manifest']}{pid}", "@type": "crm:E73_Information_Object"}


def _film(pid: str, dice: Random) -> Json:
    year = dice.randint(2005, 2025)
    return {
        "@id": f"{URI['film']}{dice.randint(1_000_000, 9_999_999)}",
        "@type": "crm:E73_Information_Object",
        "crm:P2_has_type": _aat("300263419", "video"),
        "crm:P102_has_title": {"@type": "crm:E35_Title", "rdfs:label": f"Film over {pid}"},
        "crm:P4_has_time-span": _time_span(year, year),
    }


def _parts(iri: str, row: ObjectRow) -> Json:
    found: Json = {}
    if row.parts:
        found["crm:P46_has_component"] = [
            {"@id": f"{iri}/part/{number}", "@type": _OBJECT, "rdfs:label": f"onderdeel {number}"}
            for number in range(1, row.parts + 1)
        ]
    if row.part_of:
        whole = {"@id": f"{BASE}id/object/{row.part_of}", "@type": _OBJECT}
        found["crm:P46i_forms_part_of"] = whole
    return found


def _descriptions(row: ObjectRow, dice: Random) -> list[Json]:
    dutch = " ".join(some(dice, WORDS["sentences"], (1, 2, 4, 5)))
    texts = [_text(f"{row.pid}. {dutch}", "NLD")]
    if dice.random() < 0.2:
        texts.append(_text(f"Description de {row.pid}.", "FRA"))
    return texts


def _text(text: str, language: str) -> Json:
    return {
        "@type": "crm:E33_Linguistic_Object",
        "rdfs:label": text,
        "crm:P2_has_type": _aat("300080091", "description"),
        "crm:P72_has_language": _language(language),
    }


def _biography(name: str, language: str, old_shape: bool) -> Json:
    """A Wikipedia text, either as now or as it was until June 2026, when it named its licence."""
    wiki = _WIKIPEDIAS[language]
    page = URI["wikipedia"].format(language=wiki) + quote(name.replace(" ", "_"))
    text = _text(f"{name} ({language}): vormgever.", language)
    if old_shape:
        return text | {"@id": page, "dcterms:license": {"@id": FACTS["licence"]["text"]}}
    source = {
        "@id": page,
        "@type": "crm:E73_Information_Object",
        "rdfs:label": f"Wikipedia ({wiki})",
    }
    return text | {"crm:P129i_is_subject_of": source}


def _lifetime(iri: str, dice: Random) -> Json:
    born = dice.randint(1820, 1990)
    span = {"@type": "crm:E52_Time-Span", "rdfs:label": str(born)}
    life: Json = {
        "crm:P98i_was_born": {
            "@id": f"{iri}/birth",
            "@type": "crm:E67_Birth",
            "crm:P4_has_time-span": span,
        }
    }
    if dice.random() < 0.5:
        life["crm:P98i_was_born"]["crm:P7_took_place_at"] = _place(dice)
    if born < 1940:
        died = {"@type": "crm:E52_Time-Span", "rdfs:label": str(born + dice.randint(30, 85))}
        life["crm:P100i_died_in"] = {
            "@id": f"{iri}/death",
            "@type": "crm:E69_Death",
            "crm:P4_has_time-span": died,
        }
    return life


def _citizenship(nationality: str) -> Json:
    return {
        "@id": f"{URI['country']}{WORDS['nationalities'][nationality]}",
        "@type": "crm:E53_Place",
        "rdfs:label": [{"@value": nationality, "@language": "nl"}],
    }


def _view(path: str, kind: str) -> Json:
    return {
        "@id": f"{URI['storage']}{path}",
        "@type": "crm:E36_Visual_Item",
        "crm:P2_has_type": {"@id": f"{URI['aat']}{kind}", "@type": "crm:E55_Type"},
    }


def _image(row: ObjectRow, number: int) -> Json:
    host = URI["old_image"] if row.key % 4 == 0 else URI["image"]
    address = f"{host}{row.pid.encode().hex()}{number}.jpg/full"
    return {
        "@id": f"{address}/full/0/default.jpg",
        "@type": "crm:E38_Image",
        "thumbnail": f"{address}/400,/0/default.jpg",
    }


def _rights(number: int) -> Json:
    licences = FACTS["licence"]["images"]
    return {
        "crm:P3_has_note": "Fotograaf van het huis — Design Museum Gent",
        "crm:P104_is_subject_to": {
            "@id": licences[number % len(licences)],
            "@type": "crm:E30_Right",
        },
    }


def _visual_item(row: ObjectRow) -> Json:
    iri = f"{BASE}id/object/{row.pid}/visual/image/1"
    base_shares: dict[str, float] = {}
    for name, share in row.palette:
        base = WORDS["palette"][name][0]
        base_shares[base] = round(base_shares.get(base, 0) + share, 2)
    hexes = [_shade(WORDS["palette"][name][1], share, name) for name, share in row.palette]
    bases = [_shade(base, share) for base, share in base_shares.items()]
    return {
        "@id": iri,
        "@type": "crm:E36_Visual_Item",
        "crm:P2_has_type": _aat("300264863", "digital image"),
        "crm:P138i_has_representation": {"@id": _image(row, 0)["@id"], "@type": "crm:E38_Image"},
        "crm:P56_bears_feature": [
            _feature(f"{iri}/colors/hex", hexes),
            _feature(f"{iri}/colors/base", bases),
        ],
    }


def _feature(iri: str, shades: Iterable[Json]) -> Json:
    return {
        "@id": iri,
        "@type": "crm:E26_Physical_Feature",
        "crm:P2_has_type": _aat("300056130", "color"),
        "crm:P3_has_note": list(shades),
    }


def _shade(value: str, share: float, label: str | None = None) -> Json:
    shade: Json = {"@type": "crm:E62_String", "rdf:value": value}
    if label:
        shade["rdfs:label"] = label
    shade["crm:P43_has_dimension"] = {
        "@type": "crm:E54_Dimension",
        "crm:P2_has_type": _aat("300417476", "percentage"),
        "crm:P90_has_value": {"@value": share, "@type": "xsd:decimal"},
        "crm:P91_has_unit": {"@id": f"{URI['aat']}300417476", "rdfs:label": "%"},
    }
    return shade
