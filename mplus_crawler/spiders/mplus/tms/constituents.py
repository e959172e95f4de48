"""Columns of constituents: makers and others related to objects."""

from __future__ import annotations

from typing import Any

from mplus_crawler.spiders.mplus.tms.bilingual import Bilingual, identity, text, texts, whole
from mplus_crawler.spiders.mplus.tms.credit import Credit
from mplus_crawler.spiders.mplus.tms.dates import year_columns


def constituent_columns(record: Bilingual, credit: Credit) -> dict[str, Any]:
    """Return the columns of ``schemas/mplus_constituent.schema.json``."""
    face = record.en
    id_ = identity(face.get("id"))
    name_en, name_zh = text(face.get("name")), text(record.zh.get("name"))
    return {
        "id": id_,
        "url": credit.page("constituent", text(face.get("slug"))),
        "label": name_en or name_zh or id_,
        "attribution": credit.line(name_en or name_zh),
        "slug": text(face.get("slug")),
        "name_en": name_en,
        "name_zh": name_zh,
        "sort_name_en": text(face.get("alphaSortName")),
        "sort_name_zh": text(record.zh.get("alphaSortName")),
        "constituent_type": text(face.get("type")),
        "roles": texts(face.get("roles")),
        **record.texts("display_bio", "displayBio"),
        **record.texts("gender", "gender"),
        **record.texts("nationality", "nationality"),
        **year_columns(face),
        "is_maker": face.get("isMaker") if isinstance(face.get("isMaker"), bool) else None,
        "object_count": whole(face.get("objectCountPublic")),
        "fallbacks": record.fallbacks,
    }
