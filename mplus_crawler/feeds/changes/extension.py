"""The change feed of a harvest: evidence about absent ids, comparison, file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import IO, Any

import msgspec
from scrapy.crawler import Crawler

from mplus_crawler.census import Census
from mplus_crawler.feeds.changes.change import Change, ChangeType, Header
from mplus_crawler.feeds.changes.comparison import Comparison, creations
from mplus_crawler.feeds.changes.evidence import Evidence, Reason
from mplus_crawler.feeds.changes.former import FormerSnapshot
from mplus_crawler.feeds.changes.history import ENDING, FOLDER, History
from mplus_crawler.feeds.changes.replay import Net
from mplus_crawler.feeds.changes.snapshot import Row, beside
from mplus_crawler.feeds.changes.summary import Summary, since
from mplus_crawler.feeds.former import Certificate, snapshot_certificate
from mplus_crawler.feeds.names import CERTIFICATE, RunFiles
from mplus_crawler.museum.components import Extension
from mplus_crawler.museum.contract import Museum
from mplus_crawler.storage.destination import Destination
from mplus_crawler.storage.staging import StagedFile

# So many records may be requested singly, however small the collection is.
_FEW = 10


@dataclass(frozen=True, slots=True)
class Written:
    """A written feed: *former* and *entry* for the certificate; the number of ids *gone*."""

    former: Mapping[str, str] | None
    entry: dict[str, Any]
    gone: int


class Changes(Extension):
    """Extension: compares the snapshot of a harvest with the one that it replaces."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._evidence: dict[str, Evidence] = {}

    @cached_property
    def _files(self) -> RunFiles:
        return RunFiles.of(self._crawler.settings, self._museum, "")

    @cached_property
    def place(self) -> Destination:
        """The folder of the spider's change feeds."""
        return self._files.folder.below(FOLDER).below(self._museum.name)

    @cached_property
    def _former(self) -> FormerSnapshot | None:
        """The snapshot that this harvest may replace, as it is when it is first needed."""
        try:
            return FormerSnapshot.find(self.former_certificate, self._files, self._museum.api_url)
        except OSError as error:
            self._census.note(f"the change feed starts again: {error}")
            return None

    @cached_property
    def former_certificate(self) -> Certificate | None:
        """The certificate of the former snapshot; ``None`` if it is missing or unreadable."""
        try:
            content = self._files.folder.read(f"{self._files.stem}{CERTIFICATE}")
        except OSError:
            content = None
        return snapshot_certificate(content)

    @property
    def former_filled(self) -> Mapping[str, int]:
        """``filled`` of the former snapshot; empty if there is none, or if this run makes none."""
        found = self.former_certificate or {}
        return found["filled"] if self._files.makes_snapshot and self._former else {}

    def former_rows(self) -> Iterator[Row]:
        """Yield the rows of the former snapshot, sorted by id."""
        return self._former.rows() if self._former else iter(())

    @property
    def former_records(self) -> int:
        """How many records the former snapshot has; 0 if it is not from exactly this API."""
        found = self.former_certificate or {}
        return int(found["unique"]) if found.get("api") == self._museum.api_url else 0

    @cached_property
    def _history(self) -> History:
        return History.of(self.place, self._former.run) if self._former else History()

    @property
    def _census(self) -> Census:
        return Census.of(self._crawler)

    def close(self) -> None:
        """Close the former snapshot."""
        if (former := self.__dict__.get("_former")) is not None:
            former.close()

    # What the spider finds out about absent records.

    def to_request(self) -> list[str]:
        """Return the ids to request singly: those that are absent, and those still missing.

        None if so many are absent that the snapshot would be held back. Raises OSError.
        """
        if not (self._files.makes_snapshot and self._former):
            return []
        knows = self._census.knows
        share = float(self._crawler.settings["MAX_DELETE_SHARE"])
        most = int(max(_FEW, share * self._former.records))
        absent = (row.id for row in self._former.rows() if not knows(row.id))
        first = [*islice(absent, most + 1)]
        if len(first) > most:
            return []
        waiting = (id_ for id_ in self._history.oldest_missing() if not knows(id_))
        return [*dict.fromkeys([*first, *waiting])][:most]

    def settle(self, id_: str, evidence: Evidence) -> None:
        """Record what the request for the absent *id_* has shown."""
        self._evidence[id_] = evidence

    @property
    def findings(self) -> str:
        """What has been settled, as text for :meth:`recall`."""
        return msgspec.json.encode(self._evidence).decode()

    def recall(self, findings: str) -> None:
        """Settle what a run that was held back has found."""
        self._evidence = msgspec.json.decode(findings, type=dict[str, Evidence])

    @property
    def not_found(self) -> bool:
        """Whether any of these requests led to a 404."""
        return any(each.reason is Reason.NOT_FOUND for each in self._evidence.values())

    def doubt_404s(self) -> None:
        """Record that the museum also responds with 404 for a record that exists."""
        for id_, each in self._evidence.items():
            if each.reason is Reason.NOT_FOUND:
                detail = "404, but also for a record that exists"
                self._evidence[id_] = Evidence(Reason.UNANSWERED, each.at, detail=detail)

    # The feed.

    def write(
        self,
        file: StagedFile,
        snapshot: IO[bytes],
        rejects: IO[bytes] | None,
        to: Mapping[str, str],
    ) -> Written:
        """Write the feed to *file*; raise OSError.

        *snapshot* and *rejects* are the new files. *to* has the run, its content digest, and the
        times when it began and ended (``started_at``, ``finished_at``).
        """
        evidence = {id_: self._resolved(each) for id_, each in self._evidence.items()}
        comparison = Comparison(
            _Why(self._museum, evidence, _reasons(rejects), to["finished_at"]).reason,
            self._history.out,
            self._history.missing,
            {*self._history.targets(), *(each.to or "" for each in evidence.values())},
        )
        header, changes = self._feed(snapshot, comparison, to)
        summary = Summary()
        file.write(header.line())
        for seq, change in enumerate(changes, 1):
            summary.add(change)
            file.write(change.line(seq))
        file.finish()
        now = datetime.fromisoformat(to["finished_at"])
        beginning = since(header.between[0], now) if header.former else "first snapshot"
        entry = {
            "file": f"{FOLDER}/{self._museum.name}/{to['run']}{ENDING}",
            "bytes": file.bytes,
            "sha256": file.sha256,
            **{type_.lower(): summary.counts[type_] for type_ in ChangeType},
            "regenerated": summary.regenerated,
            "summary": summary.sentence(beginning),
        }
        return Written(header.former, entry, comparison.gone)

    def _resolved(self, evidence: Evidence) -> Evidence:
        """Return *evidence*; of a merged record, with the id at the end of all merges."""
        to, seen = evidence.to, set[str]()
        while to and to not in seen and not self._census.knows(to):
            seen.add(to)
            found, before = self._evidence.get(to), self._history.out.get(to)
            further = (found and found.to) or (before and before.to)
            if not further:
                break
            to = further
        return replace(evidence, to=to)

    def _feed(
        self, snapshot: IO[bytes], comparison: Comparison, to: Mapping[str, str]
    ) -> tuple[Header, Iterable[Change]]:
        name, former, now = self._museum.name, self._former, self._census.digests()
        end = {"run": to["run"], "content_digest": to["content_digest"]}
        if former is None:
            header = Header(name, None, end, (to["started_at"], to["finished_at"]))
            return header, creations(now)
        changes: Iterable[Change] = comparison.changes(former.rows(), beside(now, snapshot))
        last = self._history.feeds[-1] if self._history.feeds else None
        if former.run != to["run"]:
            begin = {"run": former.run, "content_digest": former.content_digest}
            return Header(name, begin, end, (former.started_at, to["finished_at"])), changes
        # The run was killed after it had been published: its feed leads to the same run again.
        if last is None:
            return Header(name, None, end, (to["started_at"], to["finished_at"])), creations(now)
        net = Net()
        for feed in self._history.feeds[:-1]:
            net.know(feed.changes())
        net.add(last.changes())
        net.add(changes)
        between = (last.header.between[0], to["finished_at"])
        return Header(name, last.header.former, end, between), net.changes()


@dataclass(frozen=True, slots=True)
class _Why:
    """Why ids are not in the snapshot that ends *at* that moment."""

    museum: Museum
    evidence: Mapping[str, Evidence]
    rejects: Mapping[str, str]
    at: str

    def reason(self, id_: str) -> Evidence:
        if found := self.evidence.get(id_):
            return found
        if rejected := self.rejects.get(id_):
            reason = Reason.UNREADABLE if rejected == "unreadable" else Reason.REJECTED
            return Evidence(reason, self.at, detail=rejected)
        if self.museum.absence_proves_deletion:
            return Evidence(Reason.WITHDRAWN, self.at)
        single = self.museum.record_url(id_) is not None
        return Evidence(Reason.NOT_REQUESTED if single else Reason.ABSENT, self.at)


class _Rejected(msgspec.Struct):
    reason: str
    id: str | None = None


def _reasons(file: IO[bytes] | None) -> dict[str, str]:
    """Return why records were rejected, by their ids; a vanished one is absent, not rejected."""
    parse = msgspec.json.Decoder(_Rejected).decode
    rejected = (parse(line) for line in file or ())
    return {one.id: one.reason for one in rejected if one.id and one.reason != "vanished"}
