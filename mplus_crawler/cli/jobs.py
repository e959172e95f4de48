"""Jobs of a scheduler: the certificate of each, under the job's id.

Scrapyd passes the id as the spider argument ``_job``. The certificate is
``jobs/JOB.certificate.json`` in ``HARVEST_DIR``; a job that fails its checks has one, too.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import quote

from scrapy.settings import BaseSettings

from mplus_crawler.feeds.retention.booking import book_certificate
from mplus_crawler.records.batch import stamp
from mplus_crawler.storage.destination import Destination, Folder, destination
from mplus_crawler.storage.folders import state_folder
from mplus_crawler.verification import sealed

logger = logging.getLogger(__name__)

_ARGUMENT = "_job"
_MAX_NAME = 200  # file systems allow 255 bytes


@dataclass(frozen=True, slots=True)
class Job:
    """A scheduler's job: its id, its spider and its settings."""

    id: str
    spider: str
    settings: BaseSettings

    @classmethod
    def of(cls, spider: str, arguments: Mapping[str, str], settings: BaseSettings) -> Self | None:
        """Return the job that *arguments* name; ``None`` without a scheduler."""
        named = job_id(arguments)
        return cls(named, spider, settings) if named else None

    @property
    def file(self) -> str:
        """The name of its certificate: valid in any file system, and unique."""
        name = quote(self.id, safe="", errors="surrogateescape")
        if len(name) > _MAX_NAME:
            name = hashlib.sha256(name.encode()).hexdigest()
        return f"jobs/{name}.certificate.json"

    def certify(self, certificate: Mapping[str, Any]) -> None:
        """Write the harvest's *certificate* under the job's id.

        If ``HARVEST_DIR`` cannot be written, it goes to the state folder.
        """
        verdict, reason = certificate["verdict"], certificate["reason"]
        level = logging.ERROR if certificate["exit_code"] else logging.INFO
        logger.log(level, "%s (exit %d): %s", verdict, certificate["exit_code"], reason)
        content = sealed({**certificate, "job": self.id.encode(errors="replace").decode()})
        for place in (destination, _state):
            try:
                folder = place(self.settings)
                book_certificate(self.settings, folder.uri(self.file), certificate)
                folder.write(self.file, content)
                break
            except OSError as error:
                logger.warning("the job's certificate could not be written: %s", error)

    def certify_failure(self, exit_code: int, verdict: str, reason: str) -> None:
        """Write the certificate of a job whose harvest has none."""
        self.certify(
            {
                "spider": self.spider,
                "verdict": verdict,
                "reason": reason,
                "exit_code": exit_code,
                "finished_at": stamp(datetime.now(UTC)),
            }
        )


def _state(settings: BaseSettings) -> Destination:
    return Folder(state_folder(settings))


def job_id(arguments: Mapping[str, str]) -> str | None:
    """Return the scheduler's job id among *arguments*; ``None`` without a scheduler."""
    return arguments.get(_ARGUMENT) or None
