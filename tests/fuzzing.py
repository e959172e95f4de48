"""What reads data from outside, with samples to damage, for fuzzing.

Each :class:`Target` reads one kind of data as the project does and raises only errors that are
not ours. The tests run them with hypothesis, ``benchmarks/fuzz.py`` with many more inputs.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import orjson
from scrapy.http import Response

from mplus_crawler.errors import HarvestError, InvalidResponseError, UsageError, one_line
from mplus_crawler.museum.policies.policy import Limit
from mplus_crawler.protocols.archive import ArchiveError, is_archive, listed_ids, members
from mplus_crawler.protocols.graphql.calls import read_results
from mplus_crawler.protocols.graphql.outcomes import Fetched
from mplus_crawler.protocols.graphql.queries import IdQuery, RecordQuery
from mplus_crawler.protocols.graphql.reading import Reader
from mplus_crawler.protocols.hydra.collections import HydraPages, read_listing
from mplus_crawler.protocols.links import parse_links
from mplus_crawler.protocols.pagers import NextLinks, Pager, PageRequest, PagesByNumber
from mplus_crawler.protocols.provenance import origin_of
from mplus_crawler.records.reader import read_feed
from mplus_crawler.responses.lifecycle import read_lifecycle
from mplus_crawler.responses.store import DamagedError, ResponseStore, SavedResponse
from mplus_crawler.spiders.dmg.id_lists import entries
from mplus_crawler.verification import sealed, verify
from mplus_crawler.wire.budget.budget import (
    Account,
    BudgetUnavailableError,
    Quota,
    RateLimits,
)
from mplus_crawler.wire.budget.sqlite import SqliteBudget
from mplus_crawler.wire.rate_limits import read_rate_limits
from mplus_crawler.wire.spellings import Spellings

T = TypeVar("T")
Read = Callable[[bytes, Path], None]
Samples = Callable[[], list[bytes]]

URL = "https://museum.example/v2/id/objects?page=2&itemsPerPage=3"
KEY = "k+e/y=%&41-Canary~<9>"
FOLDER = "objects_JSON"


@dataclass(frozen=True, slots=True)
class Change:
    """Replace *removed* bytes at *place* (modulo the length) by *piece*, *times* over."""

    place: int
    removed: int
    piece: bytes
    times: int = 1

    def of(self, data: bytes) -> bytes:
        """Return *data* with the change."""
        start = self.place % (len(data) + 1)
        return data[:start] + self.piece * self.times + data[start + self.removed :]


@dataclass(frozen=True, slots=True)
class Target:
    """A reader of data from outside.

    *samples* are well-formed inputs, *pieces* what its grammar is made of. *read* is given an
    input and an empty folder.
    """

    name: str
    read: Read
    samples: Samples
    pieces: tuple[bytes, ...]


def damaged(data: bytes, changes: Iterable[Change]) -> bytes:
    """Return *data* after all *changes*."""
    for change in changes:
        data = change.of(data)
    return data


# --- headers ----------------------------------------------------------------------------------


def _one_of(choices: Sequence[T], data: bytes) -> T:
    return choices[len(data) % len(choices)]


def _lines(data: bytes) -> list[str]:
    return [line.decode("latin-1") for line in data.split(b"\n")]


def _read_rate_limits(data: bytes, folder: Path) -> None:
    headers: dict[str, list[str]] = {}
    for line in filter(None, _lines(data)):  # an empty line ends the headers
        name, _, value = line.partition(":")
        headers.setdefault(name.strip() or "RateLimit", []).append(value)
    response = Response(URL, status=_one_of((200, 429, 503), data), headers=headers)
    read_rate_limits(response)
    read_lifecycle(response)


def _rate_limits() -> list[bytes]:
    return [
        b'RateLimit-Policy: "a";q=100;w=60\nRateLimit: "a";r=50;t=30',
        b"RateLimit: limit=10, remaining=3, reset=7\nRetry-After: 12",
        b"X-RateLimit-Limit: 300\nX-RateLimit-Remaining: 299\nX-RateLimit-Reset: 1764000000123",
        b"Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\nDate: Wed, 21 Oct 2026 07:27:00 GMT",
        b"Sunset: Sat, 31 Dec 2033 23:59:59 GMT\nDeprecation: @1688169599\nLink: <x>; rel=sunset",
    ]


_FIELD_PIECES = (
    *(b";", b",", b"=", b'"', b"\\", b":", b"\n", b"@", b"(", b")", b"?1", b" ", b"9", b"e9"),
    *(b"RateLimit:", b"Retry-After:", b"Date:", b"RateLimit-Policy:", b"X-RateLimit-Reset:"),
    *(b"X-RateLimit-Remaining:", b"Deprecation:", b"Sunset:", b"Link:", b";r=1", b";t=1", b"\xff"),
    *(b"-1", b"9223372036854775808", b"0.5", b" GMT", b"Jan ", b" -9999", b"1e400", b"NaN"),
)


def _read_links(data: bytes, folder: Path) -> None:
    parse_links(_lines(data), URL)


def _links() -> list[bytes]:
    return [
        b'<https://museum.example/v2/id/objects?page=3>; rel="next", <a>; rel="first last"',
        b'<b>; rel=next; anchor="#x"; title="a\\"b"\n<c>;rel=prev,,;<d>;rel',
    ]


_LINK_PIECES = (
    *(b"<", b">", b"<a>", b";", b",", b'"', b"\\", b"=", b" ", b"\t", b"\n", b"rel=next"),
    *(b";a=b", b';a="b"', b';anchor="', b"http://[", b"%", b"\xff", b"../", b"://", b"@", b":"),
)

# --- pages ------------------------------------------------------------------------------------

_JSON_PIECES = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u", b"\\ud800", b"null", b"true"),
    *(b"NaN", b"1e400", b"-", b"9" * 20, b"9" * 4400, b"\0", b"\xff", b"\xef\xbb\xbf", b"[]"),
    *(b'\\"', b'{"a":1e400,"b":"'),
    *(b"{}", b'""', b"0,", b"[[", b'{"a":', b"<", b'"id":', b'"@id":', b"1,", b"\xed\xa0\x80"),
    *(b'"hydra:next":', b'"http://["', b'"?page=' + b"9" * 40 + b'"', b'"errors":', b'"total":'),
)


def _read_page(pager: Pager, data: bytes, folder: Path) -> None:
    with suppress(InvalidResponseError):
        pager.read(data, [f"<{URL}>; rel=next"], PageRequest(URL, 2, 3)).check()


def _read_hydra(data: bytes, folder: Path) -> None:
    _read_page(HydraPages(), data, folder)
    for most in (None, 3):
        with suppress(InvalidResponseError):
            read_listing(data, most)


def _hydra() -> list[bytes]:
    rows = [{"@id": f"https://m/{n}", "@type": "x", "note": ["é", {"a": 1.5}]} for n in range(3)]
    view = {"@id": URL, "hydra:next": {"@id": URL}, "hydra:last": "?page=9", "hydra:first": URL}
    page = {"hydra:totalItems": 27, "hydra:view": view, "hydra:member": rows}
    return [orjson.dumps(page), json.dumps(page, indent=1).encode()]


def _pages() -> list[bytes]:
    rows = [{"id": n, "taxon": {"name": "Ophrys"}} for n in range(3)]
    return [orjson.dumps({"data": {"count": 27, "rows": rows, "next": "/v1?page=3"}})]


_READER = Reader(("objectNumber",), "constituents", 100)


def _read_graphql(data: bytes, folder: Path) -> None:
    with suppress(InvalidResponseError):
        results = read_results(data, 10)
        _READER.outcome(IdQuery(page=1, size=5), results, "a")
        if isinstance(_READER.outcome(RecordQuery(ids=(1, 2)), results, "b"), Fetched):
            _READER.rows(results, "b")


def _graphql() -> list[bytes]:
    total = {"pagination": {"total": 7}}
    listed = [{"id": n, "objectNumber": f"{n}", "_sys": total} for n in range(3)]
    rows = [{"id": n, "objectNumber": "x", "constituents": [{"id": 9}]} for n in (1, 2)]
    data = {"alist": listed, "ben": rows, "bzh": rows}
    errors = [{"message": "no", "path": ["ben", 0]}]
    return [orjson.dumps({"data": data}), orjson.dumps({"data": data, "errors": errors})]


def _read_words(data: bytes, folder: Path) -> None:
    Spellings(KEY, "key").removed(data)
    assert one_line(data.decode("latin-1")).isprintable()


_KEY_PIECES = (
    *(
        b'\\"',
        b'&#107;+e/y=%&41-Canary~<9>"',
        b"&#107;",
        b"&amp;",
        b"&lt;",
        b"%26",
        b"%2526",
        b"\\u002b",
        b"\\",
        b'"',
        b"&",
        b"%",
        b";",
    ),
    *(b"&#x3d;", b"&amp;#61;", b"aytlL3k9", b"Canary", b"k", b"\\u", b"&#", b"\x1b[", b"\x85"),
)

# --- files ------------------------------------------------------------------------------------


@cache
def _files() -> dict[str, bytes]:
    """Return well-formed files by name."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        store = ResponseStore(folder / "ledger")
        store.recall("began", "1764000000.5")
        for number in range(3):
            headers = {"Content-Type": ["application/json"]}
            saved = SavedResponse(URL, "2026-11-28T12:00:00+00:00", headers, b"{}" * 500)
            store.put(f"{number}", saved)
        store.close()
        budget = SqliteBudget(folder / "budget")
        for _ in range(5):
            budget.reserve(_account())
        budget.close()
        _write_archives(folder)
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def _write_archives(folder: Path) -> None:
    with tarfile.open(folder / "tar", "w") as tar, zipfile.ZipFile(folder / "zip", "w") as zipped:
        for path in (
            f"set/{FOLDER}/0/1.json",
            f"set/{FOLDER}/0/é{'x' * 120}.json",
            "set/objects.csv",
        ):
            content = b'"id","x"\r\n1,"a"\r\n' if path.endswith("csv") else b'{"id": 1}'
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
            zipped.writestr(path, content, zipfile.ZIP_DEFLATED)
        link = tarfile.TarInfo(f"set/{FOLDER}/0/2.json")
        link.type, link.linkname = tarfile.SYMTYPE, "1.json"
        tar.addfile(link)


