"""The package's structure: layers in order, no circles, one class for each name."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from mplus_crawler.museum.meta import Meta

PACKAGE = "mplus_crawler"
ROOT = Path(__file__).parents[1] / PACKAGE

# From the top down: a room may import those below it. `verification` stands apart from all that
# writes feeds; `sandbox` stands apart from everything but archives.
LAYERS = (
    "cli",
    "spiders",
    "datasets",
    "feeds",
    "responses",
    "wire",
    "census",
    "records",
    "museum",
    "protocols",
    "storage",
    "verification",
    "errors",
)
APART = {
    "sandbox": {"protocols"},
    "verification": {"errors"},
    "settings": set[str](),
    "__main__": {"cli"},
}

Graph = dict[str, set[str]]


@cache
def nodes(text: str) -> list[ast.AST]:
    """All nodes of a module's syntax tree; a text is parsed once for all tests."""
    return list(ast.walk(ast.parse(text)))


def imports(sources: Mapping[str, str]) -> Graph:
    """By module, the modules of *sources* that it imports, wherever in the file it does."""
    return {
        module: {name for name in _imported(nodes(text), sources) if name in sources} - {module}
        for module, text in sources.items()
    }


def _imported(tree: Iterable[ast.AST], sources: Mapping[str, str]) -> Iterator[str]:
    for node in tree:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in sources else node.module


def circle(graph: Graph) -> list[str]:
    """The nodes of one circle in *graph*; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def folders(graph: Graph, depth: int) -> Graph:
    """*graph* between the folders and files that are *depth* levels below the package."""

    def place(module: str) -> str:
        return ".".join(module.split(".")[: depth + 1])

    merged: Graph = {}
    for module, targets in graph.items():
        if module == PACKAGE:
            continue
        found = merged.setdefault(place(module), set())
        found |= {place(target) for target in targets if target != PACKAGE} - {place(module)}
    return merged


def upward(graph: Graph) -> list[str]:
    """The imports of *graph* between rooms that run against :data:`LAYERS`."""
    wrong = []
    for module, targets in sorted(graph.items()):
        room = _room(module)
        for target in sorted(targets):
            other = _room(target)
            if room == other or PACKAGE in (module, target):
                continue
            if room in APART:
                allowed = other in APART[room]
            else:
                allowed = other == "sandbox" and room == "cli"
                allowed |= other in LAYERS and LAYERS.index(room) < LAYERS.index(other)
            if not allowed:
                wrong.append(f"{module} imports {target}")
    return wrong


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    """The text of every module, by its dotted name."""
    found = {}
    for file in ROOT.rglob("*.py"):
        parts = file.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file.read_text()
    return found


def test_imports_go_one_way(sources: dict[str, str]) -> None:
    graph = imports(sources)
    assert {_room(module) for module in graph} - {PACKAGE} <= {*LAYERS, *APART}
    assert upward(graph) == []
    assert circle(graph) == []


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_folders_form_no_circle(sources: dict[str, str], depth: int) -> None:
    assert circle(folders(imports(sources), depth)) == []


@pytest.mark.parametrize(
    ("module", "line", "found"),
    [
        ("errors", "from mplus_crawler.cli import preflight", "both"),
        ("protocols.links", "import mplus_crawler.spiders.base", "upward"),
        ("records.batch", "from mplus_crawler.feeds.publication import Publication", "both"),
        ("verification.seal", "from mplus_crawler.verification import verify", "circle"),
        ("verification.feed", "from mplus_crawler.records.batch import Records", "upward"),
        ("protocols.chain", "from mplus_crawler.spiders.dmg.base import GentSpider", "both"),
    ],
)
def test_one_line_that_closes_a_circle_is_found(
    sources: dict[str, str], module: str, line: str, found: str
) -> None:
    name = f"{PACKAGE}.{module}"
    graph = imports({**sources, name: f"{sources[name]}\n{line}\n"})
    if found in ("circle", "both"):
        assert circle(graph) or any(circle(folders(graph, depth)) for depth in (1, 2))
    if found in ("upward", "both"):
        assert any(wrong.startswith(f"{name} imports") for wrong in upward(graph))


def classes(sources: Mapping[str, str]) -> dict[str, list[str]]:
    """By class name, the modules of *sources* that define such a class.

    Scrapy finds its commands by the name ``Command``; the sandbox is a program of its own.
    """
    found: dict[str, list[str]] = {}
    for module, text in sorted(sources.items()):
        if _room(module) != "sandbox":
            for node in nodes(text):
                if isinstance(node, ast.ClassDef) and node.name != "Command":
                    found.setdefault(node.name, []).append(module)
    return found


def test_no_two_classes_have_one_name(sources: dict[str, str]) -> None:
    shared = {name: modules for name, modules in classes(sources).items() if len(modules) > 1}
    assert shared == {}


def test_a_second_class_of_one_name_is_found(sources: dict[str, str]) -> None:
    name = f"{PACKAGE}.protocols.links"
    known = classes({**sources, name: f"{sources[name]}\nclass Ledger: ...\n"})
    assert known["Ledger"] == [name, f"{PACKAGE}.responses.ledger"]


def test_names_of_exceptions_end_in_error(sources: dict[str, str]) -> None:
    wrong = [
        f"{module}.{node.name}"
        for module, text in sources.items()
        for node in nodes(text)
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and _raises(base.id) for base in node.bases)
        and not node.name.endswith("Error")
    ]
    assert wrong == []


def _raises(base: str) -> bool:
    return base == "Exception" or base.endswith("Error")


def test_the_top_level_fits_on_a_screen() -> None:
    entries = {entry.name for entry in ROOT.iterdir() if not entry.name.startswith("__")}
    assert len(entries) <= 15, sorted(entries)


def meddling(tree: Iterable[ast.AST]) -> list[int]:
    """The lines that assign to a field of the census, or call a method of one of its fields."""
    lines = []
    for node in tree:
        match node:
            case ast.Attribute(value=owner, ctx=ast.Store() | ast.Del()):
                found = _in_census(owner)
            case ast.Subscript(value=ast.Attribute(value=owner), ctx=ast.Store() | ast.Del()):
                found = _in_census(owner)
            case ast.Call(func=ast.Attribute(value=ast.Attribute(value=owner))):
                found = _in_census(owner)
            case _:
                continue
        if found:
            lines.append(node.lineno)
    return lines


def _in_census(node: ast.AST) -> bool:
    """Whether *node* is the census, or a field in it."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) if name.strip("_") == "census":
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id="Census"), attr="of")):
            return True
        case ast.Attribute(value=value):
            return _in_census(value)
    return False


