"""Checks of folders, disk space, the budget's store and S3."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from scrapy.settings import BaseSettings

from mplus_crawler.cli.diagnosis.check import Check
from mplus_crawler.cli.preflight import check_harvest_dir
from mplus_crawler.errors import HarvestError
from mplus_crawler.storage.destination import destination
from mplus_crawler.storage.folders import in_s3, state_folder, try_folder
from mplus_crawler.wire.budget.stores import open_budget

# Twice what the largest collection needs: its responses, records and copies take 150 MB.
_MIN_SPACE = 300 * 1024 * 1024
_PROBE = ".doctor"


def folders(settings: BaseSettings) -> Iterator[Check]:
    """Check the state folder, and ``HARVEST_DIR`` unless it is in S3."""
    try:
        check_harvest_dir(settings)
    except HarvestError as error:
        yield Check("HARVEST_DIR", str(error), "correct HARVEST_DIR; for S3, also boto3's settings")
        return
    required = {"state folder": (state_folder(settings), "HARVEST_STATE_DIR")}
    if not in_s3(settings["HARVEST_DIR"]):
        required["HARVEST_DIR"] = (Path(settings["HARVEST_DIR"]), "HARVEST_DIR")
    for what, (folder, setting) in required.items():
        try:
            try_folder(folder)
            yield Check(what, f"{folder} can be written")
        except OSError as error:
            fix = f"make it writable, or choose another with {setting}"
            yield Check(what, f"{folder} cannot be written ({error.strerror})", fix)


def space(settings: BaseSettings) -> Iterator[Check]:
    """Check that the disk has space for a harvest's saved responses and staged files."""
    folder = state_folder(settings)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    fix = f"free {_MIN_SPACE // 1_000_000:,} MB, or choose another disk with HARVEST_STATE_DIR"
    yield Check("space left", f"{free // 1_000_000:,} MB", fix if free < _MIN_SPACE else "")


def budget(settings: BaseSettings, *, offline: bool) -> Iterator[Check]:
    """Check that the budget's store can be used; report which processes share it."""
    url = settings.get("BUDGET_URL")
    if offline and (url or "").startswith(("redis:", "rediss:")):
        yield Check("budget", "on a server; not checked offline")
        return
    try:
        open_budget(url).close()
    except HarvestError as error:
        yield Check("budget", str(error), "repair it, or choose another with BUDGET_URL")
        return
    scheme = urlsplit(url or "").scheme
    shared = {"": "on this computer", "sqlite": "that use this file"}
    yield Check("budget", f"shared by all processes {shared.get(scheme, 'that use this server')}")


def s3(settings: BaseSettings) -> Iterator[Check]:
    """Check that a file can be written to ``HARVEST_DIR`` and removed, if it is in S3."""
    place = settings["HARVEST_DIR"]
    if not in_s3(place):
        return
    try:
        check_harvest_dir(settings)
        bucket = destination(settings)
        bucket.write(_PROBE, b"")
        bucket.remove(_PROBE)
        yield Check("S3", f"{place} can be written")
    except HarvestError:
        return  # already reported
    except OSError as error:
        fix = "check bucket, endpoint and credentials in boto3's settings"
        yield Check("S3", f"{place} cannot be written ({error})", fix)
