"""``scrapy sandbox``."""

from __future__ import annotations

import signal
import socket
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import Scrapy

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_stopped(scrapy: Scrapy, number: signal.Signals) -> None:
    flags = ("--objects", "25", "--fault", "status:code=503", "--invalid", "0")
    process = scrapy.start("sandbox", *flags)
    assert process.stdout
    line = process.stdout.readline()
    assert line.startswith("sandbox: http://127.0.0.1:")
    assert line.endswith("/v2/ (Ctrl-C stops)\n")
    where = urlsplit(line.split()[1])
    assert process.stdout.readline() == f"M+: http://{where.netloc}/graphql\n"
    connection = HTTPConnection(where.hostname or "", where.port)
    for status in (503, 200):
        connection.request("GET", "/v2/id/objects")
        response = connection.getresponse()
        assert response.status == status
        response.read()
    connection.close()
    process.send_signal(number)
    assert process.communicate(timeout=scrapy.patience) == ("", "")
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--host", "0.0.0.0"], "host: '0.0.0.0' is not 127.0.0.1 or ::1"),
        (["--fault", "nonsense"], "fault: 'nonsense' is not one of"),
        (["--day", "-1"], "day: -1 is not 0 or more"),
        (["--schema-change", "melt:field=x"], "schema change: 'melt' is not one of"),
        (["--port", "taken"], "address already in use"),
        (["extra"], "scrapy sandbox takes options only"),
    ],
)
def test_the_command_explains_what_is_wrong(scrapy: Scrapy, flags: list[str], problem: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        flags = [str(taken.getsockname()[1]) if flag == "taken" else flag for flag in flags]
        done = scrapy.run("sandbox", *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_of_the_museum_is_spelt_in_code() -> None:
    for source in (ROOT / "mplus_crawler" / "sandbox").glob("*.py"):
        text = source.read_text("utf-8")
        for fact in ("designmuseumgent", "collectie.gent", "stad.gent", "creativecommons"):
            assert fact not in text, source
