"""The verdict of a harvest: counts, ids, completeness."""

from mplus_crawler.census.counts import Census
from mplus_crawler.census.verdict import Verdict

__all__ = ["Census", "Verdict"]
