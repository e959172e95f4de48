"""Columns of exhibitions; the API has neither their titles nor their types."""

from __future__ import annotations

from typing import Any

from mplus_crawler.spiders.mplus.tms.bilingual import Bilingual, identity, nodes, text, whole
from mplus_crawler.spiders.mplus.tms.credit import Credit


def exhibition_columns(record: Bilingual, credit: Credit) -> dict[str, Any]:
    """Return the columns of ``schemas/mplus_exhibition.schema.json``."""
    face = record.en
    # An empty Chinese list hides the English one, so venues are in English only.
    venues = [
        {
            "title": text(venue.get("title")),
            "date_begin": text(venue.get("beginDate")),
            "date_end": text(venue.get("endDate")),
        }
        for venue in nodes(face.get("venues"))
    ]
    titles = [venue["title"] for venue in venues if venue["title"]]
    begin, id_ = text(face.get("beginDate")), identity(face.get("id"))
    parts = [f"Exhibition {id_}", *titles[:1], begin]
    return {
        "id": id_,
        "url": credit.page("exhibition", None),
        "label": ", ".join(part for part in parts if part),
        "attribution": credit.line(),
        "date_begin": begin,
        "date_end": text(face.get("endDate")),
        "venues": titles,
        "venue_details": venues,
        "art_int": whole(face.get("artInt")),
    }
