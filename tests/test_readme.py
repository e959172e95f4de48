"""The README and its neighbours: every command runs, every table is what the code says."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import pytest
import yaml

from mplus_crawler import __version__
from mplus_crawler.spiders.meanings import MEANINGS
from tests import readme_tables
from tests.command import Shells
from tests.conftest import ROOT, Scrapy
from tests.readme_tables import (
    DOCUMENTS,
    README,
    TABLES,
    OutdatedError,
    rewritten,
    settings_defaults,
)

PAGES = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"),
    *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")),
)
# Where the README's sandbox listens; the one that stands in for it takes a free port.
ADDRESS = "127.0.0.1:8000"
STAND_IN = "--port 0 --objects 300 --agents 90 --exhibitions 30 --concepts 60 --invalid 0"

CHANGES = (ROOT / "CHANGELOG.md").read_text("utf-8")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block, and the sandbox that a reader has started before it."""

    page: str
    line: int
    language: str
    text: str
    sandbox: str

    @property
    def is_sandbox(self) -> bool:
        return "scrapy sandbox" in self.text

    @property
    def exit_code(self) -> int:
        """What the block's comment says it exits with."""
        said = re.search(r"# exit (\d+)$", self.text, re.MULTILINE)
        return int(said[1]) if said else 0


def read_blocks() -> Iterator[Block]:
    for page in PAGES:
        text, sandbox = (ROOT / page).read_text("utf-8"), ""
        for fence in _FENCE.finditer(text):
            line = text.count("\n", 0, fence.start()) + 1
            block = Block(page, line, fence[1], fence[2], sandbox)
            yield block
            sandbox = block.text if block.is_sandbox else sandbox


BLOCKS = list(read_blocks())
# A page that starts none relies on the README's.
USUAL_SANDBOX = next(block.text for block in BLOCKS if block.is_sandbox)
FIRST_HARVEST = next(block for block in BLOCKS if "scrapy crawl" in block.text)


def shell_blocks(*, make: bool) -> list[object]:
    return [
        pytest.param(block, id=f"{block.page}:{block.line}")
        for block in BLOCKS
        if block.language == "sh" and block.text.startswith("make ") is make
    ]


