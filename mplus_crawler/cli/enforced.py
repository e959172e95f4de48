"""Settings of Scrapy that users cannot change, because the verdict would no longer be true."""

from __future__ import annotations

import logging
from typing import Any

from scrapy.settings import SETTINGS_PRIORITIES, BaseSettings

logger = logging.getLogger(__name__)

# The value that holds, and why.
_ENFORCED: dict[str, tuple[Any, str]] = {
    "HTTPCACHE_ENABLED": (False, "it would deliver old responses as new ones"),
    "JOBDIR": (None, "it loses records; harvests resume without it"),
    "DOWNLOAD_FAIL_ON_DATALOSS": (True, "truncated responses would pass for whole ones"),
    "COMPRESSION_ENABLED": (True, "responses are checked while they are decompressed"),
    "RETRY_ENABLED": (True, "failed requests would not be repeated"),
    "HTTPERROR_ALLOW_ALL": (False, "error pages would pass for records"),
    "HTTPERROR_ALLOWED_CODES": ([], "error pages would pass for records"),
    "STATS_CLASS": ("scrapy.statscollectors.MemoryStatsCollector", "the certificate needs it"),
}
_PRIORITY = SETTINGS_PRIORITIES["cmdline"] + 1
_SWITCHES = {"0": False, "false": False, "1": True, "true": True}


def enforce(settings: BaseSettings) -> None:
    """Set the enforced values in *settings*; log a line for each that was different."""
    for name, (value, reason) in _ENFORCED.items():
        found = settings[name]
        if isinstance(value, bool):
            found = _SWITCHES.get(str(found).lower(), found)
        if (found or None) != (value or None):
            settings.set(name, value, priority=_PRIORITY)
            logger.warning("%s is ignored: %s", name, reason)
