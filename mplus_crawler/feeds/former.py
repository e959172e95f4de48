"""The snapshot that a run replaces, by its certificate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import orjson

from mplus_crawler.errors import ExitCode
from mplus_crawler.feeds.names import CERTIFICATE
from mplus_crawler.storage.destination import Destination
from mplus_crawler.verification import seal

Certificate = Mapping[str, Any]


def snapshot_certificate(content: bytes | None) -> Certificate | None:
    """Return the certificate in *content*, if its seal is right and it is a snapshot's."""
    try:
        found = orjson.loads(content or b"")
        whole = found["seal"] == seal(found) and found["exit_code"] == ExitCode.COMPLETE
        whole = whole and found.get("snapshot", True)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if whole else None


@dataclass(frozen=True, slots=True)
class Former:
    """The snapshot that *run* replaces; an empty *certificate*: there is none."""

    run: str
    certificate: Certificate = field(default_factory=dict)

    @classmethod
    def of(cls, run: str, folder: Destination, stem: str) -> Self:
        """Return what is in *folder* now; a snapshot that cannot be read counts as none."""
        try:
            content = folder.read(f"{stem}{CERTIFICATE}")
        except OSError:
            content = None
        return cls(run, snapshot_certificate(content) or {})

    def entry(self) -> dict[str, str] | None:
        """Return its run and content digest, for the certificate.

        A run that was killed at its end publishes twice: it then replaces what it replaced first.
        """
        found = self.certificate
        if found.get("run") == self.run:
            entry: dict[str, str] | None = found.get("former")
            return entry
        if "content_digest" not in found:
            return None
        return {"run": found["run"], "content_digest": found["content_digest"]}

    def records(self, api: str) -> int:
        """Return how many records it has; 0 if it is not from *api*."""
        return int(self.certificate["unique"]) if self.certificate.get("api") == api else 0
