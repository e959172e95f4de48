"""The recipes of docs/changes.md: a copy in step, a mail, a model, a repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest

from tests.command import Shells
from tests.conftest import ROOT, Scrapy
from tests.test_change_feeds import Keeper
from tests.test_change_releases import SPIDER, Release

PAGE = (ROOT / "docs" / "changes.md").read_text("utf-8").partition("## Recipes")[2]
BLOCK = re.compile(r"^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# By title, the blocks of each recipe.
RECIPES = {
    part.partition("\n")[0]: BLOCK.findall(part.replace("'data/objects", f"'data/{SPIDER}"))
    for part in PAGE.split("\n### ")[1:]
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three folders: with the files after a first, a second and a third harvest."""
    folder = tmp_path_factory.mktemp("recipes")
    release, keeper = Release(folder / "set"), Keeper(Scrapy(folder), SPIDER, share="0.5")
    found = []
    for number in range(3):
        keeper.harvest(0, *release.given)
        found.append(folder / str(number))
        shutil.copytree(keeper.data, found[-1] / "data")
        if number == 0:
            release.remove(17)
            release.edit(19, new=30_019)
            release.remove(19)
            release.edit(79, title={"en": "Another title", "zh-hant": None})
        else:
            release.edit(1, new=30_001, objectNumber="2026.1")
            release.edit(442, title=7)
    return found


def snapshot(folder: Path) -> Mapping[str, str]:
    lines = (folder / "data" / f"{SPIDER}.jsonl").read_text("utf-8").splitlines()
    return {row["id"]: row["digest"] for row in map(json.loads, lines)}


@pytest.mark.parametrize("harvests", [(0, 0, 1, 2), (0, 2), (2,)])
def test_sqlite(
    folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harvests: tuple[int, ...]
) -> None:
    (recipe,) = RECIPES["A table in SQLite"]
    code = compile(recipe.replace('"objects"', f'"{SPIDER}"'), "recipe", "exec")
    monkeypatch.chdir(tmp_path)
    for number in harvests:
        shutil.rmtree(tmp_path / "data", ignore_errors=True)
        shutil.copytree(folders[number] / "data", tmp_path / "data")
        names: dict[str, object] = {}
        exec(code, names)
        db = names["db"]
        assert isinstance(db, sqlite3.Connection)
        rows = dict(db.execute("SELECT id, digest FROM record").fetchall())
        db.close()
        assert rows == snapshot(folders[number])


def test_duckdb(folders: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    in_step, history = RECIPES["A table in DuckDB"]
    with duckdb.connect() as db:
        for folder in (*folders, folders[-1]):
            monkeypatch.chdir(folder)
            db.execute(in_step)
            found = db.execute("SELECT id, digest FROM record").fetchall()
            assert dict(found) == snapshot(folder)
        db.execute(history.replace("changes/objects/", f"changes/{SPIDER}/"))
        types = db.execute("SELECT type, count(*) FROM change WHERE type <> 'Create' GROUP BY 1")
        assert dict(types.fetchall()) == {"Update": 1, "Delete": 1, "Move": 1, "Missing": 1}


def test_dbt(folders: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    (model,) = RECIPES["dbt"]
    config, select = re.fullmatch(r"\{\{ config\((.*)\) \}\}\n(.*)", model, re.DOTALL).groups()  # type: ignore[union-attr]
    (hook,) = re.findall(r'post_hook="(.*)"', config)
    with duckdb.connect() as db:
        db.execute("CREATE TABLE model (id TEXT PRIMARY KEY, digest TEXT, label TEXT, row JSON)")
        for folder in folders:
            monkeypatch.chdir(folder)
            db.execute(f"INSERT OR REPLACE INTO model {select}")
            db.execute(hook.replace("{{ this }}", "model"))
            found = db.execute("SELECT id, digest FROM model").fetchall()
            assert dict(found) == snapshot(folder)


@pytest.mark.parametrize("recipe", ["A mail about changes", "git"])
def test_mail_and_git(folders: list[Path], tmp_path: Path, shells: Shells, recipe: str) -> None:
    (script,) = RECIPES[recipe]
    script = script.replace("changes objects", f"changes {SPIDER}")
    shutil.copytree(folders[1] / "data", tmp_path / "data")
    mail = tmp_path / "bin" / "mail"
    mail.parent.mkdir()
    mail.write_text('#!/bin/sh\necho "$@" > mailed.txt; cat >> mailed.txt\n')
    mail.chmod(0o755)
    environment = {**os.environ, **shells.environment(), "HARVEST_DIR": "data"}
    environment |= {
        f"GIT_{who}_{what}": "test@example.org"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    environment["PATH"] = f"{mail.parent}{os.pathsep}{environment['PATH']}"
    (tmp_path / "scrapy.cfg").write_bytes((ROOT / "scrapy.cfg").read_bytes())
    done = subprocess.run(
        ["sh", "-euc", script], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    if recipe == "git":
        log = ["git", "-C", "data", "log", "--format=%s"]
        said = subprocess.run(log, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    else:
        said = (tmp_path / "mailed.txt").read_text()
        assert "registrar@example.org" in said
    assert re.search(r"since \d+ \w+: 1 changed \(1 title\), 1 moved to 30019, 1 gone", said)
