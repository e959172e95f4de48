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
)
from mplus_crawler.spiders.mplus.tms.credit import Credit
from mplus_crawler.spiders.mplus.tms.dates import edtf_columns, year_columns
from mplus_crawler.spiders.mplus.tms.dimensions import dimension_columns
from mplus_crawler.spiders.mplus.tms.makers import (
    Person,
    constituents_of,
    maker_columns,
    makers_of,
    names_to_print,
)


def object_columns(record: Bilingual, credit: Credit) -> dict[str, Any]:
    """Return the columns of ``schemas/mplus_object.schema.json``, except those of every record."""
    face = record.en
    titles = {
        "title_en": text(face.get("title")),
        "title_zh": text(record.zh.get("title")),
    }
    dates = record.texts("display_date", "displayDate")
    date = dates["display_date_en"] or dates["display_date_zh"]
    years = year_columns(face)
    constituents = constituents_of(record)
    makers = makers_of(constituents, credit)
    number = text(face.get("objectNumber"))
    id_ = identity(face.get("id"))
    title = titles["title_en"] or titles["title_zh"]
    return {
        "id": id_,
        "url": credit.page("object", text(face.get("slug"))),
        "label": title or number or id_,
        "attribution": _attribution(credit, makers, title, date, number),
        "object_number": number,
        "sort_number": text(face.get("sortNumber")),
        "slug": text(face.get("slug")),
        **titles,
        **dates,
        **years,
        **edtf_columns(date, years["date_begin"], years["date_end"]),
        **record.texts("medium", "medium"),
        **record.texts("dimensions", "dimension"),
        **dimension_columns(face.get("dimensionDetails"), text(face.get("dimension"))),
        **record.texts("credit_line", "creditLine"),
        **record.lists("areas", "classification", "area"),
        **record.lists("categories", "classification", "category"),
        **record.lists("archival_levels", "classification", "archivalLevel"),
        "fonds": text(face.get("fonds")),
        **maker_columns(makers),
        "constituents": constituents,
        **_images(record),
        "colors": texts([at(node, "color") for node in nodes(at(face, "color", "predominant"))]),
        "color_names": texts(
            [at(node, "color") for node in nodes(at(face, "color", "search", "google"))]
        ),
        "fallbacks": record.fallbacks,
    }


def _attribution(
    credit: Credit,
    makers: list[Person],
    title: str | None,
    date: str | None,
    number: str | None,
) -> str | None:
    """Return the credit line; None where a maker's name is unknown, rather than a wrong one."""
    names = names_to_print(makers)
    if names is None:
        return None
    return credit.line(names, title, date, number)


def _images(record: Bilingual) -> dict[str, Any]:
    en, zh = record.values("images")
    alt_texts = Bilingual(
        {"altText": _alt_texts(en)},
        {"altText": _alt_texts(zh)},
        record.may_fall_back,
        record.fallbacks,
    )
    return {
        "image_count": len(en) if isinstance(en, list) else None,
        **alt_texts.lists("alt_texts", "altText"),
    }


def _alt_texts(images: Any) -> list[str]:
    return texts([image.get("altText") for image in nodes(images) if isinstance(image, Mapping)])
