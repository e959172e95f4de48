"""Locks on the output files of a harvest, until it ends."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_state_path
from scrapy.settings import BaseSettings

from mplus_crawler.errors import DeliveryError, UsageError
from mplus_crawler.feeds.changes.history import FOLDER
from mplus_crawler.feeds.checks import feed_targets
from mplus_crawler.feeds.names import REJECTED, RUNS, first_local, own_feed
from mplus_crawler.feeds.transaction import roll_forward
from mplus_crawler.storage.folders import in_s3, state_folder
from mplus_crawler.storage.locks import try_lock
from mplus_crawler.storage.staging import claim, hidden, release, sweep


def claim_outputs(settings: BaseSettings, spider: str) -> None:
    """Lock the output files of *spider* for this process, and clear up after killed ones.

    Publications that killed processes began are completed; their hidden files are removed. Raises
    :class:`UsageError` where another process is writing one of the files. A lock on this machine
    stands for an object in S3; harvests of other users and machines do not see it.
    """
    locks = dict(_locks(settings, spider))
    try:
        for uri, lock in locks.items():
            try:
                claim(lock)
            except BlockingIOError:
                raise UsageError(
                    f"another process is writing {uri}; wait for it, or write elsewhere"
                ) from None
            except OSError as error:
                raise DeliveryError(f"{uri} cannot be written ({error.strerror})") from None
    except (UsageError, DeliveryError):
        release_outputs(settings, spider)
        raise
    state = state_folder(settings)
    roll_forward(state)
    folders = {*(lock.parent for lock in locks.values()), state, state.parent / "jobs"}
    folders |= {state / RUNS, state.parent / RUNS, *state.glob("s3-*")}
    folders |= {place / FOLDER / spider for place in (state, state.parent)}
    for folder in folders:
        sweep(folder)


def release_outputs(settings: BaseSettings, spider: str) -> None:
    """Release the output files of *spider*."""
    for _, lock in _locks(settings, spider):
        release(lock)


def spider_lock(settings: BaseSettings, spider: str) -> Path:
    """Return the file whose lock keeps *spider* in this ``HARVEST_DIR`` to one process."""
    return _lock_of(f"{settings['HARVEST_DIR'].rstrip('/')}/{spider}")


@contextmanager
def publishing(settings: BaseSettings) -> Iterator[None]:
    """Wait until no other process publishes with this state folder; raises OSError."""
    state = state_folder(settings)
    state.mkdir(parents=True, exist_ok=True)
    with (state / "publication.lock").open("a") as lock:
        try_lock(lock, wait=True)
        yield


def _locks(settings: BaseSettings, spider: str) -> Iterator[tuple[str, Path]]:
    """Yield each file by its URI, and the local file whose lock keeps it."""
    place = settings["HARVEST_DIR"].rstrip("/")
    yield f"{place}/{spider}.jsonl", spider_lock(settings, spider)
    if own_feed(settings):
        return
    if feed := first_local(settings, spider):
        rejected = feed.with_name(f"{feed.stem}{REJECTED}")
        yield str(rejected), hidden(rejected)
    for target in feed_targets(settings, spider):
        if "%(" not in target.uri and (target.path is not None or in_s3(target.uri)):
            yield target.uri, _lock_of(target.uri, target.path)


def _lock_of(uri: str, path: Path | None = None) -> Path:
    if not in_s3(uri):
        return hidden(path or Path(uri))
    name = hashlib.sha256(uri.encode()).hexdigest()[:16]
    return user_state_path("mplus_crawler") / "locks" / name
