"""The tutorial: its blocks, in a copy of the checkout, harvest the museum that it invents."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

import pytest

from mplus_crawler.protocols.pagers import with_parameter
from tests import canary
from tests.command import Command
from tests.conftest import ROOT, last_certificate

pytestmark = pytest.mark.long

TUTORIAL = ROOT / "docs" / "adding-a-museum.md"
BLOCK = re.compile(r"^`(\S+/\S+)`\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KEY = "canary+7f3a/9c&e=%41"
ROWS, SIZE = 230, 50
# The copy of the project in the current directory takes the place of this one.
THE_COPY = """
import os, sys
for name in [*sys.modules]:
    if name.partition(".")[0] in ("mplus_crawler", "schemas"):
        del sys.modules[name]
sys.path.insert(0, os.getcwd())
sys.stdout, sys.stderr = (open(number, "w", 1, closefd=False) for number in (1, 2))
"""


def blocks() -> dict[str, str]:
    """By path, the files that the tutorial writes."""
    return dict(BLOCK.findall(TUTORIAL.read_text("utf-8")))


class Herbarium(ThreadingHTTPServer):
    """The API of the tutorial; *on_page* may change it, or respond itself, before each page."""

    daemon_threads = True

    def __init__(self, on_page: Callable[[Herbarium, int, Reply], bool]) -> None:
        self.on_page = on_page
        self.ids = list(range(1, ROWS + 1))
        self.pages: list[tuple[int, bool]] = []
        super().__init__(("127.0.0.1", 0), Reply)

    def handle_error(self, *requested: Any) -> None:
        """Clients that hang up are no error here."""


class Reply(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Herbarium

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if query.get("apikey") != [KEY]:
            self.send(401, {"message": f"bad key {query.get('apikey')}"})
        elif url.path == "/v1/specimens":
            number, light = int(query.get("page", ["1"])[0]), "fields" in query
            self.server.pages.append((number, light))
            if not self.server.on_page(self.server, number, self):
                self.send(200, self.page(number, int(query["per_page"][0]), light=light))
        else:
            id_ = int(url.path.rpartition("/")[2])
            if id_ in self.server.ids:
                self.send(200, {"data": {"specimen": specimen(id_)}})
            else:
                self.send(404, {"message": "no such specimen"})

    def page(self, number: int, size: int, *, light: bool) -> dict[str, Any]:
        ids = self.server.ids[(number - 1) * size : number * size]
        rows = [{"id": id_} if light else specimen(id_) for id_ in ids]
        data = {"count": len(self.server.ids), "specimens": rows}
        if number * size < len(self.server.ids):  # as some APIs do, with the key in the link
            data["next"] = with_parameter(self.path, "page", number + 1)
        return {"data": data}

    def send(self, status: int, document: Any, *, cut: int = 0, **headers: str) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) + cut))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = bool(cut)

    def log_message(self, *args: object) -> None:
        """Log nothing."""


def specimen(id_: int) -> dict[str, Any]:
    return {
        "id": id_,
        "taxon": {"name": f"Ophrys {id_}", "family": "Orchidaceae"},
        "collected": "1904-05-06",
    }


@contextmanager
def herbarium(on_page: Callable[[Herbarium, int, Reply], bool]) -> Iterator[Herbarium]:
    with Herbarium(on_page) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the tutorial's files in it."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("mplus_crawler", "schemas"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "scrapy.cfg", folder)
    for path, text in blocks().items():
        assert not (folder / path).exists(), path
        (folder / path).write_text(text, "utf-8")
    return folder


def scrapy(
    checkout: Path, place: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """``scrapy ARGUMENTS`` in the copy; all that it leaves is in *place*."""
    place.mkdir(exist_ok=True)
    (place.parent / "copy.py").write_text(THE_COPY)
    inherited = {name: v for name, v in os.environ.items() if not name.startswith("HERBARIUM")}
    command = Command(
        arguments,
        checkout,
        {
            **inherited,
            "HARVEST_DIR": str(place / "data"),
            "XDG_STATE_HOME": str(place / "state"),
            "HERBARIUM_API_KEY": KEY,
            "RUN_FIRST": str(place.parent / "copy.py"),
            **environment,
        },
    )
    out, err = command.communicate(timeout=60)
    done = subprocess.CompletedProcess(command.args, command.wait(), out.encode(), err.encode())
    (place / f"{len(list(place.iterdir()))}.out").write_bytes(done.stdout + done.stderr)
    return done


def tail(done: subprocess.CompletedProcess[bytes]) -> str:
    """The end of what a command printed, for a test that fails."""
    return done.stderr.decode()[-3000:]


def certificate(place: Path, spider: str = "herbarium_specimens") -> dict[str, Any]:
    return last_certificate(place / "data", spider)


def ids(place: Path, spider: str = "herbarium_specimens") -> list[int]:
    lines = (place / "data" / f"{spider}.jsonl").read_bytes().splitlines()
    return sorted(int(json.loads(line)["id"]) for line in lines)


def check_no_key(place: Path) -> None:
    """No file that was left has the key, in any usual spelling."""
    spelled = {
        KEY,
        quote(KEY),
        quote(KEY, safe=""),
        json.dumps(KEY)[1:-1],
        quote_plus(KEY),
    }
    files = [path for path in place.rglob("*") if path.is_file()]
    assert len(files) > 4
    text = {path.name: path.read_bytes() + str(path).encode() for path in files}
    assert [n for n, content in text.items() if any(s.encode() in content for s in spelled)] == []


LOUD = ("-s", "LOG_LEVEL=DEBUG", "-s", "RETRY_BACKOFF_BASE=0.01", "-s", "LOOKAHEAD=1")


def test_the_tutorial_writes_three_files() -> None:
    policy, spider, schema = blocks()
    assert policy.startswith("mplus_crawler/museum/policies/")
    assert spider.startswith("mplus_crawler/spiders/")
    assert schema.startswith("schemas/")
    assert len(blocks()[spider].splitlines()) <= 45


def misbehave(server: Herbarium, number: int, reply: Reply) -> bool:
    """Every way in which a URL may be logged: redirected, broken off, too late, failed."""
    first_time = server.pages.count((number, False)) == 1
    if first_time and number == 2:
        location = f"{reply.path}&again=1"
        reply.send(302, {}, Location=location)
    elif first_time and number == 3:
        reply.send(200, {"url": reply.path}, cut=10)
    elif first_time and number == 4:
        time.sleep(1.5)
    elif first_time and number == 5:
        reply.send(500, {"message": f"failed on {reply.path} with {KEY}"})
    else:
        return False
    return first_time


def test_the_whole_museum_is_complete_and_the_key_is_nowhere(
    checkout: Path, tmp_path: Path
) -> None:
    place = tmp_path / "whole"
    with herbarium(misbehave) as server:
        base = f"http://127.0.0.1:{server.server_address[1]}/v1/"
        done = scrapy(
            *(checkout, place, "crawl", "herbarium_specimens", *LOUD),
            *("-s", "DOWNLOAD_TIMEOUT=0.7", "-s", f"HERBARIUM_URL={base}"),
        )
        assert done.returncode == 0, tail(done)
        refused = scrapy(
            *(checkout, tmp_path / "other", "crawl", "herbarium_specimens", *LOUD),
            HERBARIUM_BASE_URL=base,
            HERBARIUM_API_KEY="another-key",
        )
    assert (certificate(place)["verdict"], ids(place)) == ("complete", [*range(1, ROWS + 1)])
    assert all(server.pages.count((number, False)) > 1 for number in (2, 3, 4, 5))
    assert refused.returncode == 12, tail(refused)
    assert b"HERBARIUM_API_KEY is not accepted" in refused.stderr
    assert b"another-key" not in refused.stderr
    verified = scrapy(checkout, place, "verify", f"{place}/data/herbarium_specimens.jsonl")
    assert verified.returncode == 0, tail(verified)
    check_no_key(place)


def repeat_the_key(server: Herbarium, number: int, reply: Reply) -> bool:
    """Every spelling of the key stands in the rows and in the headers; each page fails once."""
    light, texts = server.pages[-1][1], canary.spellings(KEY)
    body = json.dumps(reply.page(number, SIZE, light=light))
    body = re.sub(r"Ophrys (\d+)", lambda row: texts[int(row[1]) % len(texts)], body)
    first_time = server.pages.count((number, light)) == 1
    reply.send_response(500 if first_time else 200)
    for name, value in canary.in_headers(KEY):
        reply.send_header(name, value)
    reply.send_header("Content-Type", "application/json")
    reply.send_header("Content-Length", str(len(body)))
    reply.end_headers()
    reply.wfile.write(body.encode())
    return True


def test_no_spelling_of_the_key_is_left(checkout: Path, tmp_path: Path) -> None:
    place = tmp_path / "canary"
    with herbarium(repeat_the_key) as server:
        base = f"http://127.0.0.1:{server.server_address[1]}/v1/"
        done = scrapy(checkout, place, "crawl", "herbarium_specimens", *LOUD, HERBARIUM_URL=base)
    assert done.returncode == 0, tail(done)
    assert ids(place) == [*range(1, ROWS + 1)]
    assert b"key-struck-out" in (place / "data" / "herbarium_specimens.jsonl").read_bytes()
    assert canary.holding(KEY, canary.places(place)) == []


def delete_a_row(server: Herbarium, number: int, reply: Reply) -> bool:
    """The third page is requested when a row of the first is deleted."""
    if number == 3 and 7 in server.ids:
        server.ids.remove(7)
    return False


def test_a_row_that_is_deleted_while_paging_is_drift(checkout: Path, tmp_path: Path) -> None:
    place = tmp_path / "drift"
    with herbarium(delete_a_row) as server:
        base = f"http://127.0.0.1:{server.server_address[1]}/v1/"
        done = scrapy(checkout, place, "crawl", "herbarium_specimens", *LOUD, HERBARIUM_URL=base)
    assert done.returncode == 0, tail(done)
    judged = certificate(place)
    assert judged["verdict"] == "complete_with_drift"
    assert list(judged["vanished"]) == ["7"]
    assert ids(place) == sorted({*range(1, ROWS + 1)} - {7})
    assert (1, True) in server.pages, "no list of ids was requested"
    verified = scrapy(checkout, place, "verify", f"{place}/data/herbarium_specimens.jsonl")
    assert verified.returncode == 0, tail(verified)
    check_no_key(place)


def test_pages_that_link_to_the_next_one(checkout: Path, tmp_path: Path) -> None:
    """Another pager, and nothing that numbers the pages: each link is followed, without its key."""
    _, spider, _ = blocks()
    text = blocks()[spider].replace("PagesByNumber", "NextLinks").replace('"herbarium_', '"linked_')
    text = text.replace('size="per_page"', 'next="/data/next", size="per_page"')
    place, file = tmp_path / "linked", checkout / "mplus_crawler" / "spiders" / "linked.py"
    with herbarium(delete_a_row) as server:
        base = f"http://127.0.0.1:{server.server_address[1]}/v1/"
        file.write_text(text, "utf-8")
        done = scrapy(checkout, place, "crawl", "linked_specimens", *LOUD, HERBARIUM_URL=base)
    file.unlink()
    assert done.returncode == 0, tail(done)
    judged = certificate(place, "linked_specimens")
    assert (judged["verdict"], list(judged["vanished"])) == ("complete_with_drift", ["7"])
    assert ids(place, "linked_specimens") == sorted({*range(1, ROWS + 1)} - {7})
    check_no_key(place)


@pytest.mark.parametrize(
    "given",
    [
        ("-s", "HERBARIUM_API_KEY=canary-key"),
        ("-a", "herbarium_api_key=canary-key"),
        ("-a", "HERBARIUM_API_KEY=canary-key"),
    ],
)
def test_its_key_is_refused_on_the_command_line(
    checkout: Path, tmp_path: Path, given: tuple[str, str]
) -> None:
    place = tmp_path / "refused"
    done = scrapy(checkout, place, "crawl", "herbarium_specimens", *given)
    assert (done.returncode, done.stdout) == (2, b"")
    (line,) = done.stderr.decode().splitlines()
    assert "HERBARIUM_API_KEY is a secret" in line
    assert "canary-key" not in line


def test_a_kind_without_a_schema_is_one_line(checkout: Path, tmp_path: Path) -> None:
    schema = checkout / "schemas" / "specimen.schema.json"
    text = schema.read_bytes()
    schema.unlink()
    try:
        done = scrapy(checkout, tmp_path / "none", "crawl", "herbarium_specimens")
    finally:
        schema.write_bytes(text)
    assert (done.returncode, done.stdout) == (2, b"")
    (line,) = done.stderr.decode().splitlines()
    assert "schemas/specimen.schema.json" in line
