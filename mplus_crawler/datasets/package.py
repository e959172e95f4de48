"""Builds a package from verified snapshots: tables, database, documents, certificate."""

from __future__ import annotations

import csv
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import orjson

from mplus_crawler.datasets.changes import CHANGES, change_rows, copy_changes
from mplus_crawler.datasets.citation import CITATION, citation
from mplus_crawler.datasets.crate import crate
from mplus_crawler.datasets.croissant import CROISSANT, croissant
from mplus_crawler.datasets.database import Database, views
from mplus_crawler.datasets.datapackage import DATA_PACKAGE, datapackage
from mplus_crawler.datasets.description import (
    CRATE,
    CSV,
    DATABASE,
    PARQUET,
    QUADS,
    Description,
    PackageFile,
)
from mplus_crawler.datasets.readme import LATER_FILES, README, readme
from mplus_crawler.datasets.relations import KindTable, kind_table, referred
from mplus_crawler.datasets.report.page import REPORT, report
from mplus_crawler.datasets.snapshots import DamagedSnapshotError, Kind, Snapshot
from mplus_crawler.feeds.attribution import attribution
from mplus_crawler.feeds.changes.history import ChangeFeed
from mplus_crawler.feeds.names import ATTRIBUTION, CERTIFICATE
from mplus_crawler.protocols.source import parse
from mplus_crawler.records.tables.csv_cells import csv_cell
from mplus_crawler.records.tables.table import Table
from mplus_crawler.storage.destination import Destination
from mplus_crawler.verification import sealed
from mplus_crawler.verification.package import PACKAGE_CERTIFICATE

CERTIFICATES = "certificates"


def describe(
    museum: str, kinds: Sequence[Kind], snapshots: Sequence[Snapshot], *, withhold: bool
) -> Description:
    """Return the description of the package of *museum*'s *snapshots*, which has no files yet.

    *kinds* are all of the museum. With *withhold*, records that expire are left out.
    """
    found = {one.kind for one in snapshots}
    planned = {kind.table: kind_table(kind) for kind in kinds}
    tables = [planned[kind.table] for kind in kinds if kind in found]
    # Views and keys need the tables that records refer to, even if nothing is listed there.
    needed = referred(planned.values()) - {table.name for table in tables}
    tables += [planned[name] for name in sorted(needed & planned.keys())]
    missing = [kind for kind in kinds if kind not in found]
    expires = any(one.expires for one in snapshots)
    return Description(museum, snapshots, tables, missing, withhold and expires)


