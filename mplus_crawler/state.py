"""Where harvests are put, and where what they have in hand is kept meanwhile."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from platformdirs import user_state_path
from scrapy.settings import BaseSettings


def in_s3(place: str) -> bool:
    """Whether *place* is in S3 rather than on this machine."""
    return place.startswith("s3://")


def state_folder(settings: BaseSettings) -> Path:
    """Where ledgers and other state are kept: always on this machine.

    ``HARVEST_STATE_DIR``, else beside the files; of files in S3, in the user's state folder.
    """
    if named := settings.get("HARVEST_STATE_DIR"):
        return Path(named)
    place = settings["HARVEST_DIR"]
    if in_s3(place):
        return user_state_path("mplus_crawler") / "harvests" / quote(place[5:].strip("/"), safe="")
    return Path(place) / ".state"