def start(script: str, folder: Path, shells: Shells | None) -> subprocess.Popen[str]:
    """*script*, running in *folder* as in the project's own, without what a user has set.

    Without *shells*, its ``scrapy`` is the one that is installed.
    """
    folder.mkdir(exist_ok=True)
    (folder / "scrapy.cfg").write_bytes((ROOT / "scrapy.cfg").read_bytes())
    (folder / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
    (folder / ".venv" / "bin" / "activate").touch()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = Scrapy(folder).environment | {"PATH": path, "PYTHONPATH": str(ROOT)}
    environment |= shells.environment() if shells else {}
    for name in settings_defaults():
        environment.pop(name, None)
    return subprocess.Popen(
        ["sh", "-euc", script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def sandboxes(
    tmp_path_factory: pytest.TempPathFactory, shells: Shells
) -> Iterator[Callable[[str], str]]:
    """Starts what a block says and gives the address; stops it in the end, as Ctrl-C does."""
    running: dict[str, str] = {}

    def serve(script: str) -> str:
        if script not in running:
            assert f"--port {ADDRESS.rpartition(':')[2]}" in script
            command = re.sub(
                r"^(scrapy sandbox.*)$", rf"exec \1 {STAND_IN}", script, flags=re.MULTILINE
            )
            process = start(command, tmp_path_factory.mktemp("sandbox"), shells)
            opened.callback(stop, process)
            line = cast("IO[str]", process.stdout).readline()
            said = re.match(r"sandbox: http://([\d.:]+)/v2/ ", line)
            assert said, line
            running[script] = said[1]
        return running[script]

    with ExitStack() as opened:
        yield serve


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize("block", shell_blocks(make=False))
def test_commands_run(
    block: Block, sandboxes: Callable[[str], str], shells: Shells, tmp_path: Path
) -> None:
    if block.is_sandbox:
        assert sandboxes(block.text)
        return
    address = sandboxes(block.sandbox or USUAL_SANDBOX)
    base = f"export DMG_BASE_URL=http://{address}/v2/\n"
    script = base + block.text.replace(ADDRESS, address)
    process = start(script, tmp_path, None if block == FIRST_HARVEST else shells)
    out, err = process.communicate(timeout=60)
    assert process.returncode == block.exit_code, out + err
    assert "Traceback" not in err


@pytest.mark.parametrize("block", shell_blocks(make=True))
def test_targets_of_make_are_there(block: Block) -> None:
    inherited = ("MAKE", "MFLAGS", "VENV")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(inherited)}
    for command in block.text.splitlines():
        done = subprocess.run(
            [*command.split(), "--dry-run", "--always-make"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "-m venv .venv\n" in done.stdout


def test_no_command_requests_from_a_museum_and_none_is_left_out() -> None:
    # Most others cannot be run as they stand: tests/test_scheduling.py and
    # tests/test_adding_a_museum.py do.
    languages = {"sh", "python", "text", "ini", "yaml", "toml", "json", "sql", "r"}
    assert {block.language for block in BLOCKS} == languages
    for block in BLOCKS:
        if block.language == "sh":
            assert set(re.findall(r"https?://([^/\s]*)", block.text)) <= {ADDRESS}
    readme = README.read_text("utf-8")
    for command in ("make demo", "make test", "scrapy sandbox", "scrapy crawl"):
        assert command in readme


def test_examples_are_the_code_they_show() -> None:
    spiders = (ROOT / "mplus_crawler" / "spiders" / "dmg" / "collections.py").read_text("utf-8")
    pages = [block for block in BLOCKS if block.page == "CONTRIBUTING.md"]
    examples = [block.text for block in pages if block.language == "python"]
    assert examples
    for example in examples:
        assert example in spiders


def test_tables_are_up_to_date() -> None:
    texts = [document.read_text("utf-8") for document in DOCUMENTS]
    marks = re.findall(r"<!-- table:(\w+) -->", "".join(texts))
    assert sorted(marks) == sorted(TABLES)
    assert list(map(rewritten, texts)) == texts, "run `make readme`"


@pytest.mark.parametrize(
    ("table", "described", "name"),
    [
        ("arguments", MEANINGS, "koepels"),
        ("settings", readme_tables.SETTINGS, "RATE_SHARE"),
        ("exit_codes", readme_tables.EXIT_CODES, 10),
    ],
)
def test_what_is_new_or_gone_in_the_code_is_noticed(
    monkeypatch: pytest.MonkeyPatch, table: str, described: dict[object, object], name: object
) -> None:
    with monkeypatch.context() as patch:
        patch.delitem(described, name)
        with pytest.raises(OutdatedError, match=str(name)):
            TABLES[table]()
    monkeypatch.setitem(described, "nonsense", ("", ""))
    with pytest.raises(OutdatedError, match="nonsense"):
        TABLES[table]()


def test_a_changed_default_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        readme_tables, "settings_defaults", lambda: settings_defaults() | {"POLICY_DIR": "policies"}
    )
    with pytest.raises(OutdatedError, match="POLICY_DIR"):
        readme_tables.settings()


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page: str) -> None:
    text = _FENCE.sub("", (ROOT / page).read_text("utf-8"))
    for file, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
        target = (ROOT / page).parent / file if file else ROOT / page
        assert target.exists(), file
        assert not anchor or anchor in anchors(target), f"{file}#{anchor}"


def test_the_index_has_every_page() -> None:
    links = re.findall(r"\]\(([\w-]+\.md)\)", (ROOT / "docs" / "index.md").read_text("utf-8"))
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert set(links) == pages


def masked(text: str) -> list[str]:
    """The lines of *text*, with the numbers that differ from run to run replaced."""
    return [re.sub(r"[\d,:TZ-]*\d[\d,:TZ-]*", "N", line) for line in text.splitlines()]


def test_the_readme_shows_what_the_demo_prints(tmp_path: Path, shells: Shells) -> None:
    (shown,) = [b.text for b in BLOCKS if b.page == "README.md" and "objects: complete" in b.text]
    script = (ROOT / "demo.sh").read_text("utf-8")
    script = script.replace("--port 0", "--port 0 --objects 300 --invalid 100 --limits off")
    script = script.replace("crawl objects\n", "crawl objects -s MAX_REJECT_SHARE=1 2>&1\n")
    process = start(script, tmp_path, shells)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Some records" in shown
    printed, lines = masked(out), masked(shown)
    # Records differ with the size of the museum; what is printed of them does not.
    head = lines.index(masked("Some records of demo/objects.jsonl:")[0])
    assert [line for line in lines[:head] if line not in printed] == []
    records = [line for line in printed if line.startswith("  N | ")]
    cells = [line.count(" | ") for line in records]
    assert cells == [line.count(" | ") for line in lines[head + 1 :]]


def messages() -> list[str]:
    """The messages that the page on problems quotes."""
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    quoted = re.findall(r"^\| ((?:`[^`]+`(?:, )?)+) \|", page, re.MULTILINE)
    return [message for cell in quoted for message in re.findall("`([^`]+)`", cell)]


@pytest.fixture(scope="module")
def trees() -> list[ast.Module]:
    """The syntax trees of the package."""
    files = (ROOT / "mplus_crawler").rglob("*.py")
    return [ast.parse(file.read_text("utf-8")) for file in files]


@pytest.fixture(scope="module")
def texts(trees: list[ast.Module]) -> list[str]:
    """Every text in the code."""
    nodes = (node for tree in trees for node in ast.walk(tree))
    return [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]


@pytest.mark.parametrize("message", messages())
def test_a_message_that_is_explained_is_in_the_code(message: str, texts: list[str]) -> None:
    for part in filter(None, (part.strip() for part in message.split("…"))):
        assert any(part in text for text in texts), part


ERRORS = {"UsageError", "DeliveryError", "AccessDeniedError", "HarvestError", "ChangeFeedError"}
ERRORS |= {"DamagedSnapshotError", "ExpiredSnapshotError", "IncompleteSnapshotError"}
# A message says what to do after a semicolon, or with one of these words.
CURE = re.compile(
    r"; |\b(use|write|set|give|name (a|one)|choose|run|remove|copy|put|add|install|must|takes"
    r"|harvest it)\b"
)


def template(node: ast.expr) -> str:
    """The text of a message, with … for its values."""
    if isinstance(node, ast.JoinedStr):
        return "".join(template(value) for value in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "…"


def test_every_error_says_what_to_do_or_is_explained(trees: list[ast.Module]) -> None:
    explained = [re.compile(".*".join(map(re.escape, m.split("…")))) for m in messages()]
    calls = (n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Call) and n.args)
    raised = [template(n.args[0]) for n in calls if getattr(n.func, "id", "") in ERRORS]
    assert len(raised) > 100
    unexplained = [
        message
        for message in raised
        if message.strip("… ")
        and not CURE.search(message)
        and not any(pattern.search(message) for pattern in explained)
    ]
    assert unexplained == []


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == __version__
    released = re.search(r"^## \[([\d.]+)\] - (\S+)$", CHANGES, re.MULTILINE)
    if released and released[1] == __version__:
        assert str(citation["date-released"]) == released[2]


def test_changes_are_short_and_by_subject() -> None:
    added = CHANGES.partition("### Added\n")[2].partition("\n### ")[0]
    assert added.lstrip().startswith("#### ")
    assert [line for line in added.splitlines() if len(line) > 400] == []


def test_contributing_knows_every_room_and_no_other() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    package = ROOT / "mplus_crawler"
    named = set(re.findall(r"`([\w/]+(?:/|\.py))`", text))
    rooms = {f"{room.parent.name}/" for room in package.glob("*/__init__.py")}
    modules = {module.name for module in package.glob("*.py")} - {"__init__.py", "settings.py"}
    assert rooms | modules <= named
    assert {n for n in named if not any((at / n).exists() for at in (ROOT, package))} == set()


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = sum(project["optional-dependencies"].values(), project["dependencies"])
    direct = {re.split(r"[^\w-]", dependency)[0] for dependency in named}
    section = (ROOT / "CHANGELOG.md").read_text("utf-8").partition("### Dependencies\n")[2]
    assert set(re.findall(r"^- `([\w-]+)`", section, re.MULTILINE)) == direct


def test_every_extra_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    page = (ROOT / "docs" / "first-harvest.md").read_text("utf-8")
    table = page.partition("| extra |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == {
        *project["optional-dependencies"]
    }