def test_only_the_census_changes_its_fields(sources: dict[str, str]) -> None:
    wrong = {
        name: lines
        for name, text in sources.items()
        if not name.startswith(f"{PACKAGE}.census") and (lines := meddling(nodes(text)))
    }
    assert wrong == {}


@pytest.mark.parametrize(
    "line",
    [
        "self.census.pages.failed += 1",
        "Census.of(crawler).limit = 3",
        "self._census.notes[remark] += 1",
        "census.vanished.clear()",
        "del census.limit",
        "self.census.pages.expected, x = 1, 2",
    ],
)
def test_a_line_that_changes_the_census_is_found(line: str) -> None:
    assert meddling(nodes(line))


# https://docs.scrapy.org/en/2.19/topics/request-response.html#topics-request-meta
SCRAPY_META = {
    "dont_redirect",
    "download_maxsize",
    "download_slot",
    "download_timeout",
    "handle_httpstatus_list",
    "max_retry_times",
    "proxy",
    "redirect_urls",
    "retry_times",
}


def meta_keys(tree: Iterable[ast.AST]) -> Iterator[str]:
    """Every key of ``Request.meta`` that *tree* reads or sets; ``?`` for one that is computed."""
    for node in tree:
        match node:
            case ast.Subscript(ast.Attribute(attr="meta"), key):
                yield _constant(key)
            case ast.Call(ast.Attribute(ast.Attribute(attr="meta"), "get" | "pop" | "setdefault")):
                yield _constant(node.args[0])
            case ast.Call(ast.Attribute(ast.Attribute(attr="meta"), "update")):
                yield from (keyword.arg or "?" for keyword in node.keywords)
                yield from (key for mapping in node.args for key in _keys(mapping))
            case ast.Compare(key, [ast.In() | ast.NotIn()], [ast.Attribute(attr="meta")]):
                yield _constant(key)
            case ast.keyword("meta", ast.expr() as value) | ast.Assign([ast.Name("meta")], value):
                yield from _keys(value)


def _keys(mapping: ast.expr) -> Iterator[str]:
    for node in ast.walk(mapping):
        if isinstance(node, ast.Dict):
            yield from (_constant(key) for key in node.keys if key is not None)


def _constant(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else "?"


def test_every_meta_key_is_scrapys_or_declared(sources: dict[str, str]) -> None:
    used = {
        key
        for module, text in sources.items()
        if _room(module) != "sandbox"
        for key in meta_keys(nodes(text))
    }
    declared = set(Meta.__annotations__)
    assert used - declared == SCRAPY_META
    assert declared - used == set(), "declared and not used"


@pytest.mark.parametrize(
    "line",
    [
        "request.meta['typo'] = 1",
        "response.meta.get('typo')",
        "r.request.meta.setdefault('typo', 1)",
        "request.meta.update(typo=1)",
        "request.meta.update({'typo': 1})",
        "'typo' in request.meta",
        "Request(url, meta={'page': 1, **({'typo': 1} if x else {})})",
        "meta = {**request.meta, 'typo': 1}",
    ],
)
def test_a_key_of_meta_is_found_however_it_is_used(line: str) -> None:
    assert "typo" in set(meta_keys(nodes(line)))
