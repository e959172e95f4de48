"""Columns of records from The Museum System (TMS), as M+ gives them in two languages.

``COLUMNS[kind](record, credit)`` returns the columns of one :class:`Bilingual` record, from the
API or from the published data set. Missing values are None, missing lists empty; the record is
not changed. A value of another type leaves its column empty, and the kind's schema rejects it.
"""

from __future__ import annotations

from typing import Any, Protocol

from mplus_crawler.spiders.mplus.tms.bilingual import Bilingual
from mplus_crawler.spiders.mplus.tms.constituents import constituent_columns
from mplus_crawler.spiders.mplus.tms.credit import Credit
from mplus_crawler.spiders.mplus.tms.exhibitions import exhibition_columns
from mplus_crawler.spiders.mplus.tms.objects import object_columns
from mplus_crawler.spiders.mplus.tms.published import Names, split_languages
from mplus_crawler.spiders.mplus.tms.terms import term_columns

__all__ = ["COLUMNS", "Bilingual", "Columns", "Credit", "Names", "split_languages", "term_columns"]


class Columns(Protocol):
    """Makes the columns of a record."""

    def __call__(self, record: Bilingual, credit: Credit) -> dict[str, Any]: ...


COLUMNS: dict[str, Columns] = {
    "mplus_object": object_columns,
    "mplus_constituent": constituent_columns,
    "mplus_exhibition": exhibition_columns,
}
