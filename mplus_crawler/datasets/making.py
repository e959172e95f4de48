"""Makes a package or a report from the snapshots in ``HARVEST_DIR``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from scrapy.settings import BaseSettings

from mplus_crawler.datasets.description import Description
from mplus_crawler.datasets.output import ZIP, building, check_target, put_folder, zipped
from mplus_crawler.datasets.package import Package, describe
from mplus_crawler.datasets.registration import register, registered
from mplus_crawler.datasets.report.page import REPORT, report
from mplus_crawler.datasets.snapshots import Kind, check_harvested, kinds, read_snapshots
from mplus_crawler.errors import DeliveryError, UsageError
from mplus_crawler.records.tables.table import LINKED_DATA, PARQUET, check_installed
from mplus_crawler.storage.destination import destination
from mplus_crawler.storage.staging import write_whole


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
    check_harvested(settings, museum, every)
    with _making(target) as work:
        about = _described(settings, museum, every, work, now, withhold=withhold)
        folder, scratch = work / "package", work / "scratch"
        for each in (folder, scratch):
            each.mkdir()
        package = Package(folder, scratch, about)
        with registered(settings, about, package.contents()):
            package.build(destination(settings))
        if target.suffix.lower() == ZIP:
            file = zipped(folder, target, scratch)
            try:
                register(settings, about, [(target, file.sha256)])
                file.publish(target)
            finally:
                file.discard()
        else:
            register(settings, about, [(target / one.path, one.sha256) for one in about.files])
            put_folder(folder, target)
    return about


def make_report(settings: BaseSettings, museum: str, target: Path, now: datetime) -> Description:
    """Make the report about *museum* as the file *target*; return what it describes.

    Snapshots that have expired *now* are refused. Raises
    :class:`~mplus_crawler.errors.HarvestError`.
    """
    every = kinds(settings, museum)
    if target.is_dir():
        raise UsageError(f"{target} is a folder: name a file, such as {target / REPORT}")
    check_harvested(settings, museum, every)
    with _making(target) as work:
        about = _described(settings, museum, every, work, now, withhold=False)
        page = report(about)
        register(settings, about, [(target, hashlib.sha256(page).hexdigest())])
        write_whole(target, page)
    return about


@contextmanager
def _making(target: Path) -> Iterator[Path]:
    """Yield a hidden folder to make *target* in; raise :class:`DeliveryError` for OSError."""
    try:
        with building(target) as work:
            yield work
    except BlockingIOError:
        raise DeliveryError(f"{target} is being written by another process") from None
    except OSError as error:
        raise DeliveryError(f"{target} cannot be written: {error.strerror or error}") from None


def _described(
    settings: BaseSettings,
    museum: str,
    every: Sequence[Kind],
    work: Path,
    now: datetime,
    *,
    withhold: bool,
) -> Description:
    """Copy the snapshots of *every* kind of *museum* below *work*, and describe them."""
    snapshots = work / "read"
    snapshots.mkdir()
    found = read_snapshots(settings, every, snapshots, now)
    return describe(museum, every, found, withhold=withhold)
