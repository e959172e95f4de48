"""Output and state directories."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import quote, unquote, urlsplit

from platformdirs import user_state_path
from scrapy.settings import BaseSettings


@dataclass(frozen=True, slots=True)
class Stored:
    """A file or an object that is there: its size in bytes, and when it was written."""

    bytes: int
    modified: datetime


def in_s3(place: str) -> bool:
    """Whether *place* is in S3 rather than on this machine."""
    return place[:5].lower() == "s3://"


def local_path(uri: str) -> Path:
    """The path of a local feed, ``file:`` or plain; ``~`` is the user's home.

    Raises RuntimeError for the home of an unknown user.
    """
    path = unquote(urlsplit(uri).path) if uri.startswith("file:") else uri
    return Path(path).expanduser()


def bucket_and_prefix(place: str) -> tuple[str, str]:
    """Return bucket and prefix of ``s3://bucket/prefix``, without credentials before an ``@``."""
    bucket, _, prefix = place[5:].partition("/")
    return bucket.rpartition("@")[2], prefix.strip("/")


def state_folder(settings: BaseSettings) -> Path:
    """Where ledgers and other state are kept: always on this machine.

    ``HARVEST_STATE_DIR``, else beside the files; of files in S3, in the user's state folder.
    """
    if named := settings.get("HARVEST_STATE_DIR"):
        return Path(named)
    place = settings["HARVEST_DIR"]
    if in_s3(place):
        name = quote("/".join(bucket_and_prefix(place)).strip("/"), safe="")
        return user_state_path("mplus_crawler") / "harvests" / name
    return Path(place) / ".state"


def try_folder(folder: Path) -> None:
    """Make *folder*, and see that files can be put there; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder):
        pass
