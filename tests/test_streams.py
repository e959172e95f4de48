"""Standard streams that are closed, full or gone, terminals of few letters, and signals."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mplus_crawler.sandbox.app import Sandbox
from tests.command import Command, Shells
from tests.conftest import ROOT, Crawl, Scrapy, last_certificate, limit

UNLIMITED = limit(1_000_000, 1)


@pytest.fixture
def scrapy(scrapy: Scrapy, shells: Shells) -> Scrapy:
    """The command, which shells find, too."""
    scrapy.environment |= shells.environment()
    return scrapy


def shell(
    scrapy: Scrapy, command: str, redirect: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """``scrapy COMMAND REDIRECT``, run by a shell.

    What a closed stream or a variable changes in the interpreter's start needs an interpreter.
    """
    plain = "&-" in redirect or environment
    program = f"{shlex.quote(sys.executable)} -m scrapy" if plain else "scrapy"
    return subprocess.run(
        ["sh", "-c", f"exec {program} {command} {redirect}"],
        cwd=ROOT,
        env={**scrapy.environment, **environment},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=scrapy.patience,
        check=False,
    )


def without_reader(
    scrapy: Scrapy, *arguments: str, lines: int = 0
) -> subprocess.CompletedProcess[str]:
    """``scrapy ARGUMENTS``, whose standard output is closed after *lines*, as ``head`` does."""
    process = scrapy.start(*arguments)
    assert process.stdout
    assert process.stderr
    for _ in range(lines):
        process.stdout.readline()
    process.stdout.close()
    with process.stderr:
        err = process.stderr.read()
    return subprocess.CompletedProcess(process.args, process.wait(scrapy.patience), "", err)


def certificate(scrapy: Scrapy, spider: str = "objects") -> dict[str, object]:
    return last_certificate(scrapy.folder / "data", spider)


def check_lost_output(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 14, done.stderr
    assert done.stderr.count("error: standard output cannot be written (") == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.fixture
def harvested(museum: Callable[..., Sandbox], scrapy: Scrapy) -> Crawl:
    """A complete harvest of 120 objects."""
    crawl = scrapy.at(museum(objects=120, invalid=0)).policy(UNLIMITED).crawl("objects")
    assert crawl.code == 0, crawl.err
    return crawl


@pytest.mark.parametrize("redirect", ["<&- >&- 2>&-", "2>/dev/full"])
def test_a_crawl_needs_no_stream(
    museum: Callable[..., Sandbox], scrapy: Scrapy, redirect: str
) -> None:
    scrapy.at(museum(objects=120, invalid=0)).policy(UNLIMITED)
    done = shell(scrapy, "crawl objects", redirect)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert certificate(scrapy)["verdict"] == "complete"
    assert scrapy.run("verify", str(scrapy.folder / "data" / "objects.jsonl")).returncode == 0
    assert scrapy.run("budget").returncode == 0  # nothing was printed into its file


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_records_that_nobody_takes_are_not_delivered(
    museum: Callable[..., Sandbox], scrapy: Scrapy, form: str
) -> None:
    sandbox = museum(objects=900, invalid=0, latency=0.05)
    scrapy.at(sandbox).policy(UNLIMITED)
    full = shell(scrapy, f"crawl objects -o -:{form} -s LOOKAHEAD=1", ">/dev/full")
    gone = without_reader(
        scrapy, "crawl", "objects", "-o", f"-:{form}", "-a", "fresh=true", lines=1
    )
    for done in (full, gone):
        assert done.returncode == 14, done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.count("ERROR: undelivered: standard output cannot be written") == 1
    assert certificate(scrapy)["verdict"] == "undelivered"
    requests = sandbox.stats()["tiers"]["collections"]["requests"]
    assert requests < 2 * 9, "it stops at the first write that fails"


def test_a_closed_output_is_reported_before_any_request(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=30)
    scrapy.at(sandbox)
    closed = shell(scrapy, "crawl objects -o -:csv", ">&-")
    assert closed.returncode == 14
    assert (
        closed.stderr == "error: standard output is closed; write the records to a file with -O\n"
    )
    assert sandbox.stats()["tiers"]["collections"]["requests"] == 0


def test_several_spiders_lose_one_output(museum: Callable[..., Sandbox], scrapy: Scrapy) -> None:
    sandbox = museum(objects=300, agents=120, exhibitions=40, concepts=120, invalid=0)
    scrapy.at(sandbox).policy(UNLIMITED)
    feeds = """-s 'FEEDS={"stdout:": {"format": "jsonlines"}}'"""
    done = shell(scrapy, f"harvest dmg {feeds}", ">/dev/full")
    assert done.returncode == 14, done.stderr
    assert "Traceback" not in done.stderr
    for spider in ("objects", "agents", "exhibitions", "concepts"):
        assert certificate(scrapy, spider)["verdict"] == "undelivered"


COMMANDS = ("budget", "list", "doctor dmg --offline", "sandbox")


def test_commands_whose_output_is_full_end_with_one_line(harvested: Crawl, scrapy: Scrapy) -> None:
    for command in (*COMMANDS, f"verify {harvested.folder}/objects.jsonl"):
        check_lost_output(shell(scrapy, command, ">/dev/full"))
    assert shell(scrapy, "budget", ">/dev/full 2>&1").returncode == 14


@pytest.mark.parametrize("command", ["--help", "crawl objects --help", "version"])
def test_help_and_scrapys_commands_end_with_one_line(scrapy: Scrapy, command: str) -> None:
    check_lost_output(shell(scrapy, command, ">/dev/full", NO_COLOR="1"))


def test_a_command_whose_reader_is_gone_ends_with_one_line(
    harvested: Crawl, scrapy: Scrapy
) -> None:
    check_lost_output(without_reader(scrapy, "budget", "--watch", lines=1))
    feed = str(harvested.folder / "objects.jsonl")
    check_lost_output(without_reader(scrapy, "verify", feed))


def test_a_closed_output_leaves_the_verdict(harvested: Crawl, scrapy: Scrapy) -> None:
    feed = harvested.folder / "objects.jsonl"
    assert shell(scrapy, f"verify {feed}", ">&- 2>&- <&-").returncode == 0
    feed.write_bytes(feed.read_bytes()[:-2])
    assert shell(scrapy, f"verify {feed}", ">&- 2>&- <&-").returncode == 1


def test_a_terminal_of_few_letters_shows_all_lines(harvested: Crawl, scrapy: Scrapy) -> None:
    feed = harvested.folder / "objects.jsonl"
    moved = harvested.folder / "\u7530-\u017e-\u00e9.jsonl"
    lines = feed.read_bytes().splitlines(keepends=True)
    row = json.loads(lines[0]) | {"id": "\u7530"}
    doubled = json.dumps(row, ensure_ascii=False).encode() + b"\n"
    moved.write_bytes(b"".join([doubled, doubled, *lines[2:]]))
    named = f"verify --certificate {harvested.folder}/objects.certificate.json {moved}"
    done = shell(scrapy, named, "", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 1, done.stderr
    assert "has the same id as line 1: \\u7530" in done.stdout
    assert "Traceback" not in done.stderr
    shown = shell(scrapy, "budget", "", PYTHONIOENCODING="latin-1")
    assert (shown.returncode, shown.stderr) == (0, "")


def under_nohup(scrapy: Scrapy) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["nohup", sys.executable, "-m", "scrapy", "crawl", "objects"],
        cwd=scrapy.folder,
        env={**scrapy.environment, "PYTHONPATH": str(ROOT)}
        | {"SCRAPY_SETTINGS_MODULE": "mplus_crawler.settings"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_it_hangs(process: Command | subprocess.Popen[str], sandbox: Sandbox) -> None:
    """Wait until a crawl has sent some requests and waits for a response."""
    while sandbox.stats()["tiers"].get("collections", {"requests": 0})["requests"] < 5:
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.3)


@pytest.mark.parametrize(
    ("how", "times"), [(signal.SIGHUP, 1), (signal.SIGHUP, 2), (signal.SIGINT, 2)]
)
def test_a_signal_leaves_a_verdict_and_a_certificate(
    museum: Callable[..., Sandbox], scrapy: Scrapy, how: signal.Signals, times: int
) -> None:
    hang = 3 if times == 1 else 60
    fault = f"hang:path=objects,page=5,seconds={hang}"
    sandbox = museum(objects=600, invalid=0, faults=[fault])
    process = scrapy.at(sandbox).policy(UNLIMITED).start("crawl", "objects")
    wait_until_it_hangs(process, sandbox)
    for _ in range(times):
        process.send_signal(how)
        time.sleep(0.5)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (11, ""), err
    assert "Traceback" not in err
    assert "to resume: " in err
    assert certificate(scrapy)["verdict"] == "stopped"
    assert not list((scrapy.folder / "data").glob(".*.part"))
    again = scrapy.crawl("objects")
    assert again.code == 0, again.err
    assert again.certificate["pages"]["replayed"] >= 1


def test_a_crawl_under_nohup_outlives_its_terminal(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=600, invalid=0, faults=["hang:path=objects,page=5,seconds=2"])
    process = under_nohup(scrapy.at(sandbox).policy(UNLIMITED))
    wait_until_it_hangs(process, sandbox)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert certificate(scrapy)["verdict"] == "complete"


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_other_commands_without_a_traceback(
    scrapy: Scrapy, tmp_path: Path, how: signal.Signals
) -> None:
    os.mkfifo(tmp_path / "feed.certificate.json")
    commands = {
        ("sandbox", "--port", "0"): 0,
        ("budget", "--watch"): 0,
        ("verify", str(tmp_path / "feed.certificate.json")): 11,
    }
    for command, code in commands.items():
        process = scrapy.start(*command)
        if command[0] == "verify":
            with (tmp_path / "feed.certificate.json").open("w"):
                process.send_signal(how)
                _, err = process.communicate(timeout=20)
        else:
            assert process.stdout
            process.stdout.readline()
            process.send_signal(how)
            _, err = process.communicate(timeout=20)
        assert process.returncode == code, err
        assert err.startswith("error: interrupted") is (code == 11)
        assert "KeyboardInterrupt" not in err
