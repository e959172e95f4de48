"""Hostile inputs of fifteen kinds, each with the verdict and exit code that it must end with.

``tests/test_hostile.py`` runs them, ``benchmarks/hostile.py`` prints them with memory and time.
"""

from __future__ import annotations

import subprocess
import tarfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import orjson

from tests.conftest import Crawl, Scrapy
from tests.fixtures.mplus import PUBLISHED
from tests.test_faults import QUICK
from tests.test_mplus import SMALL
from tests.test_pages import FREE, LD_JSON, collection, record, stub, uri
from tests.test_streams import shell
from tests.wire import RawResponse, serving

MEGABYTE = 1024**2
KEY = "canary/7f3a-9c&e=%41+x"
ESCAPES = "\x1b[31m\r\nERROR: forged \u202e" + "x" * MEGABYTE
ROWS, SIZE = 60, 20
# Given the number of a page, how often it has been requested, and the good response.
Change = Callable[[int, int, RawResponse], RawResponse]


@dataclass(frozen=True, slots=True)
class Case:
    """A hostile input: its *kind* from 1 to 15, what it is, and how a crawl must end.

    *verdict* is empty if there is no certificate. *words* are in the certificate's reason or in
    what the command prints. *lost* is the number of records that are named as unreadable.
    """

    kind: int
    name: str
    run: Callable[[Scrapy], Crawl]
    code: int = 0
    verdict: str = "complete"
    words: str = ""
    lost: int = 0


def same(number: int, times: int, response: RawResponse) -> RawResponse:
    """Return the good response."""
    return response


def crawl(scrapy: Scrapy, change: Change, *arguments: str, bad: tuple[bytes, ...] = ()) -> Crawl:
    """Harvest three pages of objects as *change* changes them; *bad* values are in the rows."""
    full = [record(n) for n in range(ROWS)]
    for n, value in enumerate(bad):
        full[7 * n] = b'{"@id":"%s","odd":%s}' % (uri(7 * n).encode(), value)
    good, seen = collection(full, [stub(n) for n in range(ROWS)]), list[str]()

    def respond(path: str) -> RawResponse:
        seen.append(path)
        query = parse_qs(urlsplit(path).query)
        if "fullRecord" not in query or query["itemsPerPage"] != [str(SIZE)]:
            return good(path)
        return change(int(query["page"][0]), seen.count(path), good(path))

    with serving(respond) as server:
        return run(scrapy, *arguments, DMG_BASE_URL=server.base_url)


def run(scrapy: Scrapy, *arguments: str, **environment: str) -> Crawl:
    """``scrapy crawl objects``, with little patience."""
    given = (*QUICK, "-s", "RETRY_TIMES=1", "-a", f"page_size={SIZE}", *arguments)
    return scrapy.policy(FREE).crawl("objects", *given, **environment)


def with_headers(*pages: list[tuple[str, str]]) -> Change:
    """Each page has more headers, in turn."""
    return lambda number, times, response: (
        response[0],
        [*response[1], *pages[(number - 1) % len(pages)]],
        response[2],
    )


def instead(*responses: RawResponse) -> Change:
    """Each page's first responses are these."""
    return lambda number, times, response: (
        responses[times - 1] if times <= len(responses) else response
    )


def always(status: int, *headers: tuple[str, str], body: bytes = b"") -> Change:
    """Every page is this response."""
    return lambda number, times, response: (status, [LD_JSON, *headers], body)


def of_rows(rows: bytes) -> bytes:
    return b'{"hydra:totalItems":60,"hydra:view":{},"hydra:member":[%s]}' % rows


def hostile(change: Change, *arguments: str, bad: tuple[bytes, ...] = ()) -> Callable[..., Crawl]:
    return lambda scrapy: crawl(scrapy, change, *arguments, bad=bad)


# --- what needs more than a server ------------------------------------------------------------


def tar_that_claims(type_: bytes, size: int) -> Callable[[Scrapy], Crawl]:
    """A data set whose last header claims *size* bytes."""

    def run_(scrapy: Scrapy) -> Crawl:
        place, info = scrapy.folder / "set.tar", tarfile.TarInfo("././@header")
        info.type, info.size = type_, size
        with tarfile.open(place, "w") as archive:
            archive.add(PUBLISHED / "objects_JSON", "objects_JSON")
            end = archive.offset
        header = info.tobuf(tarfile.GNU_FORMAT)
        place.write_bytes(place.read_bytes()[:end] + header + bytes(10_240))
        return scrapy.crawl("mplus_open_objects", "-a", f"source={place}")

    return run_


def graphql(message: str) -> Callable[[Scrapy], Crawl]:
    """M+ responds with nothing but an error of these words."""

    def run_(scrapy: Scrapy) -> Crawl:
        body = orjson.dumps({"errors": [{"message": message}]})
        with serving(lambda path: (200, [("Content-Type", "application/json")], body)) as server:
            return scrapy.policy(SMALL, "mplus").crawl(
                *("mplus_objects", *QUICK, "-s", "RETRY_TIMES=1"),
                MPLUS_URL=server.base_url,
                MPLUS_API_KEY=KEY,
            )

    return run_


