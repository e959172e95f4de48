"""``scrapy dataset``: one package from certified snapshots, whole, checked, the same each time."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import sqlite3
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from scrapy.utils.project import get_project_settings

from mplus_crawler.datasets.making import make_package
from mplus_crawler.datasets.relations import KindTable, kind_table
from mplus_crawler.datasets.snapshots import kinds
from mplus_crawler.errors import HarvestError
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.verification import sealed, verify
from tests.conftest import Scrapy
from tests.every_kind import Feeds, rows
from tests.s3 import S3Server

pytestmark = pytest.mark.long

MUSEUMS = ("dmg", "mplus", "mplus_open")
NOW = datetime(2026, 11, 22, tzinfo=UTC)  # before any harvest of the tests
Row = dict[str, Any]


def package(harvests: Path, museum: str, target: Path, **options: Any) -> Path:
    """The package of *museum*, made in this process."""
    settings = get_project_settings()
    settings.set("HARVEST_DIR", str(harvests))
    make_package(settings, museum, target, options.pop("now", NOW), **options)
    return target


def tables(museum: str) -> dict[str, KindTable]:
    """The plan of each table, by the name of its spider."""
    return {kind.spider: kind_table(kind) for kind in kinds(get_project_settings(), museum)}


@pytest.fixture(scope="module")
def harvests(feeds: Feeds) -> Path:
    """HARVEST_DIR with a snapshot of every kind."""
    return feeds["objects"].parent


@pytest.fixture(scope="module")
def packages(harvests: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A package of each museum."""
    folder = tmp_path_factory.mktemp("packages")
    return {museum: package(harvests, museum, folder / museum) for museum in MUSEUMS}


def contents(folder: Path) -> dict[str, str]:
    """The checksum of each file in *folder*."""
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def faults(path: Path) -> list[str]:
    """What ``scrapy verify`` finds wrong with the package *path*."""
    return [finding.text for finding in verify(path, None, path) if not finding.agrees]


def test_the_command_makes_a_package_that_passes(harvests: Path, scrapy: Scrapy) -> None:
    target = scrapy.folder / "set.zip"
    done = scrapy.run("dataset", "mplus_open", "-o", str(target), HARVEST_DIR=str(harvests))
    assert (done.returncode, done.stderr) == (0, "")
    count = len(rows(harvests / "mplus_open_objects.jsonl"))
    assert f"objects: {count} records" in done.stdout
    checked = scrapy.run("verify", str(target))
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "files, as certified" in checked.stdout


@pytest.mark.parametrize("museum", MUSEUMS)
def test_every_cell_is_that_of_the_feed(
    harvests: Path, packages: Mapping[str, Path], museum: str
) -> None:
    folder = packages[museum]
    with closing(sqlite3.connect(folder / "museum.sqlite")) as database:
        database.row_factory = sqlite3.Row
        for spider, table in tables(museum).items():
            expected = rows(harvests / f"{spider}.jsonl")
            parquet = pq.read_table(folder / f"{table.name}.parquet").to_pylist()
            assert [_parsed(row) for row in parquet] == expected
            assert list(_from_sqlite(database, table)) == sorted(
                (_without_nulls(row, table) for row in expected), key=lambda row: row["id"]
            )
            assert list(_csv(folder / f"{table.name}.csv")) == [_joined(row) for row in expected]


def _parsed(row: Row) -> Row:
    return {**row, "record": json.loads(row["record"])}


def _without_nulls(row: Row, table: KindTable) -> Row:
    """*row* as link tables keep it: a list that is null has no rows, as an empty one."""
    repeated = {column.name for column in table.schema if column.repeats}
    return {name: value or [] if name in repeated else value for name, value in row.items()}


def _from_sqlite(database: sqlite3.Connection, table: KindTable) -> Iterator[Row]:
    booleans = {column.name for column in table.schema if column.kind == "boolean"}
    for found in database.execute(f"SELECT * FROM {table.name} WHERE listed ORDER BY id"):
        row = {name: found[name] for name in found.keys() if name != "listed"}  # noqa: SIM118
        row |= {name: bool(row[name]) for name in booleans if row.get(name) is not None}
        lists: Row = {column.name: [] for column in table.schema if column.repeats}
        yield _parsed(row | lists | _lists(database, table, row["id"]))


