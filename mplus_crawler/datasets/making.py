"""Makes a package: from the snapshots in ``HARVEST_DIR`` to a folder or a zip file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from scrapy.settings import BaseSettings

from mplus_crawler.datasets.description import Description
from mplus_crawler.datasets.output import ZIP, building, check_target, put_folder, zipped
from mplus_crawler.datasets.package import Package, describe
from mplus_crawler.datasets.registration import register
from mplus_crawler.datasets.snapshots import kinds, read_snapshots
from mplus_crawler.errors import DeliveryError, UsageError
from mplus_crawler.records.tables.table import LINKED_DATA, PARQUET, check_installed
from mplus_crawler.storage.destination import destination


def make_package(
    settings: BaseSettings, museum: str, target: Path, now: datetime, *, withhold: bool = False
) -> Description:
    """Make the package of *museum* as *target*, and return its description.

    Snapshots that have expired *now* are refused; with *withhold*, records that will expire are
    left out. Raises :class:`~mplus_crawler.errors.HarvestError`.
    """
    every = kinds(settings, museum)
    check_installed(PARQUET)
    if any(kind.spelling for kind in every):
        check_installed(LINKED_DATA)
    check_target(target)
    try:
        with building(target) as work:
            snapshots, folder, scratch = (work / name for name in ("read", "package", "scratch"))
            for each in (snapshots, folder, scratch):
                each.mkdir()
            found = read_snapshots(settings, every, snapshots, now)
            if not found:
                raise UsageError(
                    f"no snapshot of {museum} in {settings['HARVEST_DIR']}: harvest it first"
                )
            about = describe(museum, every, found, withhold=withhold)
            Package(folder, scratch, about).build(destination(settings))
            if target.suffix.lower() == ZIP:
                file = zipped(folder, target)
                try:
                    register(settings, about, [(target, file.sha256)])
                    file.publish(target)
                finally:
                    file.discard()
            else:
                register(settings, about, [(target / one.path, one.sha256) for one in about.files])
                put_folder(folder, target)
    except BlockingIOError:
        raise DeliveryError(f"{target} is being written by another process") from None
    except OSError as error:
        raise DeliveryError(f"{target} cannot be written: {error.strerror or error}") from None
    return about
