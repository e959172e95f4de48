"""Columns of objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mplus_crawler.spiders.mplus.tms.bilingual import (
    Bilingual,
    at,
    identity,
    nodes,
    text,
    texts,
    whole,
)
from mplus_crawler.spiders.mplus.tms.credit import Credit


def object_columns(record: Bilingual, credit: Credit) -> dict[str, Any]:
    """The columns that ``schemas/mplus_object.schema.json`` describes, the envelope's apart."""
    face = record.en
    titles = {
        "title_en": text(face.get("title")),
        "title_zh": text(record.zh.get("title")),
    }
    dates = record.texts("display_date", "displayDate")
    constituents = _constituents(record)
    makers = [person for person in constituents if person["is_maker"]] or constituents
    number = text(face.get("objectNumber"))
    id_ = identity(face.get("id"))
    title = titles["title_en"] or titles["title_zh"]
    return {
        "id": id_,
        "url": credit.page("object", text(face.get("slug"))),
        "label": title or number or id_,
        "attribution": credit.line(
            " and ".join(names(makers, "en")),
            title,
            dates["display_date_en"] or dates["display_date_zh"],
            number,
        ),
        "object_number": number,
        "sort_number": text(face.get("sortNumber")),
        "slug": text(face.get("slug")),
        **titles,
        **dates,
        "date_begin": whole(face.get("beginDate")),
        "date_end": whole(face.get("endDate")),
        **record.texts("medium", "medium"),
        **record.texts("dimensions", "dimension"),
        "dimension_details": [dict(node) for node in nodes(face.get("dimensionDetails"))],
        **record.texts("credit_line", "creditLine"),
        **record.lists("areas", "classification", "area"),
        **record.lists("categories", "classification", "category"),
        **record.lists("archival_levels", "classification", "archivalLevel"),
        "fonds": text(face.get("fonds")),
        "makers_en": names(makers, "en"),
        "makers_zh": names(makers, "zh"),
        "maker_ids": [person["id"] for person in makers if person["id"]],
        "maker_roles_en": [person["role_en"] or "" for person in makers],
        "maker_roles_zh": [person["role_zh"] or "" for person in makers],
        "constituents": constituents,
        **_images(record),
        "colors": texts([at(node, "color") for node in nodes(at(face, "color", "predominant"))]),
        "color_names": texts(
            [at(node, "color") for node in nodes(at(face, "color", "search", "google"))]
        ),
        "fallbacks": record.fallbacks,
    }


def names(people: list[dict[str, Any]], language: str) -> list[str]:
    """The names of *people* in *language*, or in the other where there is none."""
    found = (person[f"name_{language}"] or person["name_en"] for person in people)
    return [name for name in found if name]


def _constituents(record: Bilingual) -> list[dict[str, Any]]:
    return [
        {
            "id": identity(en.get("id")),
            "name_en": text(en.get("name")),
            "name_zh": text(zh.get("name")),
            "role_en": text(en.get("role")),
            "role_zh": text(zh.get("role")),
            "is_maker": en.get("isMakerOfObject") is True,
        }
        for en, zh in record.pairs("constituents")
    ]


def _images(record: Bilingual) -> dict[str, Any]:
    en, zh = record.values("images")
    said = Bilingual(
        {"said": _alt_texts(en)}, {"said": _alt_texts(zh)}, record.silent, record.fallbacks
    )
    return {
        "image_count": len(en) if isinstance(en, list) else None,
        **said.lists("alt_texts", "said"),
    }


def _alt_texts(images: Any) -> list[str]:
    return texts([image.get("altText") for image in nodes(images) if isinstance(image, Mapping)])
