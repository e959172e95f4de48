"""The verdict of a harvest: counts, ids, completeness."""

from mplus_crawler.census.census import Census
from mplus_crawler.census.verdict import Verdict

__all__ = ["Census", "Verdict"]