def _sample(*names: str) -> list[bytes]:
    return [_files()[name] for name in names]


def _account() -> Account:
    return Account("museum", (Limit(100, 60.0), Limit(1000, 86_400.0)))


def _read_ledger(data: bytes, folder: Path) -> None:
    (folder / "ledger").write_bytes(data)
    store = ResponseStore(folder / "ledger")
    float(store.recall("began", "1.5"))
    for key in ("0", "1", "2"):
        with suppress(DamagedError):
            store.get(key)
    assert len(list(store.all())) <= len(store)
    store.put("3", SavedResponse(URL, "2026-11-28T12:00:00+00:00", {}, b"new"))
    saved = store.get("3")
    assert saved
    assert saved.body == b"new"
    store.close()


def _read_budget(data: bytes, folder: Path) -> None:
    (folder / "budget").write_bytes(data)
    with suppress(BudgetUnavailableError):
        budget = SqliteBudget(folder / "budget")
        try:
            grant = budget.reserve(_account())
            budget.usage()
            if grant.ticket is not None:
                budget.hold(_account(), grant.ticket)
                budget.settle(_account(), grant.ticket, RateLimits((Quota(3, 5.0),)))
        finally:
            budget.close()


_BYTES = (b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\0" * 512, b"\xff" * 64, b"\x80", b"CREATE", b"'")


def _read_archive(data: bytes, folder: Path) -> None:
    place = folder / "archive"
    place.write_bytes(data)
    if not is_archive(place):
        return
    origin_of(place)
    with suppress(ArchiveError):
        list(members(place, FOLDER))
    with suppress(ArchiveError):
        listed_ids(place, FOLDER)


def _compressed_archives() -> list[bytes]:
    (tar,) = _sample("tar")
    return [lzma.compress(tar)]


_TAR_PIECES = (
    *(*_BYTES, b"0000000\0", b"77777777777\0", b"\x80" + b"\0" * 10 + b"\x7f", b"ustar\0"),
    *(
        b"30 size=99999999999\n",
        b"x",
        b"g",
        b"L",
        b"K",
        b"S",
        b"1",
        b"2",
        b"../../",
        b"12 path=a\n",
    ),
)
_ZIP_PIECES = (*_BYTES, b"PK\x01\x02", b"PK\x05\x06", b"PK\x03\x04", b"PK\x06\x06", b"\x08\0")


def _read_list(data: bytes, folder: Path) -> None:
    place = folder / _one_of(("list.txt", "list.csv"), data)
    place.write_bytes(data)
    with suppress(UsageError):
        list(entries({"pids_file": str(place)}))


def _read_argument(data: bytes, folder: Path) -> None:
    with suppress(UsageError):
        list(entries({"pids": data.decode("utf-8", "surrogateescape")}))


def _lists() -> list[bytes]:
    return [
        b"0012\n\xc2\xa00013\xe2\x80\x8b\n'0014';\n\"2001-0003%2FA\"\t\n",
        b'id,title\n0012,"a\nb"\n0013,b\n',
        b"\xef\xbb\xbfsep=;\nid;x\n0012;\n",
        b'{"id": "https://m/id/object/0012", "record": {}}\n{"id": "0013"}\n',
        b'id,record\n2001%252F3,"{""@id"": ""x""}"\n',
    ]


_TABLE_PIECES = (
    *(b",", b";", b"\t", b'"', b"\n", b"\r", b"\0", b"\xff", b"\xc2\xa0", b"\xe2\x80\x8b", b"id"),
    *(b"sep=", b"{", b"[", b"\xef\xbb\xbf", b"PK\x03\x04", b"\xff\xfe", b"%25", b"'", b" ", b"<"),
    *(
        b'"id":',
        b"null",
        b"\x1f\x8b",
        b"BZh9",
        b"\xfd7zXZ\0",
        b"1e400",
        b"NaN",
        b"[[[[",
        b"5.3E+08",
    ),
)


@cache
def _feed() -> tuple[bytes, bytes]:
    """Return a feed and its certificate."""
    rows = [{"id": f"https://m/{n}", "kind": "concept", "source": "dmg"} for n in range(3)]
    feed = b"".join(orjson.dumps(row) + b"\n" for row in rows)
    counts = {"unique": 3, "duplicates": 0, "rejected": 0, "unreadable": 0}
    document = {
        "spider": "concepts",
        "source": "dmg",
        "run": "r",
        "verdict": "complete",
        "reason": "",
        "exit_code": 0,
        "started_at": "2026-11-28T12:00:00Z",
        "finished_at": "2026-11-28T12:00:00Z",
        "arguments": {},
        "policy": {},
        "resume": None,
        "expected": {"first": 3, "last": 3},
        **counts,
        "id_digest": "0" * 64,
        "pages": {"expected": 1, "fetched": 1, "replayed": 0, "failed": 0},
        "requests": {"sent": 1, "by_status": {"200": 1}, "too_many": 0, "peak": {"x": 1}},
        "feeds": [
            {"uri": name, "format": name, "items": 3, "bytes": len(feed), "sha256": "0" * 64}
            for name in ("jsonl", "csv")
        ],
    }
    return feed, sealed(document)


def _read_verified(data: bytes, folder: Path) -> None:
    certificate = folder / "concepts.certificate.json"
    certificate.write_bytes(_feed()[1])
    place = folder / _one_of(("jsonl", "csv"), data)
    place.write_bytes(data)
    with suppress(HarvestError):
        for finding in verify(place, certificate, folder):
            assert str(finding).isprintable()


def _read_certificate(data: bytes, folder: Path) -> None:
    certificate = folder / "concepts.certificate.json"
    certificate.write_bytes(data)
    (folder / "jsonl").write_bytes(_feed()[0])
    with suppress(HarvestError):
        for finding in verify(_one_of((certificate, folder / "jsonl"), data), None, folder):
            assert str(finding).isprintable()


def _feeds() -> list[bytes]:
    feed, _ = _feed()
    return [feed, b'id,kind\nhttps://m/1,concept\n"a ""b""",concept\n']


def _read_former_feed(data: bytes, folder: Path) -> None:
    place = folder / _one_of(("feed.jsonl", "feed.csv"), data)
    place.write_bytes(data)
    for _ in read_feed(place):
        pass


def _former_feeds() -> list[bytes]:
    feed, _ = _feed()
    return [*_feeds(), gzip.compress(feed), bz2.compress(feed), lzma.compress(feed)]


TARGETS = (
    Target("rate-limit headers", _read_rate_limits, _rate_limits, _FIELD_PIECES),
    Target("Link headers", _read_links, _links, _LINK_PIECES),
    Target("Hydra pages", _read_hydra, _hydra, _JSON_PIECES),
    Target(
        "numbered pages",
        partial(_read_page, PagesByNumber("/data/rows", "/data/count")),
        _pages,
        _JSON_PIECES,
    ),
    Target(
        "pages with next links",
        partial(_read_page, NextLinks("/data/rows", "/data/count", "/data/next")),
        _pages,
        _JSON_PIECES,
    ),
    Target("GraphQL responses", _read_graphql, _graphql, _JSON_PIECES),
    Target("texts with a key", _read_words, lambda: [*_hydra(), KEY.encode()], _KEY_PIECES),
    Target("ledgers", _read_ledger, partial(_sample, "ledger"), _BYTES),
    Target("budgets", _read_budget, partial(_sample, "budget"), _BYTES),
    Target("tars", _read_archive, partial(_sample, "tar"), _TAR_PIECES),
    Target("compressed tars", _read_archive, _compressed_archives, _BYTES),
    Target("zips", _read_archive, partial(_sample, "zip"), _ZIP_PIECES),
    Target("lists of ids", _read_list, _lists, _TABLE_PIECES),
    Target("lists in an argument", _read_argument, _lists, (*_TABLE_PIECES, *_LINK_PIECES)),
    Target("feeds to verify", _read_verified, _feeds, (*_TABLE_PIECES, *_JSON_PIECES)),
    Target("certificates", _read_certificate, lambda: [_feed()[1]], _JSON_PIECES),
    Target("former feeds", _read_former_feed, _former_feeds, _TABLE_PIECES),
)
