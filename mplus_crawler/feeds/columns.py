"""Which columns a feed has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scrapy.settings import BaseSettings

from mplus_crawler.feeds.names import own_feed

RECORD = "record"


def chosen(
    settings: BaseSettings,
    fields: Iterable[str] | None,
    columns: Iterable[str],
    *,
    record: bool = True,
) -> dict[str, str]:
    """Return the columns of a feed: their names there, by their names in *columns*.

    *fields* are the user's choice, if there is one. Otherwise, feeds given by ``-o``, ``-O`` or
    ``FEEDS`` have the column ``record`` if the setting RECORD says so; *record* is its default.
    """
    if fields:
        return dict(fields) if isinstance(fields, Mapping) else {name: name for name in fields}
    if settings["RECORD"] is not None:
        record = settings.getbool("RECORD")
    kept = record or own_feed(settings)
    return {name: name for name in columns if kept or name != RECORD}
