"""Constituents of an object, and which of them made it."""

from __future__ import annotations

from typing import Any

from mplus_crawler.spiders.mplus.tms.bilingual import Bilingual, identity, text
from mplus_crawler.spiders.mplus.tms.credit import Credit

Person = dict[str, Any]


def constituents_of(record: Bilingual) -> list[Person]:
    """Return every constituent with its names and role; ``is_maker`` is None if unknown."""
    return [
        {
            "id": identity(person.en.get("id")),
            "name_en": text(person.en.get("name")),
            "name_zh": text(person.zh.get("name")),
            **person.texts("role", "role"),
            "is_maker": flag
            if isinstance(flag := person.en.get("isMakerOfObject"), bool)
            else None,
        }
        for person in record.entries("constituents")
    ]


def makers_of(constituents: list[Person], credit: Credit) -> list[Person]:
    """Return those who made the object.

    Roles that the policy excludes do not count. Otherwise the museum's own flag decides, or without
    a flag the role; a constituent with neither is not a maker.
    """
    return [
        person
        for person in constituents
        if not credit.excludes(person["role_en"], person["role_zh"])
        and (person["role_en"] or person["role_zh"] or person["is_maker"])
        and person["is_maker"] is not False
    ]


def maker_columns(makers: list[Person]) -> dict[str, list[str]]:
    """Return the columns of *makers*, parallel by position; missing values are empty strings."""
    return {
        "makers_en": [name(person, "en") or "" for person in makers],
        "makers_zh": [name(person, "zh") or "" for person in makers],
        "maker_ids": [person["id"] or "" for person in makers],
        "maker_roles_en": [person["role_en"] or "" for person in makers],
        "maker_roles_zh": [person["role_zh"] or "" for person in makers],
    }


def name(person: Person, language: str) -> str | None:
    """Return the name in *language*, else in the other."""
    found: str | None = person[f"name_{language}"] or person["name_en"] or person["name_zh"]
    return found


def names_to_print(makers: list[Person]) -> str | None:
    """Return the names in English, each person once; None where a maker's name is unknown."""
    found = {person["id"]: name(person, "en") for person in makers}
    known = [one for one in found.values() if one]
    return " and ".join(known) if len(known) == len(found) else None