def mplus_at(url: str) -> Callable[[Scrapy], Crawl]:
    """M+ at *url*."""
    return lambda scrapy: scrapy.crawl("mplus_objects", MPLUS_URL=url, MPLUS_API_KEY=KEY)


def damaged_ledger(damage: Callable[[bytes], bytes]) -> Callable[[Scrapy], Crawl]:
    """A harvest that lacks a page is resumed with a ledger that was damaged meanwhile."""

    def run_(scrapy: Scrapy) -> Crawl:
        def fail(number: int, times: int, response: RawResponse) -> RawResponse:
            return (200, [], b"<html>") if number == 3 else response

        first = crawl(scrapy, fail)
        assert first.code == 10, first.err
        (ledger,) = (first.folder / ".state").glob("*.ledger")
        ledger.write_bytes(damage(ledger.read_bytes()))
        return crawl(scrapy, same)

    return run_


def second_of(feed: str = "", again: str = "", **places: str) -> Callable[[Scrapy], Crawl]:
    """A second harvest, with *places* below its folder, while a first one runs.

    The first one writes to *feed*, if given, and the second one to *again*; ``link`` is a link
    to their folder.
    """

    def run_(scrapy: Scrapy) -> Crawl:
        begun, over = threading.Event(), threading.Event()
        (scrapy.folder / "link").symlink_to(scrapy.folder)

        def to(place: str) -> tuple[str, ...]:
            return ("-O", str(scrapy.folder / place)) if place else ()

        def wait(path: str) -> RawResponse:
            begun.set()
            over.wait(100)
            return 200, [LD_JSON], of_rows(b"")

        with serving(wait) as server:
            base = {"DMG_BASE_URL": server.base_url}
            first = scrapy.policy(FREE).start("crawl", "objects", *to(feed), **base)
            try:
                assert begun.wait(30)
                there = {name: str(scrapy.folder / place) for name, place in places.items()}
                return run(scrapy, *to(again), **base, **there)
            finally:
                over.set()
                first.kill()
                first.communicate()

    return run_


def budget(prepare: Callable[[Path], object]) -> Callable[[Scrapy], Crawl]:
    """The budget's file is what *prepare* makes of its path."""

    def run_(scrapy: Scrapy) -> Crawl:
        place = scrapy.folder / "budget.sqlite"
        prepare(place)
        return run(scrapy, BUDGET_URL=f"sqlite:///{place}", DMG_BASE_URL="http://127.0.0.1:9/v2/")

    return run_


def small() -> Callable[[str], RawResponse]:
    """A collection of five objects."""
    return collection([record(n) for n in range(5)], [stub(n) for n in range(5)])


def at(base_url: str = "", **environment: str) -> Callable[[Scrapy], Crawl]:
    """A museum at *base_url*, where HERE is the port of a good one."""

    def run_(scrapy: Scrapy) -> Crawl:
        with serving(small()) as server:
            url = base_url.replace("HERE", str(server.server_address[1])) or server.base_url
            return run(scrapy, **environment, DMG_BASE_URL=url)

    return run_


def streams(redirect: str, arguments: str = "") -> Callable[[Scrapy], Crawl]:
    """The command as a shell starts it with a *redirect*."""

    def run_(scrapy: Scrapy) -> Crawl:
        with serving(small()) as server:
            scrapy.policy(FREE)
            command = f"crawl objects {arguments} {' '.join(QUICK)}"
            done = shell(scrapy, command, redirect, DMG_BASE_URL=server.base_url)
        return of(scrapy, done)

    return run_


def of(scrapy: Scrapy, done: subprocess.CompletedProcess[str]) -> Crawl:
    return Crawl(done.returncode, done.stdout, done.stderr, scrapy.folder / "data", "objects")


def ids(text: str) -> Callable[[Scrapy], Crawl]:
    """Single records, by a list that holds *text*."""

    def run_(scrapy: Scrapy) -> Crawl:
        file = scrapy.folder / "list.txt"
        file.write_text(text, "utf-8")

        def respond(path: str) -> RawResponse:
            number = urlsplit(path).path.rpartition("/")[2]
            return (200, [LD_JSON], record(int(number))) if number.isdigit() else (404, [], b"")

        with serving(respond) as server:
            return scrapy.policy(FREE).crawl(
                "object", *QUICK, "-a", f"pids_file={file}", DMG_BASE_URL=server.base_url
            )

    return run_


def symlink_lock(place: Path) -> None:
    """The lock file is a link to a file of the user's."""
    (place.parent / "mine").write_text("mine")
    Path(f"{place}.lock").symlink_to("mine")
