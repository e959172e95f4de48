"""The certified snapshots that a package is made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, Any

import orjson
from scrapy.settings import BaseSettings
from scrapy.spiderloader import get_spider_loader

from mplus_crawler.errors import DeliveryError, ExitCode, HarvestError, UsageError
from mplus_crawler.feeds.names import CERTIFICATE
from mplus_crawler.feeds.outputs import publishing
from mplus_crawler.feeds.transaction import roll_forward
from mplus_crawler.museum.contract import Museum
from mplus_crawler.storage.destination import Destination, destination
from mplus_crawler.storage.folders import state_folder
from mplus_crawler.storage.staging import BUFFER
from mplus_crawler.verification import seal, verify

FEED = ".jsonl"


class DamagedSnapshotError(HarvestError):
    """A snapshot differs from its certificate, or has none."""


class IncompleteSnapshotError(HarvestError):
    """A file with a snapshot's name is from an incomplete harvest."""

    exit_code = ExitCode.INCOMPLETE


class ExpiredSnapshotError(HarvestError):
    """A snapshot is older than the museum allows."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of record of a museum: the *spider* that gives it, its *schema*, its *table*.

    For linked data, *spelling* returns the function that gives an API's URIs their canonical
    spelling.
    """

    spider: str
    schema: str
    table: str
    spelling: Callable[[str], Callable[[str], str]] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A verified snapshot: its *feed* and its *certificate*, a copy of what was published."""

    kind: Kind
    feed: Path
    certificate: dict[str, Any]

    def lines(self) -> IO[bytes]:
        """Open the feed: JSON lines."""
        return self.feed.open("rb", BUFFER)

    @property
    def api(self) -> str:
        """The address of the API that it came from."""
        return str(self.certificate.get("api") or self.certificate["base_url"])

    @property
    def expires(self) -> datetime | None:
        """When its content must be refreshed or deleted; ``None`` without a limit."""
        days = self.certificate["policy"].get("retention_days")
        started = datetime.fromisoformat(self.certificate["started_at"])
        return started + timedelta(days=days) if days else None


def kinds(settings: BaseSettings, museum: str) -> list[Kind]:
    """Return the kinds of *museum* whose snapshots are public, by the name of their table.

    Raises :class:`UsageError` for an unknown museum.
    """
    loader = get_spider_loader(settings)
    classes = [loader.load(name) for name in loader.list()]
    public = [cls for cls in classes if issubclass(cls, Museum) and _is_public(cls)]
    known = sorted({cls.museum for cls in public})
    if museum not in known:
        raise UsageError(f"{museum!r} is not a museum; use one of {', '.join(known)}")
    found = [
        Kind(
            cls.name,
            cls.kind,
            cls.name.removeprefix(f"{museum}_"),
            partial(cls.spelling, cls.load_policy(settings)) if cls.linked_data else None,
        )
        for cls in public
        if cls.museum == museum
    ]
    return sorted(found, key=lambda kind: kind.table)


def _is_public(cls: type[Museum]) -> bool:
    # A spider with a successor reads a retired version of the API.
    return cls.has_snapshot and not cls.private and not hasattr(cls, "successor")


def check_harvested(settings: BaseSettings, museum: str, kinds: Iterable[Kind]) -> None:
    """Raise :class:`UsageError` if ``HARVEST_DIR`` has no snapshot of *kinds* of *museum*."""
    place = settings["HARVEST_DIR"]
    try:
        names = {*destination(settings).names()}
    except OSError as error:
        raise DeliveryError(f"{place} cannot be read: {error}") from None
    if not any(kind.spider + ending in names for kind in kinds for ending in (CERTIFICATE, FEED)):
        raise UsageError(f"no snapshot of {museum} in {place}: harvest it first")


def read_snapshots(
    settings: BaseSettings, kinds: Iterable[Kind], work: Path, now: datetime
) -> list[Snapshot]:
    """Return the verified snapshots of *kinds* in ``HARVEST_DIR``, copied to the folder *work*.

    Kinds without a snapshot are left out. Raises :class:`HarvestError` if one is damaged,
    incomplete, a selection, private or expired at *now*, or if they do not belong together.
    """
    place = destination(settings)
    kinds = list(kinds)
    try:
        with _unchanged(settings):
            names = _fetch(place, kinds, work)
    except OSError as error:
        raise DeliveryError(f"{settings['HARVEST_DIR']} cannot be read: {error}") from None
    for kind in kinds:
        for ending, other in ((CERTIFICATE, FEED), (FEED, CERTIFICATE)):
            if kind.spider + ending in names and kind.spider + other not in names:
                raise DamagedSnapshotError(
                    f"{kind.spider}{ending} exists without {kind.spider}{other}: harvest it again"
                )
    found = [_read(kind, work, now) for kind in kinds if kind.spider + FEED in names]
    _check_together(found)
    return found


@contextmanager
def _unchanged(settings: BaseSettings) -> Iterator[None]:
    """Keep harvests from publishing inside the block; complete those that were killed."""
    state = state_folder(settings)
    with ExitStack() as stack:
        if state.is_dir():
            with suppress(OSError):  # a read-only folder, which no harvest changes
                stack.enter_context(publishing(settings))
                roll_forward(state)
        yield


def _fetch(place: Destination, kinds: Iterable[Kind], work: Path) -> set[str]:
    """Copy the files of *kinds* to *work*, and return their names."""
    wanted = {kind.spider + ending for kind in kinds for ending in (CERTIFICATE, FEED)}
    names = wanted & {*place.names()}
    for name in sorted(names):
        place.fetch(name, work / name)
    return names


def _read(kind: Kind, work: Path, now: datetime) -> Snapshot:
    """Return the snapshot of *kind* in *work*, verified."""
    certificate, feed = work / f"{kind.spider}{CERTIFICATE}", work / f"{kind.spider}{FEED}"
    snapshot = Snapshot(kind, feed, _certificate(certificate, kind))
    if (expires := snapshot.expires) and expires <= now.astimezone(UTC):
        raise ExpiredSnapshotError(
            f"the snapshot of {kind.spider} expired on {expires:%Y-%m-%d}: harvest it again"
        )
    for finding in verify(feed, certificate, work):
        if not finding.agrees:
            raise DamagedSnapshotError(f"{feed.name}: {finding.text}; harvest it again")
    return snapshot


def _certificate(path: Path, kind: Kind) -> dict[str, Any]:
    name = path.name
    try:
        document = orjson.loads(path.read_bytes())
        right = document["seal"] == seal(document)
        spider, verdict, code = (document[key] for key in ("spider", "verdict", "exit_code"))
        private, snapshot = document["private"], document["snapshot"]
        _ = document["policy"]["licence"], datetime.fromisoformat(document["started_at"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DamagedSnapshotError(
            f"{name} is not a sealed certificate; harvest it again"
        ) from None
    if not right:
        raise DamagedSnapshotError(f"{name}: its seal is broken: it was changed; harvest it again")
    if spider != kind.spider:
        raise DamagedSnapshotError(f"{name} is the certificate of {spider}; harvest it again")
    if private:
        raise UsageError(f"{name} is private: it cannot be in a package")
    if code != ExitCode.COMPLETE:
        raise IncompleteSnapshotError(
            f"{name} is from a harvest that is {verdict}; harvest it again"
        )
    if not snapshot:
        raise UsageError(f"{name} contains a selection; harvest {kind.spider} without arguments")
    return dict(document)


_TOGETHER: dict[str, Callable[[Snapshot], Any]] = {
    "museum": lambda one: one.certificate["source"],
    "API": lambda one: one.api,
    "release": lambda one: one.certificate.get("origin"),
}


def _check_together(snapshots: list[Snapshot]) -> None:
    """Raise :class:`UsageError` unless all are from one museum, API and release."""
    for what, value_of in _TOGETHER.items():
        by_value = {repr(value_of(one)): one for one in snapshots}
        if len(by_value) > 1:
            (first, one), (second, other) = list(by_value.items())[:2]
            raise UsageError(
                f"the snapshots are not of one {what}: {one.kind.spider} is from {first}, "
                f"{other.kind.spider} from {second}; harvest them again"
            )
