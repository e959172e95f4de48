"""Locks on the output files of a harvest, until it ends."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from platformdirs import user_state_path
from scrapy.settings import BaseSettings

from mplus_crawler.errors import DeliveryError, UsageError
from mplus_crawler.feeds.checks import feed_targets
from mplus_crawler.storage.folders import in_s3, state_folder
from mplus_crawler.storage.staging import claim, hidden, release, sweep


def claim_outputs(settings: BaseSettings, spider: str) -> None:
    """Lock the output files of *spider* for this process; remove leftovers of killed ones.

    Raises :class:`UsageError` where another process is writing one of them. A lock on this
    machine stands for an object in S3; harvests of other users and machines do not see it.
    """
    targets = dict(_targets(settings, spider))
    try:
        for uri, target in targets.items():
            try:
                claim(hidden(target))
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
    for folder in {*(target.parent for target in targets.values()), state, state.parent / "jobs"}:
        sweep(folder)
    for folder in state.glob("s3-*"):
        sweep(folder)


def release_outputs(settings: BaseSettings, spider: str) -> None:
    """Release the output files of *spider*."""
    for _, target in _targets(settings, spider):
        release(hidden(target))


def _targets(settings: BaseSettings, spider: str) -> Iterator[tuple[str, Path]]:
    """Yield the URI of each file, and the local path of its lock."""
    uris = [f"{settings['HARVEST_DIR'].rstrip('/')}/{spider}.rejected.jsonl"]
    for feed in feed_targets(settings, spider):
        if feed.path is not None:
            yield feed.uri, feed.path
        elif in_s3(feed.uri) and "%(" not in feed.uri:
            uris.append(feed.uri)
    for uri in uris:
        yield uri, _lock_of(uri) if in_s3(uri) else Path(uri)


def _lock_of(uri: str) -> Path:
    name = hashlib.sha256(uri.encode()).hexdigest()[:16]
    return user_state_path("mplus_crawler") / "locks" / name
