"""Where files go: folders that can be written, space that is left, the budget's store, S3."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from scrapy.settings import BaseSettings

from mplus_crawler.cli.diagnosis.check import Check
from mplus_crawler.cli.preflight import check_place
from mplus_crawler.errors import HarvestError
from mplus_crawler.storage.destination import destination
from mplus_crawler.storage.folders import in_s3, state_folder, try_folder
from mplus_crawler.wire.budget.stores import open_budget

# The largest collection's answers, its records and their copies: some 150 MB; twice that.
_ROOM = 300 * 1024 * 1024
_PROBE = ".doctor"


def folders(settings: BaseSettings) -> Iterator[Check]:
    """The state folder, and ``HARVEST_DIR`` where that is on this machine."""
    try:
        check_place(settings)
    except HarvestError as fault:
        yield Check("HARVEST_DIR", str(fault), "mend HARVEST_DIR; for S3, what boto3 reads")
        return
    wanted = {"state folder": (state_folder(settings), "HARVEST_STATE_DIR")}
    if not in_s3(settings["HARVEST_DIR"]):
        wanted["HARVEST_DIR"] = (Path(settings["HARVEST_DIR"]), "HARVEST_DIR")
    for what, (folder, setting) in wanted.items():
        try:
            try_folder(folder)
            yield Check(what, f"{folder} can be written")
        except OSError as error:
            cure = f"make it writable, or name another with {setting}"
            yield Check(what, f"{folder} cannot be written ({error.strerror})", cure)


def space(settings: BaseSettings) -> Iterator[Check]:
    """Room for what a harvest has in hand."""
    folder = state_folder(settings)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    cure = f"free {_ROOM // 1_000_000:,} MB, or name another disk with HARVEST_STATE_DIR"
    yield Check("space left", f"{free // 1_000_000:,} MB", cure if free < _ROOM else "")


def budget(settings: BaseSettings, *, offline: bool) -> Iterator[Check]:
    """The store of the budget can be used, and who shares it."""
    url = settings.get("BUDGET_URL")
    if offline and (url or "").startswith(("redis:", "rediss:")):
        yield Check("budget", "on a server, which is not asked offline")
        return
    try:
        open_budget(url).close()
    except HarvestError as fault:
        yield Check("budget", str(fault), "mend it, or name another with BUDGET_URL")
        return
    scheme = urlsplit(url or "").scheme
    shared = {"": "all your processes here", "sqlite": "all who name this file"}
    yield Check("budget", f"shared by {shared.get(scheme, 'all who name this server')}")


def s3(settings: BaseSettings) -> Iterator[Check]:
    """A file can be put into ``HARVEST_DIR`` and taken away again, where that is in S3."""
    place = settings["HARVEST_DIR"]
    if not in_s3(place):
        return
    try:
        check_place(settings)
        bucket = destination(settings)
        bucket.write(_PROBE, b"")
        bucket.remove(_PROBE)
        yield Check("S3", f"{place} can be written")
    except HarvestError:
        return  # has been told
    except OSError as error:
        cure = "mend bucket, endpoint or credentials, where boto3 looks for them"
        yield Check("S3", f"{place} cannot be written ({error})", cure)
