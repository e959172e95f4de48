"""The pieces of JSON-LD that the museum's records share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from mplus_crawler.sandbox.dmg.data import Row
from mplus_crawler.sandbox.dmg.names import concept_key, concept_number
from mplus_crawler.sandbox.facts.dmg import BASE, URI, WORDS, Json, iri

OBJECT = "crm:E22_Human-Made_Object"
STORED = ("owl", "crm", "rdfs", "xsd", "prov")
SHORT_LANGUAGES = {"NLD": "nl", "FRA": "fr", "ENG": "en"}


def one_or_list(dice: Random, values: Sequence[Any]) -> Any:
    """Return several values as a list, one value mostly plain, as the museum does."""
    return values[0] if len(values) == 1 and dice.random() < 0.6 else list(values)


def generated(row: Row) -> Json:
    """Return when the stored record was generated, without a time zone."""
    if row.modified is None:
        return {}
    stamp = row.modified.replace(tzinfo=None).isoformat()
    return {"prov:generatedAtTime": {"@value": stamp, "@type": "xsd:dateTime"}}


def aat(number: str, label: str) -> Json:
    """A type from the Art & Architecture Thesaurus."""
    return {"@id": f"{URI['aat']}{number}", "@type": "crm:E55_Type", "rdfs:label": label}


def term(kind: str, label: str) -> Json:
    """A type or material from the museum's own thesaurus."""
    key = concept_key(label)
    node = {
        "@id": iri("concept", concept_number(key)),
        "@type": f"crm:{kind}",
        "rdfs:label": label,
    }
    return node | {"owl:sameAs": f"{URI['aat']}{300_010_000 + key}"} if key % 2 else node


def text(words: str, language: str) -> Json:
    """A description in one language."""
    return {
        "@type": "crm:E33_Linguistic_Object",
        "rdfs:label": words,
        "crm:P2_has_type": aat("300080091", "description"),
        "crm:P72_has_language": {"@id": f"{URI['language']}{language}"},
    }


def sentence(dice: Random) -> str:
    """A sentence for a description."""
    found: str = dice.choice(WORDS["sentences"])
    return found


def appellations(titles: Mapping[str, str]) -> list[Json]:
    """Titles or names by language."""
    return [
        {
            "@type": "crm:E41_Appellation",
            "rdfs:label": title,
            "crm:P72_has_language": {"@id": f"{URI['language']}{language}"},
        }
        for language, title in titles.items()
    ]


def in_languages(texts: Mapping[str, str]) -> list[Json]:
    """Literals with language tags."""
    return [{"@value": words, "@language": SHORT_LANGUAGES[code]} for code, words in texts.items()]


def internal_number(record: str, pid: str) -> Json:
    """The identifier of an agent or exhibition."""
    return {
        "@id": f"{record}/identifier/intern",
        "@type": "crm:E42_Identifier",
        "rdfs:label": pid,
        "crm:P2_has_type": {
            "@id": f"{BASE}id/type/intern-referentienummer",
            "@type": "crm:E55_Type",
            "rdfs:label": "Intern referentienummer",
        },
    }


def place(dice: Random) -> Json:
    """A place from the Thesaurus of Geographic Names."""
    number = dice.randrange(len(WORDS["places"]))
    return {
        "@id": f"{URI['tgn']}{7_008_000 + number}",
        "@type": "crm:E53_Place",
        "rdfs:label": WORDS["places"][number],
    }


def years(begin: int, end: int) -> Json:
    """A time-span in years, with its bounds."""
    return {
        **span(f"{begin}/{end}" if end > begin else str(begin)),
        "crm:P82a_begin_of_the_begin": {"@type": "xsd:gYear", "@value": str(begin)},
        "crm:P82b_end_of_the_end": {"@type": "xsd:gYear", "@value": str(end)},
    }


def span(label: str) -> Json:
    """A time-span that is only a label."""
    return {"@type": "crm:E52_Time-Span", "rdfs:label": label}


def manifest(pid: str) -> Json:
    """The IIIF manifest of a record."""
    return {"@id": f"{URI['manifest']}{pid}", "@type": "crm:E73_Information_Object"}


def film(pid: str, dice: Random) -> Json:
    """A film about a record."""
    year = dice.randint(2005, 2025)
    return {
        "@id": f"{URI['film']}{dice.randint(1_000_000, 9_999_999)}",
        "@type": "crm:E73_Information_Object",
        "crm:P2_has_type": aat("300263419", "video"),
        "crm:P102_has_title": {"@type": "crm:E35_Title", "rdfs:label": f"Film over {pid}"},
        "crm:P4_has_time-span": years(year, year),
    }
