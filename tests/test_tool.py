"""``mplus-crawler``: the installed package, in an empty folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from mplus_crawler import __version__
from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import ROOT, Scrapy

Tool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked as pip does it."""
    source = tmp_path_factory.mktemp("source")
    for part in ("mplus_crawler", "schemas", "tests"):
        shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    build = "from setuptools import build_meta; build_meta.build_wheel('.')"
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", build], cwd=source, check=True, capture_output=True
    )
    (wheel,) = source.glob("*.whl")
    site = tmp_path_factory.mktemp("site")
    with ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


@pytest.fixture
def tool(installed: Path, tmp_path: Path) -> Tool:
    """Runs ``mplus-crawler ARGUMENTS`` in an empty folder."""
    folder = tmp_path / "empty"
    folder.mkdir()
    environment = Scrapy(tmp_path).environment | {"PYTHONPATH": str(installed)}
    environment.pop("HARVEST_DIR")

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mplus_crawler", *arguments],
            cwd=folder,
            env=environment | more,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_the_wheel_brings_one_package_and_a_command(installed: Path) -> None:
    (metadata,) = installed.glob("*.dist-info")
    assert {entry.name for entry in installed.iterdir()} == {"mplus_crawler", metadata.name}
    shipped = {file.name for file in (installed / "mplus_crawler" / "schemas").glob("*.json")}
    assert shipped == {file.name for file in (ROOT / "schemas").glob("*.json")}
    data = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "mplus_crawler").rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }
    assert [name for name in data if not (installed / name).is_file()] == []
    entries = (metadata / "entry_points.txt").read_text()
    assert "mplus-crawler = mplus_crawler.cli.tool:main" in entries
    assert "Requires-Python: >=3.11" in (metadata / "METADATA").read_text()


def test_it_harvests_and_verifies_below_the_users_folder(tool: Tool, tmp_path: Path) -> None:
    with Sandbox(objects=30, invalid=0, limits="off") as museum:
        done = tool("crawl", "objects", DMG_BASE_URL=museum.base_url)
    assert done.returncode == 0, done.stderr
    data = tmp_path / "empty" / "data"
    assert len((data / "objects.jsonl").read_bytes().splitlines()) == 30
    verified = tool("verify", "data/objects.jsonl")
    assert verified.returncode == 0, verified.stdout


def test_a_stopped_harvest_names_the_command_that_was_typed(tool: Tool) -> None:
    once = ("-s", "RETRY_TIMES=0", "-s", "RETRY_BACKOFF_BASE=0.001")
    done = tool("crawl", "objects", *once, DMG_BASE_URL="http://127.0.0.1:9/v2/")
    assert done.returncode == 10
    assert f"mplus-crawler crawl objects {' '.join(once)}" in done.stderr


def test_it_lists_its_commands_and_knows_its_version(tool: Tool) -> None:
    assert tool("--version").stdout == f"mplus-crawler {__version__}\n"
    listed = tool().stdout
    commands = {file.stem for file in (ROOT / "mplus_crawler/cli/commands").glob("[a-z]*.py")}
    assert {line.split()[0] for line in listed.splitlines() if line[:2] == "  "} == commands
    assert "mplus-crawler budget [options]" in tool("budget", "--help").stdout


@pytest.mark.parametrize(
    ("word", "cure"),
    [
        ("crawll", "did you mean crawl?"),
        ("objects", "objects is a spider: mplus-crawler crawl objects"),
        ("download", "`mplus-crawler --help` lists the commands"),
    ],
)
def test_a_word_that_is_no_command_has_a_cure(tool: Tool, word: str, cure: str) -> None:
    done = tool(word)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.endswith(f"{cure}\n")


def test_another_project_does_not_get_in_the_way(tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "empty" / "scrapy.cfg").write_text("[settings]\ndefault = other.settings\n")
    (tmp_path / "empty" / "schemas").mkdir()
    done = tool("list", SCRAPY_SETTINGS_MODULE="other.settings", SCRAPY_PROJECT="other")
    assert (done.returncode, done.stderr) == (0, "")
    assert "objects" in done.stdout.split()
