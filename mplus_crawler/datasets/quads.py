"""Writes the linked data of a museum's records as N-Quads.

Each record is a graph that its ``uri`` names. The last graph says which run retrieved each, and
when; without it, equal records give equal files.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

import msgspec
import pyoxigraph as ox

from mplus_crawler.datasets.jsonld import PREFIXES, Json, Repairs, escape
from mplus_crawler.datasets.snapshots import Snapshot
from mplus_crawler.protocols.source import parse
from mplus_crawler.storage.sqlite import scratch

_LABEL = ox.NamedNode(f"{PREFIXES['rdfs']}label")
_TYPE = ox.NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
_GENERATED_AT = ox.NamedNode(f"{PREFIXES['prov']}generatedAtTime")
_GENERATED_BY = ox.NamedNode(f"{PREFIXES['prov']}wasGeneratedBy")
_DATE_TIME = ox.NamedNode(f"{PREFIXES['xsd']}dateTime")


class _Row(msgspec.Struct):
    """The columns of a row that the graphs need."""

    id: str
    uri: str
    label: str
    retrieved_at: str
    record: msgspec.Raw


class Quads:
    """The quads of *snapshots*, whose records are JSON-LD.

    *spelling* returns the canonical spelling of a URI. Afterwards :attr:`repairs` has the number of
    repairs by kind, and :attr:`quads` the number of quads.
    """

    def __init__(self, snapshots: Iterable[Snapshot], spelling: Callable[[str], str]) -> None:
        self.quads = 0
        self._snapshots = list(snapshots)
        self._ids = scratch("CREATE TABLE ids (id TEXT PRIMARY KEY) WITHOUT ROWID")
        self._repairs = Repairs(spelling, self._is_record)

    @property
    def repairs(self) -> Counter[str]:
        """What was repaired, and how often."""
        return +self._repairs.count

    def lines(self) -> Iterator[bytes]:
        """Yield the file, a graph at a time; one record is in memory. Raises ValueError."""
        with closing(self._ids):
            for snapshot in self._snapshots:
                ids = ((row.id,) for row in _rows(snapshot))
                self._ids.executemany("INSERT OR IGNORE INTO ids VALUES (?)", ids)
            for snapshot in self._snapshots:
                for row in _rows(snapshot):
                    yield self._counted(self._graph(row))
        for snapshot in self._snapshots:
            graph = ox.NamedNode(f"{snapshot.api}#provenance")
            run = ox.NamedNode(f"{snapshot.api}#run/{escape(snapshot.certificate['run'])}")
            yield self._counted(_sorted(_run(run, snapshot, graph)))
            for row in _rows(snapshot):
                yield self._counted(_sorted(_retrieval(row, run, graph)))

    def _counted(self, lines: list[bytes]) -> bytes:
        self.quads += len(lines)
        return b"".join(lines)

    def _graph(self, row: _Row) -> list[bytes]:
        """Return the quads of the record in *row*, of which one is about its id."""
        subject, graph = ox.NamedNode(escape(row.id)), ox.NamedNode(escape(row.uri))
        lines: list[bytes] = []
        try:
            record = parse(bytes(row.record))
            lines = _sorted(_quads(self._repairs.document(record, subject.value), graph))
        except (SyntaxError, ValueError, RecursionError):
            self._repairs.count["unreadable"] += 1
        if not any(line.startswith(f"{subject} ".encode()) for line in lines):
            self._repairs.count["empty"] += 1
            lines += _sorted([ox.Quad(subject, _LABEL, ox.Literal(row.label), graph)])
        return lines

    def _is_record(self, id_: str) -> bool:
        return self._ids.execute("SELECT 1 FROM ids WHERE id = ?", (id_,)).fetchone() is not None


def _rows(snapshot: Snapshot) -> Iterator[_Row]:
    decoder = msgspec.json.Decoder(_Row)
    with snapshot.lines() as lines:
        yield from map(decoder.decode, lines)


def _quads(document: Json, graph: ox.NamedNode) -> Iterable[ox.Quad]:
    """Return the quads of *document* in *graph*."""
    context = document.pop("@context")
    whole = {"@context": context, "@id": graph.value, "@graph": [document]}
    text = json.dumps(whole, ensure_ascii=False).encode()
    return ox.parse(input=text, format=ox.RdfFormat.JSON_LD, base_iri=document["@id"])


def _sorted(quads: Iterable[ox.Quad]) -> list[bytes]:
    """Return *quads* as lines, each once and in one order."""
    text = ox.serialize(quads, format=ox.RdfFormat.N_QUADS) or b""
    return sorted(set(text.splitlines(keepends=True)))


def _run(run: ox.NamedNode, snapshot: Snapshot, graph: ox.NamedNode) -> Iterator[ox.Quad]:
    prov, facts = PREFIXES["prov"], snapshot.certificate
    yield ox.Quad(run, _TYPE, ox.NamedNode(f"{prov}Activity"), graph)
    for name, time in (("startedAtTime", "started_at"), ("endedAtTime", "finished_at")):
        moment = ox.Literal(facts[time], datatype=_DATE_TIME)
        yield ox.Quad(run, ox.NamedNode(f"{prov}{name}"), moment, graph)


def _retrieval(row: _Row, run: ox.NamedNode, graph: ox.NamedNode) -> Iterator[ox.Quad]:
    record, moment = (
        ox.NamedNode(escape(row.uri)),
        ox.Literal(row.retrieved_at, datatype=_DATE_TIME),
    )
    yield ox.Quad(record, _GENERATED_AT, moment, graph)
    yield ox.Quad(record, _GENERATED_BY, run, graph)
