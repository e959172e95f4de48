"""The census of a harvest: counts, completeness, verdict."""

from mplus_crawler.census.counts import Census
from mplus_crawler.census.verdict import Verdict

__all__ = ["Census", "Verdict"]
