"""Columns of records from The Museum System (TMS), as M+ gives them in two languages.

``COLUMNS[kind](record, credit)`` gives the columns of one :class:`Bilingual` record, whether
it came from the API or from the published data set. Absent scalars are None, absent lists
empty; the record is left as it is. A shape that isn't known leaves its column empty and is
refused, with its path, by the kind's schema.
"""

from __future__ import annotations

from typing import Any, Protocol

from mplus_crawler.spiders.mplus.tms.bilingual import Bilingual
from mplus_crawler.spiders.mplus.tms.constituents import constituent_columns
from mplus_crawler.spiders.mplus.tms.credit import Credit
from mplus_crawler.spiders.mplus.tms.exhibitions import exhibition_columns
from mplus_crawler.spiders.mplus.tms.objects import object_columns
from mplus_crawler.spiders.mplus.tms.published import Names, unfolded
from mplus_crawler.spiders.mplus.tms.terms import term_columns

__all__ = ["COLUMNS", "Bilingual", "Columns", "Credit", "Names", "term_columns", "unfolded"]


class Columns(Protocol):
    """What makes columns of a record."""

    def __call__(self, record: Bilingual, credit: Credit) -> dict[str, Any]: ...


COLUMNS: dict[str, Columns] = {
    "mplus_object": object_columns,
    "mplus_constituent": constituent_columns,
    "mplus_exhibition": exhibition_columns,
}
