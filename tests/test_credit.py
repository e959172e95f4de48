"""M+: who is credited, and which commit a published data set comes from."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mplus_crawler.museum.policies.reading import load_policy
from mplus_crawler.protocols.provenance import UNKNOWN, origin_of
from mplus_crawler.spiders.mplus.tms import COLUMNS, Bilingual, Credit, split_languages
from tests.conftest import Scrapy
from tests.fixtures.mplus import PUBLISHED, as_tar, as_zip

CREDIT = Credit.of(load_policy("mplus_open"))
MUSEUM = "source: M+, Hong Kong, mplus.org.hk"
NAMES: dict[int, tuple[str | None, str | None]] = {
    1: ("Ada", "愛達"),
    2: ("Ben", None),
    3: (None, "陳三"),
    4: ("Ada", None),
    5: (None, None),
}


def published(*links: tuple[int, str | None, str | None]) -> dict[str, Any]:
    """The columns of an object of the published set, by its links: id, role in both languages."""
    record = {
        "id": 7,
        "objectNumber": "2012.7",
        "title": {"en": "Chair", "zh-hant": None},
        "displayDate": {"en": "1956", "zh-hant": "1956"},
        "constituents": [{"id": id_, "role": {"en": en, "zh-hant": zh}} for id_, en, zh in links],
    }
    return COLUMNS["mplus_object"](split_languages(record, NAMES), CREDIT)


def of_the_api(*links: dict[str, Any]) -> dict[str, Any]:
    """The columns of an object of the API."""
    face = {"id": 7, "title": "Chair", "constituents": list(links)}
    return COLUMNS["mplus_object"](Bilingual(face, face), CREDIT)


@pytest.mark.parametrize(
    ("links", "makers"),
    [
        ([(1, "Artist", "藝術家"), (2, "Subject", "作品主體")], "Ada"),
        ([(2, "Subject", "作品主體")], ""),
        ([(2, "subject", None)], ""),
        ([(2, None, "作品主體")], ""),
        ([(2, "Archive Creator", "建檔者"), (3, "Translator", "譯者")], ""),
        ([(2, "Commissioned by", "委約方"), (1, "Organiser", None)], ""),
        ([(1, "Subject", None), (1, "Artist", None)], "Ada"),
        ([(1, "Artist", None), (1, "Designer", None)], "Ada"),
        ([(1, "Artist", None), (4, "Artist", None)], "Ada and Ada"),
        ([(3, "Artist", None)], "陳三"),
        ([(1, None, None)], ""),
        ([], ""),
    ],
)
def test_no_one_is_credited_for_what_they_did_not_make(
    links: list[tuple[int, str | None, str | None]], makers: str
) -> None:
    row = published(*links)
    parts = [part for part in (makers, "Chair", "1956", "2012.7", MUSEUM) if part]
    assert row["attribution"] == ", ".join(parts)
    assert {person["is_maker"] for person in row["constituents"]} <= {None}
    assert len(row["constituents"]) == len(links)


@pytest.mark.parametrize("id_", [5, 99])
def test_a_maker_without_a_name_leaves_no_credit_rather_than_a_wrong_one(id_: int) -> None:
    row = published((1, "Artist", None), (id_, "Designer", None))
    assert row["attribution"] is None
    assert (row["makers_en"], row["maker_ids"]) == (["Ada", ""], ["1", str(id_)])


def test_makers_are_parallel_by_position() -> None:
    row = published((1, "Artist", "藝術家"), (4, "Printer", None), (3, "Author", "作者"))
    assert row["makers_en"] == ["Ada", "Ada", "陳三"]
    assert row["makers_zh"] == ["愛達", "Ada", "陳三"]
    assert row["maker_ids"] == ["1", "4", "3"]
    assert row["maker_roles_en"] == ["Artist", "Printer", "Author"]
    assert row["maker_roles_zh"] == ["藝術家", "", "作者"]


@pytest.mark.parametrize(
    ("flag", "role", "is_maker", "credited"),
    [
        (True, "Artist", True, True),
        (True, None, True, True),
        (True, "Commissioned by", True, False),
        (False, "Artist", False, False),
        (None, "Artist", None, True),
        (None, None, None, False),
    ],
)
def test_the_museums_flag_counts_where_there_is_one(
    flag: bool | None, role: str | None, is_maker: bool | None, credited: bool
) -> None:
    row = of_the_api({"id": 1, "name": "Ada", "role": role, "isMakerOfObject": flag})
    assert [person["is_maker"] for person in row["constituents"]] == [is_maker]
    assert row["makers_en"] == (["Ada"] if credited else [])
    assert row["attribution"].startswith("Ada, " if credited else "Chair, ")


def test_a_constituents_credit_names_them(scrapy: Scrapy) -> None:
    crawl = scrapy.crawl("mplus_open_constituents", "-a", f"source={PUBLISHED}")
    for row in crawl.records:
        assert row["attribution"] == f"{row['name_en'] or row['name_zh']}, {MUSEUM}"
        assert row["is_maker"] is None


def test_a_grant_of_the_museums_changes_who_counts_as_a_maker(
    scrapy: Scrapy, tmp_path: Path
) -> None:
    overlay = tmp_path / "policies"
    overlay.mkdir()
    said = 'roles_of_others = ["Artist"]\nsource = "a letter"\nchecked = 2026-11-28\n'
    (overlay / "mplus_open.toml").write_text(f"[makers]\n{said}")
    options = ("-a", f"source={PUBLISHED}", "-s", f"POLICY_DIR={overlay}")
    crawl = scrapy.crawl("mplus_open_objects", *options)
    assert crawl.code == 0, crawl.err
    credited = {role for row in crawl.records for role in row["maker_roles_en"]}
    assert "Artist" not in credited
    assert {"Commissioned by", "Archive Creator"} <= credited


def git_archive(folder: Path, name: str) -> tuple[Path, str]:
    """The published set as ``git archive`` packs it, with its commit."""
    git = ("git", "-C", str(folder), "-c", "user.name=M", "-c", "user.email=m@museum.test")
    moment = "2023-01-17T07:27:57Z"
    environment = {"GIT_COMMITTER_DATE": moment, "GIT_AUTHOR_DATE": moment, "PATH": "/usr/bin:/bin"}
    for command in (("init", "-q"), ("add", "."), ("commit", "-qm", "release")):
        subprocess.run([*git, *command], check=True, env=environment)
    target = folder / name
    subprocess.run([*git, "archive", "--prefix=set/", "-o", str(target), "HEAD"], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True)
    return target, commit.stdout.decode().strip()


@pytest.mark.parametrize("name", ["set.tar", "set.tar.gz", "set.zip"])
def test_the_certificate_names_the_commit_of_the_archive(
    scrapy: Scrapy, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "repository"
    file = next(PUBLISHED.glob("constituents_JSON/*/*.json"))
    copy = folder / file.relative_to(PUBLISHED)
    copy.parent.mkdir(parents=True)
    copy.write_bytes(file.read_bytes())
    archive, commit = git_archive(folder, name)
    crawl = scrapy.crawl("mplus_open_constituents", "-a", f"source={archive}")
    assert crawl.code == 0, crawl.err
    origin = {"commit": commit, "committed_at": "2023-01-17T07:27:57Z"}
    assert crawl.certificate["origin"] == origin
    assert [row["modified"] for row in crawl.records] == [None]


def test_an_archive_that_names_no_commit_has_no_origin(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tar.gz"
    damaged.write_bytes(as_tar(tmp_path / "whole.tar.gz").read_bytes()[:20])
    commented = tmp_path / "commented.zip"
    with zipfile.ZipFile(commented, "w") as archive:
        archive.writestr("a", "b")
        archive.comment = "packed by Zoë".encode()
    pax = tmp_path / "pax.tar"
    with tarfile.open(pax, "w", pax_headers={"comment": "version 3"}) as tar:
        tar.addfile(tarfile.TarInfo("a"), io.BytesIO())
    empty = tmp_path / "empty.tar"
    empty.write_bytes(bytes(10240))
    for place in (
        *(PUBLISHED, as_tar(tmp_path / "set.xz"), as_zip(tmp_path / "set.zip")),
        *(damaged, commented, pax, empty),
    ):
        assert origin_of(place) == UNKNOWN


def test_a_commit_without_a_time_is_a_commit(tmp_path: Path) -> None:
    place = tmp_path / "set.zip"
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("a", json.dumps({}))
        archive.comment = b"a" * 40
    assert origin_of(place) == {"commit": "a" * 40, "committed_at": None}
