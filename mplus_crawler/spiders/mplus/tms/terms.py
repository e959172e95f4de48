"""Columns of terms: the values of the API's filters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mplus_crawler.spiders.mplus.tms.bilingual import text, whole
from mplus_crawler.spiders.mplus.tms.credit import Credit


def term_columns(record: Mapping[str, Any], known_id: str | None, credit: Credit) -> dict[str, Any]:
    """Return the columns of the term *known_id*, ``LIST/LANGUAGE/TITLE``."""
    list_, language, _ = (known_id or "//").split("/", 2)
    title = text(record.get("title"))
    return {
        "id": known_id,
        "url": credit.page("term", None),
        "label": title,
        "attribution": credit.line(),
        "list": list_,
        "language": language or None,
        "title": title,
        "count": whole(record.get("count")),
    }
