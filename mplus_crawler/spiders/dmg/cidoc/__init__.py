"""Columns made from CIDOC-CRM JSON-LD records, and canonical ids.

Each function ``…_columns`` is a :class:`Flatten`: it returns the columns of one record, and each
spider names the one that fits its records. Missing scalars are None, missing lists are empty, and
the record is not changed. A value of an unknown shape leaves its column empty; the kind's schema
rejects the record and names the path.
"""

from mplus_crawler.spiders.dmg.cidoc.ids import canonical_id, pid
from mplus_crawler.spiders.dmg.cidoc.jsonld import Flatten

__all__ = ["Flatten", "canonical_id", "pid"]
