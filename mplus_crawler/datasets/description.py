"""What a package says about itself; each of its documents is made from this."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mplus_crawler import __version__
from mplus_crawler.datasets.relations import KindTable
from mplus_crawler.datasets.snapshots import Kind, Snapshot

PARQUET, CSV, DATABASE, QUADS = ".parquet", ".csv", "museum.sqlite", "museum.nq"
CRATE = "ro-crate-metadata.json"
_MEDIA_TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".csv": "text/csv",
    ".sqlite": "application/vnd.sqlite3",
    ".nq": "application/n-quads",
    ".jsonl": "application/jsonl",
    ".json": "application/json",
    ".md": "text/markdown",
    ".cff": "application/yaml",
    ".html": "text/html",
}


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file of the package: its *path* there, and what it is in one sentence."""

    path: str
    description: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, folder: Path, path: str, description: str) -> PackageFile:
        """Return the entry of the file *path* in *folder*; raises OSError."""
        with (folder / path).open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(path, description, (folder / path).stat().st_size, sha256)

    @property
    def media_type(self) -> str:
        """The media type, by the ending of its name."""
        ending = Path(self.path).suffix
        return _MEDIA_TYPES.get(ending) or mimetypes.types_map.get(ending, "text/plain")


@dataclass(slots=True)
class Description:
    """The package of *museum*: its *snapshots* and their *tables*, and its *files* so far.

    *missing* are kinds without a snapshot. *withheld* says that records with an expiry date were
    left out on request.
    """

    museum: str
    snapshots: Sequence[Snapshot]
    tables: Sequence[KindTable]
    missing: Sequence[Kind]
    withheld: bool = False
    files: list[PackageFile] = field(default_factory=list)

    @property
    def name(self) -> str:
        """A name for programs."""
        return f"{self.museum.replace('_', '-')}-dataset"

    @property
    def source(self) -> str:
        """The museum, as the certificates name it."""
        return str(self._certificates[0]["source"])

    @property
    def title(self) -> str:
        """The title of the package."""
        what = "published data set" if self.policy.get("dataset") else "collection data"
        return f"{self.source}: {what}"

    @property
    def summary(self) -> str:
        """What the package is, in a few sentences."""
        counts = ", ".join(
            f"{one.certificate['unique']:,} {one.kind.table}" for one in self.snapshots
        )
        images = any(column.name == "images" for one in self.tables for column in one.schema)
        if self.withheld:
            return (
                f"What was read from {self.snapshots[0].api} and certified as complete: {counts}. "
                "The records are left out, since they must be refreshed or deleted."
            )
        return (
            f"Records of {self.source} as tables and as a database: {counts}. "
            f"Read from {self.snapshots[0].api} and certified as complete. "
            f"Images are not included{'; their addresses and rights are' if images else ''}."
        )

    @property
    def created(self) -> str:
        """When the last record was read, in UTC."""
        return str(max(one["finished_at"] for one in self._certificates))

    @property
    def began(self) -> str:
        """When the first record was read, in UTC."""
        return str(min(one["started_at"] for one in self._certificates))

    @property
    def expires(self) -> str | None:
        """The day on which the first records must be refreshed or deleted."""
        dates = [one.expires for one in self.snapshots if one.expires]
        return f"{min(dates):%Y-%m-%d}" if dates and not self.withheld else None

    @property
    def version(self) -> str:
        """The day of the last record, and the beginning of a digest of all snapshots.

        It has the form of Semantic Versioning, which some tools expect.
        """
        digests = [f"{one.kind.spider} {_feed(one)['sha256']}\n" for one in self.snapshots]
        digest = hashlib.sha256("".join([*digests, str(self.withheld)]).encode()).hexdigest()
        day = ".".join(str(int(part)) for part in self.created[:10].split("-"))
        return f"{day}+{digest[:8]}"

    @property
    def policy(self) -> dict[str, Any]:
        """The museum's policy as it was when the snapshots were made."""
        return dict(self._certificates[0]["policy"])

    @property
    def licence_url(self) -> str:
        """The page of the licence, else of the terms of use."""
        return str(self.policy.get("licence_url") or self.policy["terms"])

    @property
    def citation(self) -> str:
        """How to cite the package."""
        year = self.created[:4]
        return f"{self.source} ({year}). {self.title}. Version {self.version}. {self.address}"

    @property
    def address(self) -> str:
        """Where the museum publishes the data."""
        return str(self.policy["base_url"])

    @property
    def software(self) -> str:
        """The program that made the package."""
        return f"mplus_crawler {__version__}"

    @property
    def _certificates(self) -> list[dict[str, Any]]:
        return [one.certificate for one in self.snapshots]


def _feed(snapshot: Snapshot) -> dict[str, Any]:
    entries: list[dict[str, Any]] = snapshot.certificate["feeds"]
    return next((one for one in entries if one["uri"].endswith(snapshot.feed.name)), entries[0])
