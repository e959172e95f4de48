"""What ``HARVEST_DIR`` holds: snapshots, and harvests that have not ended well."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from scrapy.settings import BaseSettings

from mplus_crawler.feeds.names import CERTIFICATE, RUNS
from mplus_crawler.museum.policies.policy import base_settings
from mplus_crawler.museum.policies.reading import load_policy, policy_keys
from mplus_crawler.records.batch import stamp
from mplus_crawler.responses.harvest import Harvest, read_lock
from mplus_crawler.storage.destination import Destination, destination
from mplus_crawler.storage.folders import state_folder
from mplus_crawler.storage.locks import try_lock

_COMPLETE = ("complete", "complete_with_drift")
_CHANGES = ("create", "update", "missing", "delete", "move", "restore")

Certificate = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SnapshotStatus:
    """A snapshot: its records, how old they are, and when they last differed from the one before.

    *expires_at* is the date by which the museum wants the records refreshed or deleted; *changes*
    counts them by kind, *changed_at* is ``None`` where no certificate in ``runs/`` has changes.
    """

    spider: str
    museum: str
    file: str
    records: int
    verdict: str
    finished_at: str
    age_s: int
    expires_at: str | None
    changed_at: str | None
    changes: dict[str, int]


@dataclass(frozen=True, slots=True)
class UnfinishedHarvest:
    """A harvest whose last run was not complete; *resume* is the command that continues it.

    If its process was killed, *run* is ``None`` and *verdict* is ``interrupted``.
    """

    spider: str
    verdict: str
    reason: str
    run: str | None
    api: str | None
    arguments: dict[str, str]
    finished_at: str | None
    running: bool
    resume: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """Snapshots and unfinished harvests; *unreadable* are certificates that cannot be read."""

    place: str
    snapshots: list[SnapshotStatus]
    unfinished: list[UnfinishedHarvest]
    unreadable: list[str]

    def document(self) -> dict[str, Any]:
        """Return the status as JSON data."""
        return asdict(self)


def read_status(settings: BaseSettings, now: datetime) -> Status:
    """Return what ``HARVEST_DIR`` holds; raises OSError where it cannot be read."""
    folder, unreadable = destination(settings), list[str]()
    snapshots = list(_certificates(folder, unreadable))
    runs = [found for _, found in _certificates(folder.below(RUNS), unreadable)]
    runs.sort(key=lambda run: str(run["started_at"]))
    return Status(
        folder.uri("").rstrip("/"),
        [
            _snapshot(folder, found, runs, now)
            for name, found in snapshots
            if name == f"{found['spider']}{CERTIFICATE}"
            and found["verdict"] in _COMPLETE
            and found.get("snapshot", True)  # version 0.1 did not write this field
        ],
        [*_unfinished(runs, settings)],
        unreadable,
    )


def _certificates(folder: Destination, unreadable: list[str]) -> Iterator[tuple[str, Certificate]]:
    """Yield the certificates in *folder* by name; those that cannot be read are *unreadable*."""
    for name in folder.names():
        if name.endswith(CERTIFICATE):
            try:
                found = orjson.loads(folder.read(name) or b"")
                _ = found["spider"], found["verdict"], found["started_at"], found["arguments"]
                datetime.fromisoformat(found["finished_at"])
            except (ValueError, KeyError, TypeError):
                unreadable.append(folder.uri(name))
            else:
                yield name, found


def _snapshot(
    folder: Destination, found: Certificate, runs: Sequence[Certificate], now: datetime
) -> SnapshotStatus:
    ended = datetime.fromisoformat(found["finished_at"])
    days = found.get("policy", {}).get("retention_days")
    began = datetime.fromisoformat(found["started_at"])
    changed = next(
        (
            run
            for run in (found, *reversed(runs))
            if run["spider"] == found["spider"] and any(_counts(run).values())
        ),
        None,
    )
    return SnapshotStatus(
        spider=found["spider"],
        museum=found.get("source", ""),
        file=folder.uri(f"{found['spider']}.jsonl"),
        records=found.get("unique", 0),
        verdict=found["verdict"],
        finished_at=found["finished_at"],
        age_s=int((now - ended).total_seconds()),
        expires_at=stamp(began + timedelta(days=days)) if days else None,
        changed_at=changed["finished_at"] if changed else None,
        changes=_counts(changed) if changed else {},
    )


def _counts(run: Certificate) -> dict[str, int]:
    changes = run.get("changes") or {}
    return {kind: changes[kind] for kind in _CHANGES if changes.get(kind)}


def _unfinished(runs: Sequence[Certificate], settings: BaseSettings) -> Iterator[UnfinishedHarvest]:
    """Yield the harvests whose newest run is not complete, and those that were killed."""
    state = state_folder(settings)
    newest = {_key(run, state): run for run in runs}
    keys = {ledger.stem for ledger in state.glob("*.ledger")} if state.is_dir() else set()
    for key in sorted({*newest, *keys}):
        run = newest.get(key)
        running = _is_locked(state / f"{key}.lock")
        if run is not None and run["verdict"] not in _COMPLETE:
            yield _of(run, settings, running=running)
        elif key in keys or running:
            last = read_lock(state / f"{key}.lock") or {}
            yield UnfinishedHarvest(
                spider=key.rpartition("-")[0],
                verdict="running" if running else "interrupted",
                reason="it has not ended" if running else "its process was killed",
                run=None,
                api=last.get("api"),
                arguments=last.get("arguments", {}),
                finished_at=None,
                running=running,
                resume=None if running else last.get("resume"),
            )


def _of(run: Certificate, settings: BaseSettings, *, running: bool) -> UnfinishedHarvest:
    resume = run.get("resume")
    if resume and (variable := _address(run, settings)):
        resume = f"{variable} {resume}"
    return UnfinishedHarvest(
        spider=run["spider"],
        verdict="running" if running else run["verdict"],
        reason=run.get("reason", ""),
        run=run.get("run"),
        api=_api(run),
        arguments=dict(run["arguments"]),
        finished_at=run["finished_at"],
        running=running,
        resume=None if running or run["verdict"] == "refused" else resume,
    )


def _address(run: Certificate, settings: BaseSettings) -> str:
    """Return ``NAME=URL`` where the run's API is not at the address that its policy names."""
    api, usual = _api(run), run.get("policy", {}).get("base_url") or ""
    if not api or api.startswith(usual):
        return ""
    overlay = settings.get("POLICY_DIR")
    for key in policy_keys(overlay):
        name = base_settings(key)[0]
        if load_policy(key, overlay).base_url == usual and name not in run["resume"]:
            return f"{name}={shlex.quote(api)}"
    return ""


def _api(run: Certificate) -> str:
    return str(run.get("api") or run.get("base_url") or "")  # as version 0.1 named it


def _key(run: Certificate, state: Path) -> str:
    """Return the name of the harvest's state, which is the same for the same harvest."""
    return Harvest(run["spider"], _api(run), run["arguments"], state).key


def _is_locked(lock: Path) -> bool:
    """Whether a process has *lock*."""
    with suppress(OSError), lock.open("rb") as file:
        return try_lock(file) is False
    return False
