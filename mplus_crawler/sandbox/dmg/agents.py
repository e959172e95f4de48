"""Agents as JSON-LD: the stored record and the Wikipedia texts that the API adds."""

from __future__ import annotations

from random import Random
from urllib.parse import quote

from mplus_crawler.sandbox.dmg.data import AgentRow, Collection
from mplus_crawler.sandbox.dmg.names import agent_type
from mplus_crawler.sandbox.dmg.shapes import (
    SHORT_LANGUAGES,
    STORED,
    appellations,
    generated,
    internal_number,
    one_or_list,
    place,
    span,
    text,
)
from mplus_crawler.sandbox.facts.dmg import BASE, FACTS, URI, WORDS, Json, context, iri

AGENT_TYPES = {
    "individual": "crm:E21_Person",
    "organisation": "crm:E74_Group",
    "unknown": "crm:E39_Actor",
}


def agent_record(rows: Collection, row: AgentRow) -> Json:
    """Return the stored record."""
    dice = rows.random("agent record", row.key)
    me = iri("agent", row.pid)
    label = row.titles.get("NLD", row.pid)
    name = {"@id": f"{me}/appellation/preferred", "@type": "crm:E41_Appellation"}
    record: Json = {
        "@context": context(*STORED, "person"),
        "@id": me,
        "@type": AGENT_TYPES[row.type],
        "owl:sameAs": one_or_list(dice, [f"{URI['stad']}agent/{530_000_000 + row.key}"]),
        "rdfs:label": label,
        **generated(row),
        "crm:P1_is_identified_by": [name | {"rdfs:label": label}, internal_number(me, row.pid)],
    }
    if row.type == "individual":
        record |= _life(me, dice)
    if row.nationality:
        record["person:citizenship"] = _citizenship(row.nationality)
    return record


def add_to_agent(rows: Collection, row: AgentRow, record: Json) -> None:
    """Add texts (in the present shape or that before June 2026), names and relations."""
    dice = rows.random("agent additions", row.key)
    name = row.titles.get("NLD", row.pid)
    old_shape = dice.random() < 0.25
    texts = [_biography(name, language, old_shape) for language in row.bios]
    if texts and old_shape:
        record["crm:P67_refers_to"] = texts
    elif texts:
        note = {"@type": "crm:E33_Linguistic_Object", "rdfs:label": "Nota van de bewaarder."}
        record["crm:P67i_is_referred_to_by"] = [note, *texts] if dice.random() < 0.3 else texts
    if texts:
        names = appellations(dict.fromkeys(row.bios, name))
        record.setdefault("crm:P1_is_identified_by", []).extend(names)
        record["thumbnail"] = f"{URI['wikimedia']}{row.key % 16:x}/{row.key}.jpg/220px.jpg"
    if "@id" in record and dice.random() < 0.1 and rows.sizes.agents > 1:
        record["crm:P107i_is_current_or_former_member_of"] = _relation(rows, row, dice)


def _life(me: str, dice: Random) -> Json:
    sex = {"@id": f"{URI['sex']}{dice.choice(('FEMALE', 'MALE'))}", "@type": "crm:E55_Type"}
    born = dice.randint(1820, 1990)
    birth = {
        "@id": f"{me}/birth",
        "@type": "crm:E67_Birth",
        "crm:P4_has_time-span": span(str(born)),
    }
    if dice.random() < 0.5:
        birth["crm:P7_took_place_at"] = place(dice)
    life: Json = {"crm:P2_has_type": one_or_list(dice, [sex]), "crm:P98i_was_born": birth}
    if born < 1940:
        life["crm:P100i_died_in"] = {
            "@id": f"{me}/death",
            "@type": "crm:E69_Death",
            "crm:P4_has_time-span": span(str(born + dice.randint(30, 85))),
        }
    return life


def _citizenship(nationality: str) -> Json:
    return {
        "@id": f"{URI['country']}{WORDS['nationalities'][nationality]}",
        "@type": "crm:E53_Place",
        "rdfs:label": [{"@value": nationality, "@language": "nl"}],
    }


def _biography(name: str, language: str, old_shape: bool) -> Json:
    wiki = SHORT_LANGUAGES[language]
    page = URI["wikipedia"].format(language=wiki) + quote(name.replace(" ", "_"))
    biography = text(f"{name} ({language}): vormgever.", language)
    if old_shape:
        return biography | {"@id": page, "dcterms:license": {"@id": FACTS["licence"]["text"]}}
    source = {
        "@id": page,
        "@type": "crm:E73_Information_Object",
        "rdfs:label": f"Wikipedia ({wiki})",
    }
    return biography | {"crm:P129i_is_subject_of": source}


def _relation(rows: Collection, row: AgentRow, dice: Random) -> Json:
    other = (row.key + dice.randrange(1, rows.sizes.agents)) % rows.sizes.agents
    kind = dice.choice(("member_of", "spouse_of"))
    return {
        "@id": iri("agent", rows.listings["agents"].pid(other)),
        "@type": AGENT_TYPES[agent_type(other)],
        "crm:P2_has_type": {
            "@id": f"{BASE}id/type/relation/{kind}",
            "@type": "crm:E55_Type",
            "rdfs:label": kind.replace("_", " "),
        },
    }
