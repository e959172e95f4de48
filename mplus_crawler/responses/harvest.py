"""What makes two commands the same harvest, and the lock that limits it to one process."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import orjson
from scrapy.settings import BaseSettings

from mplus_crawler import program
from mplus_crawler.errors import DeliveryError, UsageError
from mplus_crawler.museum.contract import Museum
from mplus_crawler.museum.policies.reading import policy_keys
from mplus_crawler.storage.folders import state_folder
from mplus_crawler.storage.locks import try_lock

# Options of one crawl, not of the one that resumes it.
_ONCE = ("-a fresh=", "-a accept=", "-a _", "-s LOG_FILE=")


@dataclass(frozen=True, slots=True)
class Harvest:
    """A harvest: the spider, the API's base URL and the arguments; *folder* has its state."""

    spider: str
    base_url: str
    arguments: Mapping[str, str]
    folder: Path

    @property
    def key(self) -> str:
        """A short name that is the same for the same harvest."""
        identity = orjson.dumps(
            [self.spider, self.base_url, dict(self.arguments)], option=orjson.OPT_SORT_KEYS
        )
        return f"{self.spider}-{hashlib.sha256(identity).hexdigest()[:12]}"

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.folder / f"{self.key}.ledger"

    @classmethod
    def of(cls, spider: Museum, settings: BaseSettings) -> Harvest:
        """The harvest that *spider* performs."""
        return cls(spider.name, spider.base_url, spider.arguments, state_folder(settings))


def same_command(settings: BaseSettings) -> str:
    """Return the command as typed, without ``fresh`` and a scheduler's arguments for one job."""
    return shlex.join([program(), settings.get("RESUME_WITH", "crawl"), *_typed()])


def accepting_command(settings: BaseSettings, spider: str, run: str) -> str:
    """Return the command that publishes the *run* of *spider* that is held back.

    ``scrapy harvest`` takes no arguments of spiders, so *spider* is crawled alone.
    """
    words = _typed()
    if settings.get("RESUME_WITH") == "harvest":
        museums = {*policy_keys(settings.get("POLICY_DIR")), "all"}
        words = [spider, *(word for word in words if word not in museums)]
    return shlex.join([program(), "crawl", *words, "-a", f"accept={run}"])


def _typed() -> list[str]:
    """Return the words after the command, which Scrapy takes out of ``sys.argv``."""
    typed = sys.argv[1:]
    for place in reversed(range(len(typed))):
        if " ".join(typed[place : place + 2]).startswith(_ONCE):
            del typed[place : place + 2]
    return typed


_locks: dict[Path, IO[str]] = {}


def lock_harvest(harvest: Harvest, job: str | None = None, resume: str | None = None) -> None:
    """Lock *harvest* for this process until it ends; *job* is the scheduler's id for it.

    The lock file keeps the command *resume*, so that it is known even if the process is killed.

    Raises :class:`UsageError` with the process that holds the lock, :class:`DeliveryError`
    where the state folder cannot be written.
    """
    path = harvest.ledger.with_suffix(".lock")
    if path in _locks:
        return
    lock = _opened(path)
    try:
        locked = try_lock(lock)
    except OSError as error:
        lock.close()
        raise DeliveryError(f"the lock {path} cannot be used: {error.strerror}") from None
    if locked is False:
        lock.seek(0)
        holder = lock.readline().strip() or "another process"
        lock.close()
        raise UsageError(f"this harvest is already running: {holder}; wait for it, or stop it")
    lock.truncate(0)
    name = f"job {job}, process {os.getpid()}" if job else f"process {os.getpid()}"
    known = {"api": harvest.base_url, "arguments": dict(harvest.arguments), "resume": resume}
    lock.write(f"{name}, since {datetime.now().astimezone():%Y-%m-%d %H:%M:%S}\n")
    json.dump(known, lock)  # unlike orjson, it writes names that are not UTF-8
    lock.flush()
    _locks[path] = lock


def _opened(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+", encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise DeliveryError(
            f"cannot write to the state folder {path.parent} ({error.strerror}); "
            "make it writable, or choose another with HARVEST_DIR or HARVEST_STATE_DIR"
        ) from None


def read_lock(path: Path) -> Mapping[str, Any] | None:
    """Return ``api``, ``arguments`` and ``resume`` of the last process that had the lock *path*."""
    try:
        known = json.loads(path.read_text("utf-8").partition("\n")[2])
        _ = dict(known["arguments"]), str(known["api"]), known["resume"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # damaged
        return None
    return dict(known)