class Package:
    """The package that *about* describes, built in the empty folder *folder*."""

    def __init__(self, folder: Path, scratch: Path, about: Description) -> None:
        self.folder = folder
        self.about = about
        self.unfit: Counter[str] = Counter()
        self._scratch = scratch
        self._linked: dict[str, Any] | None = None

    def build(self, place: Destination) -> None:
        """Write all files; *place* is ``HARVEST_DIR``.

        Raises OSError, and :class:`DamagedSnapshotError` for a snapshot that cannot be read.
        """
        try:
            feeds = {one.kind: self._changes(place, one) for one in self.about.snapshots}
            if not self.about.withheld:
                for snapshot in self.about.snapshots:
                    self._parquet(snapshot)
                    self._csv(snapshot)
                self._database(feeds)
                self._quads()
        except sqlite3.Error as error:
            raise OSError(f"{DATABASE}: {error}") from None
        except (msgspec.MsgspecError, ValueError, KeyError) as error:
            raise DamagedSnapshotError(f"a snapshot cannot be read: {error}") from None
        if not self.about.withheld:  # certificates may name ids, which expire too
            self._certificates()
        self._documents()
        self._certificate()

    def contents(self) -> Iterator[tuple[Path, str]]:
        """Yield the hidden files that will hold records, with their SHA-256 if it is known."""
        for snapshot in self.about.snapshots:
            yield snapshot.feed, ""
            for ending in (PARQUET, CSV):
                yield self.folder / f"{snapshot.kind.table}{ending}", ""
        yield self.folder / DATABASE, ""

    def _parquet(self, snapshot: Snapshot) -> None:
        table = self._table(snapshot)
        writer = Table("parquet", table.schema)
        with snapshot.lines() as lines, self._new(f"{table.name}{PARQUET}").open("wb") as file:
            for piece in writer.pieces(lines, self._scratch):
                file.write(piece)
        self._add(f"{table.name}{PARQUET}", f"{table.description} One row per record (Parquet).")

    def _csv(self, snapshot: Snapshot) -> None:
        table = self._table(snapshot)
        names = [column.name for column in table.schema]
        path = self._new(f"{table.name}{CSV}")
        with snapshot.lines() as lines, path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            for line in lines:
                row = parse(line)  # numbers as the feed writes them
                row["record"] = row.part("record")
                writer.writerow([csv_cell(row[name]) for name in names])
        self._add(f"{table.name}{CSV}", f"{table.description} One row per record (CSV in UTF-8).")

    def _database(self, feeds: dict[Kind, list[ChangeFeed]]) -> None:
        about = self.about
        with Database(self._new(DATABASE), about.tables, views(about.museum)) as database:
            for snapshot in about.snapshots:
                with snapshot.lines() as lines:
                    self.unfit += database.add(snapshot.kind.table, lines)
                for feed in feeds[snapshot.kind]:
                    database.insert("changes", change_rows(feed, snapshot.kind.table))
            database.insert("about", _about(about))
            database.insert("snapshots", map(_row, about.snapshots))
            database.finish()
        self._add(DATABASE, "All tables with keys, links, full-text search and views (SQLite).")

    def _quads(self) -> None:
        linked = [one for one in self.about.snapshots if one.kind.spelling]
        if not linked or linked[0].kind.spelling is None:
            return
        from mplus_crawler.datasets.quads import Quads  # pyoxigraph is an extra

        spelling = lru_cache(maxsize=4096)(linked[0].kind.spelling(linked[0].api))
        quads = Quads(linked, spelling)
        with self._new(QUADS).open("wb") as file:
            file.writelines(quads.lines())
        self._linked = {"quads": quads.quads, "repairs": dict(sorted(quads.repairs.items()))}
        self._add(QUADS, "The records as linked data, one graph per record (N-Quads).")

    def _changes(self, place: Destination, snapshot: Snapshot) -> list[ChangeFeed]:
        folder = f"{CHANGES}/{snapshot.kind.spider}"
        copies = copy_changes(place, snapshot, self.folder / folder, self._scratch)
        for copy in copies:
            self._add(f"{folder}/{copy.name}", f"Changes of {snapshot.kind.table} by this run.")
        return copies

    def _certificates(self) -> None:
        for snapshot in self.about.snapshots:
            name = f"{snapshot.kind.spider}{CERTIFICATE}"
            path = f"{CERTIFICATES}/{name}"
            shutil.copyfile(snapshot.feed.with_name(name), self._new(path))
            self._add(path, f"Certificate of the harvest of {snapshot.kind.table}.")

    def _documents(self) -> None:
        about = self.about
        credits_ = attribution(one.certificate for one in about.snapshots)
        self._write(ATTRIBUTION, credits_.encode(), "Credits and terms of use.")
        self._write(CITATION, citation(about).encode(), "How to cite the package, for programs.")
        if not about.withheld:
            self._write(DATA_PACKAGE, _json(datapackage(about)), "The CSV files (Data Package 2).")
            self._write(CROISSANT, _json(croissant(about)), "The Parquet files (Croissant 1.1).")
            self._write(REPORT, report(about), "The snapshots in figures, for people.")
        self._write(README, readme(about).encode(), LATER_FILES[README])
        self._write(CRATE, _json(crate(about)), LATER_FILES[CRATE])

    def _certificate(self) -> None:
        about = self.about
        certificate = {
            "package": 1,
            "museum": about.museum,
            "title": about.title,
            "version": about.version,
            "created": about.created,
            "expires": about.expires,
            "software": about.software,
            "withheld": about.withheld,
            "missing": [kind.table for kind in about.missing],
            "unfit": dict(sorted(self.unfit.items())),
            "linked_data": self._linked,
            "snapshots": [dict(zip(_SNAPSHOT, _row(one), strict=True)) for one in about.snapshots],
            "files": [
                {"path": file.path, "bytes": file.bytes, "sha256": file.sha256}
                for file in sorted(about.files, key=lambda file: file.path)
            ],
        }
        self._new(PACKAGE_CERTIFICATE).write_bytes(sealed(certificate))

    def _write(self, path: str, content: bytes, description: str) -> None:
        self._new(path).write_bytes(content)
        self._add(path, description)

    def _new(self, path: str) -> Path:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        return self.folder / path

    def _add(self, path: str, description: str) -> None:
        self.about.files.append(PackageFile.of(self.folder, path, description))

    def _table(self, snapshot: Snapshot) -> KindTable:
        return next(one for one in self.about.tables if one.name == snapshot.kind.table)


_SNAPSHOT = (
    *("table", "spider", "run", "api", "started_at", "finished_at", "verdict"),
    *("records", "expires_at"),
)


def _row(snapshot: Snapshot) -> tuple[Any, ...]:
    facts = snapshot.certificate
    expires = snapshot.expires
    return (
        *(snapshot.kind.table, snapshot.kind.spider, facts["run"], snapshot.api),
        *(facts["started_at"], facts["finished_at"], facts["verdict"], facts["unique"]),
        expires.isoformat().replace("+00:00", "Z") if expires else None,
    )


def _about(about: Description) -> Iterator[tuple[str, str]]:
    policy = about.policy
    yield from {
        "title": about.title,
        "description": about.summary,
        "version": about.version,
        "licence": policy["licence"],
        "licence_url": about.licence_url,
        "terms": policy["terms"],
        "credit": policy["attribution"],
        "citation": about.citation,
        "software": about.software,
    }.items()


def _json(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
