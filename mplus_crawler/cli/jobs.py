"""Jobs of a scheduler: how each ended, to be looked up by its id.

Scrapyd names a job with the spider argument ``_job``. What it came to is written as
``jobs/JOB.certificate.json`` in ``HARVEST_DIR``, even if the job was refused before it began.
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
_LONGEST = 200  # file systems stop at 255 bytes


@dataclass(frozen=True, slots=True)
class Job:
    """A job: the scheduler's id of it, its spider, and the settings that it was given."""

    id: str
    spider: str
    settings: BaseSettings

    @classmethod
    def of(cls, spider: str, arguments: Mapping[str, str], settings: BaseSettings) -> Self | None:
        """The job that a scheduler's *arguments* name; ``None`` for a crawl of its own."""
        named = job_id(arguments)
        return cls(named, spider, settings) if named else None

    @property
    def file(self) -> str:
        """The name of its certificate, safe in any file system, and no other job's."""
        name = quote(self.id, safe="", errors="surrogateescape")
        if len(name) > _LONGEST:
            name = hashlib.sha256(name.encode()).hexdigest()
        return f"jobs/{name}.certificate.json"

    def certify(self, certificate: Mapping[str, Any]) -> None:
        """Write the harvest's *certificate* under the job's id.

        Where it cannot be delivered it goes to the harvest's state.
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
                logger.warning("the job's certificate could not be stored: %s", error)

    def uncertified(self, exit_code: int, verdict: str, reason: str) -> None:
        """Write how a job ended that came to no certificate of its harvest."""
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
    """The id by which a scheduler knows the crawl of *arguments*; ``None`` where it gave none."""
    return arguments.get(_ARGUMENT) or None