def _lists(database: sqlite3.Connection, table: KindTable, id_: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    kinds_ = {column.name: column for column in table.schema}
    for link in table.links:
        names = [column.name for column in link.columns]
        for source in link.sources:
            role = f"AND role = '{source.role}'" if source.role else ""
            cells = database.execute(
                f"SELECT {', '.join(names)} FROM {link.name} WHERE {link.owner_id} = ? {role} "
                "ORDER BY position",
                (id_,),
            ).fetchall()
            if source.members:
                parts = {part.name: part for part in kinds_[source.members].fields}
                found[source.members] = [
                    {
                        name: _value(value, parts[name].kind)
                        for name, value in zip(source.parts, row, strict=True)
                    }
                    for row in cells
                ]
            for place, name in enumerate(source.lists):
                values = [row[place] for row in cells]
                if name in source.ids:
                    values = ["" if value is None else value for value in values]
                found[name] = [value for value in values if value is not None]
    return found


def _value(value: Any, kind: str) -> Any:
    if kind == "boolean" and value is not None:
        return bool(value)
    return json.loads(value) if kind == "json" and value is not None else value


def _csv(file: Path) -> Iterator[Row]:
    csv.field_size_limit(1 << 30)
    with file.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            yield _parsed(row)


def _joined(row: Row) -> Row:
    return {name: value if name == "record" else _cell(value) for name, value in row.items()}


def _cell(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = " | ".join(value)
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "@", "-") and isinstance(value, str) else text


@pytest.mark.parametrize("museum", MUSEUMS)
def test_the_keys_of_the_database_hold(packages: Mapping[str, Path], museum: str) -> None:
    with closing(sqlite3.connect(packages[museum] / "museum.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        views = database.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall()
        assert views
        for (view,) in views:
            database.execute(f"SELECT * FROM {view} LIMIT 1").fetchall()
        references = database.execute(
            "SELECT in_table, name, refers_to FROM columns WHERE refers_to IS NOT NULL"
        ).fetchall()
        assert references
        for table, name, other in references:
            keys = {
                (row[3], row[2]) for row in database.execute(f"PRAGMA foreign_key_list({table})")
            }
            assert (name, other) in keys


def test_what_no_snapshot_lists_is_a_stub(packages: Mapping[str, Path], harvests: Path) -> None:
    listed = {row["id"] for row in rows(harvests / "objects.jsonl")}
    parts = {id_ for row in rows(harvests / "objects.jsonl") for id_ in row["parts"]}
    assert parts - listed
    with closing(sqlite3.connect(packages["dmg"] / "museum.sqlite")) as database:
        stubs = {id_ for (id_,) in database.execute("SELECT id FROM objects WHERE listed = 0")}
    assert parts - listed <= stubs
    assert not stubs & listed


def test_texts_are_found_without_accents_and_in_chinese(
    packages: Mapping[str, Path], harvests: Path
) -> None:
    query = "SELECT id FROM search WHERE search MATCH ?"
    with closing(sqlite3.connect(packages["dmg"] / "museum.sqlite")) as database:
        found = {id_ for (id_,) in database.execute(query, ('text : "theebusje"',))}
    expected = rows(harvests / "objects.jsonl")
    assert found >= {row["id"] for row in expected if "theebusje" in row["types"]}
    titled = next(row for row in rows(harvests / "mplus_open_objects.jsonl") if row["title_zh"])
    with closing(sqlite3.connect(packages["mplus_open"] / "museum.sqlite")) as database:
        for words in (titled["title_zh"][1:3], f'"{" ".join(titled["title_zh"][:5])}"'):
            assert titled["id"] in {id_ for (id_,) in database.execute(query, (words,))}, words


def test_linked_data_is_what_the_museum_publishes(packages: Mapping[str, Path]) -> None:
    assert [museum for museum in MUSEUMS if (packages[museum] / "museum.nq").exists()] == ["dmg"]
    certificate = json.loads((packages["dmg"] / "package.certificate.json").read_bytes())
    with (packages["dmg"] / "museum.nq").open() as file:
        assert certificate["linked_data"]["quads"] == sum(1 for _ in file)
    assert certificate["linked_data"]["repairs"]["subject"]


@pytest.mark.parametrize("museum", ["dmg", "mplus_open"])
def test_the_same_snapshots_give_the_same_bytes(
    harvests: Path, packages: Mapping[str, Path], museum: str, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "moved"
    _copy(harvests, elsewhere)
    later = package(elsewhere, museum, tmp_path / "a.zip", now=NOW.replace(year=2027))
    with zipfile.ZipFile(later) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert contents(tmp_path / "unpacked") == contents(packages[museum])
    if museum == "mplus_open":
        again = package(harvests, museum, tmp_path / "b.zip")
        assert again.read_bytes() == later.read_bytes()


def test_one_flipped_byte_is_found_in_any_file(
    packages: Mapping[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "package"
    shutil.copytree(packages["mplus_open"], folder)
    assert faults(folder) == []
    for name in contents(folder):
        whole = (folder / name).read_bytes()
        flipped = bytearray(whole)
        flipped[len(flipped) // 2] ^= 1
        (folder / name).write_bytes(flipped)
        try:
            assert faults(folder), name
        except HarvestError:
            assert name == "package.certificate.json"
        (folder / name).write_bytes(whole)
    assert faults(folder) == []


def test_one_flipped_byte_is_found_anywhere_in_a_zip_file(harvests: Path, tmp_path: Path) -> None:
    whole = package(harvests, "mplus_open", tmp_path / "whole.zip").read_bytes()
    damaged = tmp_path / "damaged.zip"
    # The last bytes are the directory, and the checksum of all before.
    places = {*range(0, len(whole), len(whole) // 20), *range(len(whole) - 100, len(whole), 5)}
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 1
        damaged.write_bytes(flipped)
        with suppress(HarvestError):
            assert faults(damaged), place
    with zipfile.ZipFile(tmp_path / "whole.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    again = shutil.make_archive(str(tmp_path / "again"), "zip", tmp_path / "unpacked")
    assert faults(Path(again)) == []


def _remove(folder: Path) -> None:
    (folder / "README.md").unlink()


def _add(folder: Path) -> None:
    (folder / "certificates" / "more.txt").write_text("")


def _edit(folder: Path) -> None:
    path = folder / "package.certificate.json"
    path.write_text(path.read_text().replace("published data set", "public data set"))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (_remove, "README.md: no such file"),
        (_add, "certificates/more.txt: is not in the certificate"),
        (_edit, "package.certificate.json: its seal is broken: it has been changed"),
    ],
)
def test_a_changed_package_is_found(
    packages: Mapping[str, Path], tmp_path: Path, change: Callable[[Path], None], found: str
) -> None:
    folder = tmp_path / "package"
    shutil.copytree(packages["mplus_open"], folder)
    change(folder)
    assert faults(folder) == [found]


@pytest.mark.parametrize("museum", MUSEUMS)
def test_its_documents_agree(packages: Mapping[str, Path], museum: str) -> None:
    folder = packages[museum]
    documents = {
        name: json.loads((folder / name).read_text())
        for name in ("datapackage.json", "croissant.json", "ro-crate-metadata.json")
    }
    certificate = json.loads((folder / "package.certificate.json").read_text())
    listed = {entry["path"]: entry["sha256"] for entry in certificate["files"]}
    assert listed == {
        name: sha256
        for name, sha256 in contents(folder).items()
        if name != "package.certificate.json"
    }
    entities = {one["@id"]: one for one in documents["ro-crate-metadata.json"]["@graph"]}
    files = {id_: one for id_, one in entities.items() if one["@type"] == "File"}
    assert files.keys() == listed.keys() - {"ro-crate-metadata.json"} | {"package.certificate.json"}
    assert "sha256" not in files["package.certificate.json"]
    described = {name: one.get("sha256") for name, one in files.items()}
    described |= {
        one["path"]: one["hash"].removeprefix("sha256:")
        for one in documents["datapackage.json"]["resources"]
    }
    described |= {one["@id"]: one["sha256"] for one in documents["croissant.json"]["distribution"]}
    del described["package.certificate.json"]
    assert described.items() <= listed.items()
    root = entities["./"]
    data, croissant = documents["datapackage.json"], documents["croissant.json"]
    assert {root["version"], data["version"], croissant["version"]} == {certificate["version"]}
    assert {root["name"], data["title"], croissant["alternateName"]} == {certificate["title"]}
    assert {root["license"]["@id"], data["licenses"][0]["path"], croissant["license"]} == {
        "https://creativecommons.org/licenses/by/4.0/"
        if museum == "dmg"
        else "https://creativecommons.org/publicdomain/zero/1.0/"
    }
    assert {one.get("expires") for one in (root, data, croissant)} == {certificate["expires"]}
    assert bool(certificate["expires"]) == (museum == "mplus")
    readme = (folder / "README.md").read_text()
    for name in (*listed, "package.certificate.json"):
        assert f"| `{name}` | " in readme
    for table in tables(museum).values():
        for column in table.schema:
            assert f"| `{column.name}` |" in readme, (table.name, column.name)


def test_no_image_and_nothing_private_is_in_it(
    harvests: Path, packages: Mapping[str, Path]
) -> None:
    private = json.loads((harvests / "private_objects.certificate.json").read_text())
    for museum, folder in packages.items():
        assert {Path(name).suffix for name in contents(folder)} <= {
            *(".parquet", ".csv", ".sqlite", ".json", ".md", ".cff", ".jsonl", ".nq", ".html")
        }
        for name in contents(folder):
            assert private["run"].encode() not in (folder / name).read_bytes(), (museum, name)
        assert not any("private" in name or "v1" in name for name in contents(folder))


@pytest.fixture
def copied(harvests: Path, tmp_path: Path) -> Path:
    """HARVEST_DIR with M+'s snapshots, for tests to damage."""
    folder = tmp_path / "harvests"
    _copy(harvests, folder, "mplus*")
    # So that no command reaches the files that all tests read.
    for path in folder.glob("*.certificate.json"):
        document = json.loads(path.read_text().replace(str(harvests), str(folder)))
        del document["seal"]
        path.write_bytes(sealed(document))
    return folder


def certify(folder: Path, spider: str, *, reseal: bool = True, **changes: Any) -> None:
    """Edit the certificate of *spider*'s snapshot."""
    path = folder / f"{spider}.certificate.json"
    document = json.loads(path.read_text()) | changes
    del document["seal"]
    path.write_bytes(sealed(document) if reseal else json.dumps(document).encode())


def _cut(folder: Path) -> None:
    feed = folder / "mplus_open_objects.jsonl"
    feed.write_bytes(feed.read_bytes()[:-100])


def _flip(folder: Path) -> None:
    feed = folder / "mplus_open_constituents.jsonl"
    feed.write_bytes(feed.read_bytes().replace(b'"kind":"constituent"', b'"kind":"Constituent"', 1))


def _without_feed(folder: Path) -> None:
    (folder / "mplus_open_objects.jsonl").unlink()


def _without_certificate(folder: Path) -> None:
    (folder / "mplus_open_objects.certificate.json").unlink()


def _no_json(folder: Path) -> None:
    (folder / "mplus_open_objects.certificate.json").write_text("[1, 2")


def _other_certificate(folder: Path) -> None:
    shutil.copyfile(
        folder / "mplus_open_constituents.certificate.json",
        folder / "mplus_open_objects.certificate.json",
    )


def _edited(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: certify(folder, "mplus_open_objects", **changes)


def _empty(folder: Path) -> None:
    for file in folder.glob("mplus_open_*"):
        file.unlink()


@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [
        (_cut, 1, "bytes"),
        (_flip, 1, "sha256"),
        (_without_feed, 1, "without mplus_open_objects.jsonl"),
        (_without_certificate, 1, "without mplus_open_objects.certificate.json"),
        (_no_json, 1, "not a sealed certificate"),
        (_other_certificate, 1, "is the certificate of mplus_open_constituents"),
        (_edited(reseal=False), 1, "not a sealed certificate"),
        (_edited(verdict="incomplete", exit_code=10, snapshot=False), 10, "incomplete"),
        (_edited(snapshot=False), 2, "selection"),
        (_edited(private=True), 2, "private"),
        (_edited(api="http://127.0.0.1:9/graphql/"), 2, "not of one API"),
        (_edited(source="Another museum"), 2, "not of one museum"),
        (_edited(origin={"commit": "1" * 40, "committed_at": "2025-01-09"}), 2, "one release"),
        (_empty, 2, "no snapshot of mplus_open"),
    ],
)
def test_a_snapshot_that_proves_nothing_is_refused_in_one_line(
    packages: Mapping[str, Path],
    copied: Path,
    tmp_path: Path,
    damage: Callable[[Path], None],
    code: int,
    words: str,
) -> None:
    target = tmp_path / "package"
    shutil.copytree(packages["mplus_open"], target)
    former = contents(target)
    damage(copied)
    with pytest.raises(HarvestError) as error:
        package(copied, "mplus_open", target)
    assert error.value.exit_code == code
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert contents(target) == former
    assert [path.name for path in tmp_path.iterdir()] == ["harvests", "package"]


def test_a_package_of_one_kind_uses_that_one_as_its_example(copied: Path, tmp_path: Path) -> None:
    for file in copied.glob("mplus_open_objects.*"):
        file.unlink()
    folder = package(copied, "mplus_open", tmp_path / "package")
    assert faults(folder) == []
    readme = (folder / "README.md").read_text()
    assert 'constituents = pd.read_parquet("constituents.parquet")' in readme
    assert "Without a snapshot: objects." in readme
    with closing(sqlite3.connect(folder / "museum.sqlite")) as database:
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def test_an_expired_snapshot_is_refused_and_can_be_left_out(
    harvests: Path, copied: Path, packages: Mapping[str, Path], tmp_path: Path
) -> None:
    started = datetime.fromisoformat(
        json.loads((copied / "mplus_objects.certificate.json").read_text())["started_at"]
    )
    late = started + timedelta(days=14, seconds=1)
    with pytest.raises(HarvestError, match="expired on") as error:
        package(copied, "mplus", tmp_path / "late", now=late)
    assert error.value.exit_code == 12
    certificate = json.loads((packages["mplus"] / "package.certificate.json").read_text())
    assert certificate["expires"] == f"{started + timedelta(days=14):%Y-%m-%d}"
    kept = package(copied, "mplus", tmp_path / "kept", withhold=True)
    assert faults(kept) == []
    credits_ = [row["attribution"] or row["uri"] for row in rows(copied / "mplus_objects.jsonl")]
    for name in contents(kept):
        assert not any(one.encode() in (kept / name).read_bytes() for one in credits_), name
    # What never expires is the same with the option.
    whole = package(harvests, "mplus_open", tmp_path / "whole", withhold=True)
    assert contents(whole) == contents(packages["mplus_open"])


def test_content_that_expires_is_registered_and_purged(copied: Path, scrapy: Scrapy) -> None:
    where = {"HARVEST_DIR": str(copied)}
    assert scrapy.run("dataset", "mplus", **where).returncode == 0
    listed = scrapy.run("retention", **where).stdout
    folder = copied / "mplus-dataset"
    for name in contents(folder):
        assert (str(folder / name) in listed) is (name != "package.certificate.json"), name
    assert ".building" not in listed
    kept = scrapy.folder / "kept.zip"
    assert scrapy.run("dataset", "mplus", "--no-expiring", "-o", str(kept), **where).returncode == 0
    assert str(kept) not in scrapy.run("retention", **where).stdout
    purged = scrapy.run("retention", "--purge", "--at", "+15", **where)
    assert f"{folder}/museum.sqlite: removed" in purged.stdout
    assert not list(folder.glob("*.parquet"))


@pytest.mark.parametrize("name", ["notes", "notes.zip", "file"])
def test_what_is_no_package_is_never_replaced(harvests: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    inside = target
    if name == "notes":
        target.mkdir()
        inside = target / "thesis.md"
    inside.write_text("mine")
    with pytest.raises(HarvestError) as error:
        package(harvests, "mplus_open", target)
    assert error.value.exit_code == 2
    assert inside.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("named", [False, True])
def test_a_kill_leaves_the_former_package_or_the_new_one(
    harvests: Path, packages: Mapping[str, Path], tmp_path: Path, named: bool
) -> None:
    target = tmp_path / "package"
    shutil.copytree(packages["mplus_open"], target)
    half = tmp_path / ".package.building"
    (half / "package").mkdir(parents=True)
    (half / "package" / "objects.csv").write_text("half")
    if named:  # killed between the two renamings
        target.rename(tmp_path / ".package.former")
    (tmp_path / ".package.harvest.part").touch()
    (tmp_path / "mplus_open_objects.jsonl").touch()  # without a certificate
    with pytest.raises(HarvestError):
        package(tmp_path, "mplus_open", target)  # it fails, and cleans up
    (tmp_path / "mplus_open_objects.jsonl").unlink()
    assert [path.name for path in tmp_path.iterdir()] == ["package"]
    assert contents(target) == contents(packages["mplus_open"])


def test_a_link_to_a_package_stays_one(
    harvests: Path, packages: Mapping[str, Path], tmp_path: Path
) -> None:
    real, link = tmp_path / "elsewhere" / "package", tmp_path / "link"
    shutil.copytree(packages["mplus_open"], real)
    (real / "README.md").write_text("former")
    link.symlink_to(real)
    package(harvests, "mplus_open", link)
    assert link.is_symlink()
    assert contents(real) == contents(packages["mplus_open"])
    assert [path.name for path in real.parent.iterdir()] == ["package"]


def test_a_full_disk_is_one_line(harvests: Path, scrapy: Scrapy, tmp_path: Path) -> None:
    full = tmp_path / "full.py"
    full.write_text(
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    )
    target = tmp_path / "package"
    done = scrapy.run(
        "dataset", "dmg", "-o", str(target), HARVEST_DIR=str(harvests), RUN_FIRST=str(full)
    )
    assert done.returncode == 14
    assert done.stderr.count("\n") == 1
    assert "cannot be written" in done.stderr
    assert not target.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name one museum"),
        (("dmg", "mplus"), "name one museum"),
        (("dmg",), "no snapshot of dmg"),
        (("louvre",), "use one of dmg, mplus, mplus_open"),
        (("dmg", "-o", "s3://bucket/package"), "-o FOLDER"),
    ],
)
def test_mistakes_are_one_line(scrapy: Scrapy, arguments: tuple[str, ...], words: str) -> None:
    done = scrapy.run("dataset", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (scrapy.folder / "data").exists()


def test_a_package_says_what_changed(scrapy: Scrapy, museum: Callable[..., Sandbox]) -> None:
    gent = museum(objects=60, agents=12, exhibitions=9, concepts=14, invalid=0)
    scrapy.at(gent)
    for day in (0, 1):
        gent.move_to(day)
        assert scrapy.crawl("objects").code == 0
    folder = package(scrapy.folder / "data", "dmg", scrapy.folder / "package")
    assert faults(folder) == []
    truth = gent.truth(day=1, since=0)["objects"]["changes_since"]
    feeds = sorted((folder / "changes" / "objects").iterdir())
    assert len(feeds) == 2
    with closing(sqlite3.connect(folder / "museum.sqlite")) as database:
        found = database.execute("SELECT run, type, count(*) FROM changes GROUP BY run, type")
        counts = {(run, type_): count for run, type_, count in found}
    first, second = sorted({run for run, _ in counts})
    assert counts[first, "Create"] == 60
    assert counts[second, "Create"] == len(truth["created"])
    for feed in feeds:
        lines = [json.loads(line) for line in feed.read_text().splitlines()]
        run = lines[0]["to"]["run"]
        assert sum(count for (of, _), count in counts.items() if of == run) == len(lines) - 1


def test_snapshots_in_s3_give_the_same_package(
    harvests: Path, packages: Mapping[str, Path], scrapy: Scrapy, tmp_path: Path
) -> None:
    server = S3Server(tmp_path / "s3")
    _copy(harvests, server.folder / "bucket" / "snapshots")
    server.start()
    try:
        where = {"HARVEST_DIR": "s3://bucket/snapshots", **server.environment}
        refused = scrapy.run("dataset", "mplus_open", **where)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        target = tmp_path / "package"
        done = scrapy.run("dataset", "mplus_open", "-o", str(target), **where)
    finally:
        server.kill()
    assert (done.returncode, done.stderr) == (0, "")
    assert contents(target) == contents(packages["mplus_open"])


def _copy(harvests: Path, target: Path, names: str = "*") -> None:
    """Copy the snapshots and the change feeds of the spiders *names*."""
    for file in (*harvests.glob(f"{names}.json*"), *harvests.glob(f"changes/{names}/*")):
        copy = target / file.relative_to(harvests)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


def test_a_killed_command_leaves_nothing_unknown(
    copied: Path, scrapy: Scrapy, tmp_path: Path
) -> None:
    killed = tmp_path / "killed.py"
    killed.write_text(
        "import os, signal\n"
        "from mplus_crawler.datasets.package import Package\n"
        "Package._documents = lambda self: os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    where = {"HARVEST_DIR": str(copied)}
    target = tmp_path / "package"
    command = ("dataset", "mplus", "-o", str(target))
    assert scrapy.run(*command, **where, RUN_FIRST=str(killed)).returncode < 0
    half = tmp_path / ".package.building"
    assert half.exists()
    assert not target.exists()
    listed = scrapy.run("retention", **where).stdout
    for name in ("package/objects.parquet", "package/museum.sqlite", "read/mplus_objects.jsonl"):
        assert str(half / name) in listed
    assert scrapy.run(*command, **where).returncode == 0
    assert faults(target) == []
    assert not half.exists()
    assert str(half) not in scrapy.run("retention", **where).stdout
