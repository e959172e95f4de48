"""The certificate: the result of a harvest, for programs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeGuard

import orjson
from scrapy.crawler import Crawler

from mplus_crawler.census import Census, Verdict
from mplus_crawler.errors import ExitCode
from mplus_crawler.feeds.attribution import attribute
from mplus_crawler.feeds.retention.booking import book_certificate
from mplus_crawler.museum.contract import Museum
from mplus_crawler.records.batch import stamp
from mplus_crawler.responses.lifecycle import LifecycleWatch
from mplus_crawler.storage.destination import Destination, Folder
from mplus_crawler.storage.folders import state_folder
from mplus_crawler.storage.staging import StagedFile
from mplus_crawler.verification import sealed
from mplus_crawler.wire.throttle import Throttle

# Options of one crawl, not of the one that resumes it.
_ONCE = ("-a fresh=", "-a _", "-s LOG_FILE=")


@dataclass(slots=True)
class Feed:
    """A feed that Scrapy has closed."""

    uri: str
    format: str
    items: int
    template: str
    file: StagedFile | None

    def entry(self) -> dict[str, Any]:
        """Return its entry in the certificate: where the content is, size and checksum."""
        entry = {"uri": self.uri, "format": self.format, "items": self.items}
        if self.file is None or not self.file.whole:
            return entry
        return entry | {
            "uri": self.file.place,
            "bytes": self.file.bytes,
            "sha256": self.file.sha256,
        }


class Certificates:
    """A spider's certificates at *destination*: that of the last harvest, and, if that one is
    incomplete, that of the last complete snapshot.

    :meth:`make_way` and :meth:`write` raise OSError.
    """

    def __init__(self, crawler: Crawler, destination: Destination, started_at: str) -> None:
        spider = Museum.of(crawler)
        self._settings = crawler.settings
        self._destination = destination
        self._state = Folder(state_folder(crawler.settings))
        self._name = f"{spider.name}.certificate.json"
        self._kept = f"{spider.name}.complete.certificate.json"
        self._booked = {
            "spider": spider.name,
            "started_at": started_at,
            "policy": spider.policy.document,
        }

    def make_way(self) -> None:
        """Remove the former certificate, so that one never stands beside files of another run."""
        self._retire()
        self._destination.remove(self._name)

    def write(self, certificate: dict[str, Any], *, snapshot: bool) -> None:
        """Write the *certificate* of the files that are there; *snapshot*: of a new snapshot."""
        if snapshot:
            attribute(self._destination, certificate)
            self._destination.remove(self._kept)
        else:
            self._retire()
        self._put(self._name, sealed(certificate))
        # A certificate that could not be delivered before is out of date.
        here, there = Path(self._state.uri(self._name)), Path(self._destination.uri(self._name))
        if here.resolve() != there.resolve():
            with suppress(OSError):
                self._state.remove(self._name)

    def keep(self, certificate: dict[str, Any]) -> None:
        """Write a *certificate* that cannot be delivered into the state folder."""
        with suppress(OSError):
            self._state.write(self._name, sealed(certificate))

    def _retire(self) -> None:
        """Keep the certificate of the complete snapshot beside the next one."""
        former = self._destination.read(self._name)
        if _is_complete(former):
            self._put(self._kept, former)

    def _put(self, name: str, content: bytes) -> None:
        book_certificate(self._settings, self._destination.uri(name), self._booked)
        self._destination.write(name, content)


def certificate_of(
    crawler: Crawler, run: str, started_at: str, feeds: Sequence[Feed], judged: dict[str, Any]
) -> dict[str, Any]:
    """Return the certificate of *crawler*'s harvest *run*, *judged* by :func:`judgement`."""
    spider = Museum.of(crawler)
    throttle = Throttle.of(crawler)
    statuses = throttle.statuses
    return {
        "spider": spider.name,
        "source": spider.policy.name,
        "private": spider.private,
        "base_url": spider.base_url,
        "run": run,
        **judged,
        "started_at": started_at,
        "finished_at": stamp(datetime.now(UTC)),
        "arguments": spider.arguments,
        **Census.of(crawler).counts(),
        **spider.certified(),
        "lifecycle": LifecycleWatch.of(crawler).certified(),
        "requests": {
            "sent": statuses.total(),
            "by_status": dict(sorted(statuses.items())),
            "too_many": statuses["429"],
            "peak": throttle.peaks,
        },
        "feeds": [feed.entry() for feed in feeds],
        "policy": spider.policy.document,
    }


def judgement(crawler: Crawler, verdict: Verdict, reason: str) -> dict[str, Any]:
    """Return the verdict, and the command that resumes the harvest if anything is left to do."""
    return {
        "verdict": verdict,
        "reason": reason,
        "exit_code": verdict.exit_code,
        "resume": None if is_over(verdict) else _same_command(crawler),
    }


def is_over(verdict: Verdict) -> bool:
    """Whether there is nothing left to resume."""
    return verdict in (Verdict.COMPLETE, Verdict.COMPLETE_WITH_DRIFT, Verdict.CONTRACT_BROKEN)


def _same_command(crawler: Crawler) -> str:
    """Return the command as typed, without ``fresh`` and what a scheduler adds for one job.

    Scrapy takes the command out of ``sys.argv``.
    """
    typed = sys.argv[1:]
    for place in reversed(range(len(typed))):
        if " ".join(typed[place : place + 2]).startswith(_ONCE):
            del typed[place : place + 2]
    return shlex.join(["scrapy", crawler.settings.get("RESUME_WITH", "crawl"), *typed])


def _is_complete(certificate: bytes | None) -> TypeGuard[bytes]:
    try:
        return bool(orjson.loads(certificate or b"")["exit_code"] == ExitCode.COMPLETE)
    except (ValueError, KeyError, TypeError):
        return False
