"""The certificate: the result of a harvest, for programs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from scrapy.crawler import Crawler
from scrapy.settings import BaseSettings

from mplus_crawler.census import Census, Verdict
from mplus_crawler.feeds.names import CERTIFICATE, RUNS
from mplus_crawler.feeds.retention.booking import book_certificate
from mplus_crawler.museum.contract import Museum
from mplus_crawler.responses.harvest import same_command
from mplus_crawler.responses.lifecycle import LifecycleWatch
from mplus_crawler.responses.sandboxed import SandboxWatch
from mplus_crawler.storage.destination import destination
from mplus_crawler.verification import sealed
from mplus_crawler.wire.throttle import Throttle

_KEPT_RUNS = 200


class Runs:
    """``HARVEST_DIR/runs/``: the certificate of each run, the newest of each spider.

    Methods raise OSError.
    """

    def __init__(self, settings: BaseSettings, spider: str, started_at: str, run: str) -> None:
        self.folder = destination(settings).below(RUNS)
        self.stem = f"{_compact(started_at)}-{spider}-{run}"
        self._settings = settings
        self._names = names_of_runs(spider)

    def write(self, certificate: dict[str, Any]) -> None:
        """Write the run's *certificate*, and remove those of old runs."""
        name = f"{self.stem}{CERTIFICATE}"
        self.book(self.folder.uri(name), certificate)
        self.folder.write(name, sealed(certificate))
        files = [name for name in self.folder.names() if self._names.fullmatch(name)]
        for old in sorted({name.partition(".")[0] for name in files})[:-_KEPT_RUNS]:
            for name in files:
                if name.startswith(f"{old}."):
                    self.folder.remove(name)

    def book(self, uri: str, certificate: dict[str, Any]) -> None:
        """Enter *certificate*, which will be at *uri*, into the register of expiring content."""
        book_certificate(self._settings, uri, certificate)


def names_of_runs(spider: str) -> re.Pattern[str]:
    """Return a pattern that the names of *spider*'s files in ``runs/`` match."""
    return re.compile(rf"\d{{8}}T\d{{6}}Z-{re.escape(spider)}-\d{{8}}T\d{{6}}Z-\d+\..+")


def _compact(moment: str) -> str:
    """Return an ISO 8601 *moment* without characters that some file systems refuse."""
    return moment.replace("-", "").replace(":", "")


def certificate_of(
    crawler: Crawler, run: Mapping[str, str], judged: dict[str, Any]
) -> dict[str, Any]:
    """Return the certificate of *crawler*'s harvest, *judged* by :func:`judgement`.

    *run* has the run's id, ``started_at`` and ``finished_at``.
    """
    spider = Museum.of(crawler)
    throttle = Throttle.of(crawler)
    statuses = throttle.statuses
    began, ended = (datetime.fromisoformat(run[at]) for at in ("started_at", "finished_at"))
    return {
        "spider": spider.name,
        "source": SandboxWatch.of(crawler).named(spider.policy.name),
        "private": spider.private,
        "api": spider.api_url,
        "run": run["run"],
        **judged,
        "started_at": run["started_at"],
        "finished_at": run["finished_at"],
        "duration_s": max(0, int((ended - began).total_seconds())),
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
        "policy": spider.policy.document,
    }


def judgement(crawler: Crawler, verdict: Verdict, reason: str) -> dict[str, Any]:
    """Return the verdict, and the command that resumes the harvest if anything is left to do."""
    return {
        "verdict": verdict,
        "reason": reason,
        "exit_code": verdict.exit_code,
        "resume": None if is_over(verdict) else same_command(crawler.settings),
    }


def is_over(verdict: Verdict) -> bool:
    """Whether there is nothing left to resume."""
    return verdict in (Verdict.COMPLETE, Verdict.COMPLETE_WITH_DRIFT, Verdict.CONTRACT_BROKEN)
