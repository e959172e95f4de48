"""``scrapy verify``: a harvest agrees with its certificate; whatever is done to it is found."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mplus_crawler.census import Verdict
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.verification import seal, verify
from tests.conftest import Scrapy, limit

UNLIMITED = limit(1_000_000, 1)
COMPLETE, INCOMPLETE = "complete/objects.jsonl", "incomplete/objects.incomplete.jsonl"


@dataclass(frozen=True)
class Harvest:
    """A folder that a harvest has left, for tests to damage."""

    folder: Path

    def path(self, name: str) -> Path:
        return self.folder / name

    @property
    def certificate(self) -> dict[str, Any]:
        certificate: dict[str, Any] = json.loads(self.path("objects.certificate.json").read_text())
        return certificate

    def certify(
        self,
        change: Callable[[dict[str, Any]], None],
        *,
        reseal: bool = True,
        name: str = "objects.certificate.json",
    ) -> None:
        """Edit the certificate *name*; with *reseal*, so that its seal does not give it away."""
        document: dict[str, Any] = json.loads(self.path(name).read_text())
        change(document)
        if reseal:
            document["seal"] = sealed(document)
        self.path(name).write_text(json.dumps(document))

    def rewrite(self, name: str, change: Callable[[bytes], bytes]) -> None:
        path = self.path(name)
        path.write_bytes(change(path.read_bytes()))

    def lines(self, change: Callable[[list[bytes]], object], name: str = "objects.jsonl") -> None:
        """Change a file's list of lines, in place."""
        lines = self.path(name).read_bytes().splitlines(keepends=True)
        change(lines)
        self.path(name).write_bytes(b"".join(lines))

    def record(self, number: int, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the record in line *number*, in place."""

        def changed(lines: list[bytes]) -> None:
            record = json.loads(lines[number - 1])
            change(record)
            lines[number - 1] = json.dumps(record, ensure_ascii=False).encode() + b"\n"

        self.lines(changed)

    def fit(self, name: str = "objects.jsonl", **also: Any) -> None:
        """Make the certificate's checksums fit the file *name*, and set what *also* says."""
        content = self.path(name).read_bytes()

        def fitted(document: dict[str, Any]) -> None:
            document |= also
            (feed,) = [feed for feed in document["feeds"] if Path(feed["uri"]).name == name]
            feed |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}

        self.certify(fitted)

    def findings(self, name: str = "objects.jsonl") -> list[str]:
        """What the verification tells, without the name of the folder."""
        return [
            str(finding).removeprefix(f"{finding.file.parent}/")
            for finding in verify(self.path(name), None, self.folder)
        ]


def sealed(document: dict[str, Any]) -> str:
    """The seal as its definition says, spelled out here once more."""
    rest = {name: document[name] for name in sorted(document) if name != "seal"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


@pytest.fixture(scope="module")
def harvests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a complete harvest, and one with an incomplete harvest after it."""
    folder = tmp_path_factory.mktemp("verify")
    complete, incomplete = folder / "complete", folder / "incomplete"
    with Sandbox(limits="off", objects=150) as museum:
        scrapy = Scrapy(folder).at(museum).policy(UNLIMITED)
        feeds = [f"-O{folder / 'written' / name}" for name in ("objects.jsonl", "o.csv", "o.json")]
        crawl = scrapy.crawl("objects", *feeds, HARVEST_DIR=str(folder / "data"))
        assert crawl.code == 0, crawl.err
        assert crawl.certificate["rejected"] == 1
    # Moved: where the certificate says that its feeds are, there is nothing any more.
    (folder / "written").rename(complete)
    shutil.copytree(complete, incomplete)
    lost = "status:code=404,path=objects,page=2,times=always"
    with Sandbox(limits="off", objects=150, faults=[lost]) as museum:
        given = ("-a", "_job=nightly", "-s", "LOG_LEVEL=INFO", "-a", "_version=1")
        crawl = scrapy.at(museum).crawl("objects", *given, HARVEST_DIR=str(incomplete))
        assert crawl.code == 10, crawl.err
        assert crawl.certificate["resume"] == "scrapy crawl objects -s LOG_LEVEL=INFO"
    return folder


@pytest.fixture
def complete(harvests: Path, tmp_path: Path) -> Harvest:
    return Harvest(shutil.copytree(harvests / "complete", tmp_path / "complete"))


@pytest.fixture
def incomplete(harvests: Path, tmp_path: Path) -> Harvest:
    return Harvest(shutil.copytree(harvests / "incomplete", tmp_path / "incomplete"))


def run(scrapy: Scrapy, *arguments: Path | str) -> tuple[int, list[str]]:
    """Exit code and lines of ``scrapy verify``, which are never a traceback."""
    done = scrapy.run("verify", *map(str, arguments))
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, [*done.stdout.splitlines(), *done.stderr.splitlines()]


def test_what_was_harvested_agrees(scrapy: Scrapy, harvests: Path) -> None:
    files = [COMPLETE, "complete/o.csv", "complete/o.json", INCOMPLETE, "incomplete/objects.jsonl"]
    job = "incomplete/jobs/nightly.certificate.json"
    code, lines = run(scrapy, *(harvests / file for file in [*files, job]))
    size = (harvests / "complete/o.json").stat().st_size
    lost = len((harvests / INCOMPLETE).read_bytes().splitlines())
    assert lines == [
        f"{harvests}/{COMPLETE}: 149 records, as certified (complete)",
        f"{harvests}/complete/o.csv: 149 records, as certified (complete)",
        f"{harvests}/complete/o.json: {size:,} bytes, as certified (complete; records not read)",
        f"{harvests}/{INCOMPLETE}: {lost} records, as certified (incomplete)",
        f"{harvests}/incomplete/objects.jsonl: 149 records, as certified (complete)",
        f"{harvests}/{INCOMPLETE}: {lost} records, as certified (incomplete)",
    ]
    assert code == 0


def test_a_certificate_stands_for_all_its_feeds(scrapy: Scrapy, complete: Harvest) -> None:
    certificate = complete.path("objects.certificate.json")
    code, lines = run(scrapy, certificate)
    assert code == 0
    assert len([line for line in lines if ", as certified (complete" in line]) == 3 == len(lines)
    complete.path("o.csv").unlink()
    code, lines = run(scrapy, certificate)
    assert code == 1
    assert [line for line in lines if line.endswith("o.csv: no such file")]


def test_a_feed_elsewhere_is_found_from_the_harvests_folder(
    scrapy: Scrapy, complete: Harvest, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "else where.jsonl"
    complete.path("objects.jsonl").rename(elsewhere)
    complete.certify(lambda document: document["feeds"][0].update(uri=elsewhere.as_uri()))
    code, lines = run(scrapy, "-s", f"HARVEST_DIR={complete.folder}", elsewhere)
    assert (code, lines) == (0, [f"{elsewhere}: 149 records, as certified (complete)"])


def test_a_certificate_can_be_named(
    scrapy: Scrapy, complete: Harvest, incomplete: Harvest, tmp_path: Path
) -> None:
    renamed = tmp_path / "renamed.jsonl"
    shutil.copy(incomplete.path("objects.incomplete.jsonl"), renamed)
    certificate = incomplete.path("objects.incomplete.certificate.json")
    code, lines = run(scrapy, "--certificate", certificate, renamed)
    assert code == 0
    assert lines[0].endswith(" as certified (incomplete)")
    other = complete.path("objects.certificate.json")
    code, lines = run(scrapy, "--certificate", other, renamed)
    assert (code, lines) == (2, [f"error: {other} does not name {renamed}"])


@pytest.mark.parametrize(
    ("arguments", "errors"),
    [
        ([], ["name a feed, a certificate, a package or HARVEST_DIR: scrapy verify FILE"]),
        (["--certificate", "no.json", "no.jsonl"], ["no such certificate: no.json"]),
        (
            ["no.jsonl", "no.certificate.json", "README.md"],
            [
                "no.jsonl: no such file, and no certificate found for it; pass one",
                "no such certificate: no.certificate.json",
                "README.md: no certificate found for it; pass one",
            ],
        ),
    ],
)
def test_a_usage_error_is_one_line(scrapy: Scrapy, arguments: list[str], errors: list[str]) -> None:
    code, lines = run(scrapy, *arguments)
    assert code == 2
    assert len(lines) == len(errors)
    for line, error in zip(lines, errors, strict=True):
        assert line.startswith(f"error: {error}")


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def change_id(record: dict[str, Any]) -> None:
    record["id"] += "x"


DAMAGES: dict[str, tuple[Callable[[Harvest], object], list[str]]] = {
    "flipped": (lambda harvest: harvest.rewrite("objects.jsonl", flip), ["sha256 is "]),
    "removed": (
        lambda harvest: harvest.lines(lambda lines: lines.pop(40)),
        [" bytes, ", "sha256 is ", "148 records, 149 certified", "148 unique ids, ", "id_digest"],
    ),
    "doubled": (
        lambda harvest: harvest.lines(lambda lines: lines.insert(40, lines[16])),
        ["line 41: has the same id as line 17: https://", "150 records, 149 certified"],
    ),
    "changed id": (
        lambda harvest: harvest.record(17, change_id),
        ["sha256 is ", "its ids differ from the certified ones: id_digest is "],
    ),
    "truncated": (
        lambda harvest: harvest.rewrite("objects.jsonl", lambda content: content[:-1000]),
        [" bytes, ", "line 149: is truncated: no newline", "line 149: is not JSON: Unterminated"],
    ),
    "gone": (
        lambda harvest: harvest.path("objects.jsonl").unlink(),
        ["objects.jsonl: no such file"],
    ),
    "garbage": (
        lambda harvest: harvest.rewrite("objects.jsonl", lambda _: bytes(range(256)) * 64),
        ["line 1: is not JSON: ", "and 46 more such differences", ": 65 records, 149 certified"],
    ),
    "empty": (
        lambda harvest: harvest.rewrite("objects.jsonl", lambda _: b""),
        [": 0 bytes, ", ": 0 records, 149 certified", ": 0 unique ids, 149 certified"],
    ),
    "certificate gone bad": (
        lambda harvest: harvest.rewrite("objects.certificate.json", lambda _: b"\xff{"),
        ["error: ", "objects.certificate.json is not a certificate: 'utf-8' codec can't"],
    ),
}


@pytest.fixture(scope="module")
def damaged(harvests: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the command tells of all that damage."""
    folder = tmp_path_factory.mktemp("damaged")
    feeds = []
    for name, (damage, _) in DAMAGES.items():
        harvest = Harvest(shutil.copytree(harvests / "complete", folder / name))
        damage(harvest)
        feeds.append(harvest.path("objects.jsonl"))
    code, lines = run(Scrapy(folder), *feeds)
    assert code == 1
    return lines


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found(damaged: list[str], name: str) -> None:
    lines = [line for line in damaged if f"/{name}/" in line]
    missing = [word for word in DAMAGES[name][1] if not any(word in line for line in lines)]
    assert not missing, lines
    assert not any("as certified" in line for line in lines)


@settings(max_examples=60)
@given(st.data())
def test_any_changed_byte_is_found(harvests: Path, data: st.DataObject) -> None:
    content = (harvests / COMPLETE).read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[place]))
    file = harvests / "changed.jsonl"
    file.write_bytes(content[:place] + bytes([byte]) + content[place + 1 :])
    harvest = Harvest(harvests / "complete")
    document = harvest.certificate
    document["feeds"] = [{**document["feeds"][0], "uri": str(file)}]
    document["seal"] = sealed(document)
    certificate = harvests / "changed.certificate.json"
    certificate.write_text(json.dumps(document))
    assert any("sha256 is" in str(finding) for finding in verify(file, certificate, harvests))


def leaves(value: Any, *way: str | int) -> list[tuple[str | int, ...]]:
    """The ways to everything in *value* that is neither list nor dictionary."""
    if not isinstance(value, dict | list) or not value:
        return [way]
    members = value.items() if isinstance(value, dict) else enumerate(value)
    return [leaf for key, member in members for leaf in leaves(member, *way, key)]


@pytest.mark.long
def test_any_edited_field_breaks_the_seal(complete: Harvest) -> None:
    untouched = complete.certificate
    ways = [way for way in leaves(untouched) if way != ("seal",)]
    assert len(ways) > 50
    for name in ("objects.jsonl", "o.csv", "o.json"):
        complete.path(name).unlink()
    for way in ways:
        document = json.loads(json.dumps(untouched))
        holder = document
        for key in way[:-1]:
            holder = holder[key]
        holder[way[-1]] = f"{holder[way[-1]]}0"
        complete.path("objects.certificate.json").write_text(json.dumps(document))
        found = [
            str(each) for each in verify(complete.path("objects.certificate.json"), None, Path())
        ]
        assert any("its seal is broken" in line for line in found), way


def test_the_seal_covers_the_certificate_as_it_is_read(complete: Harvest) -> None:
    certificate = complete.certificate
    assert certificate["seal"] == sealed(certificate) == seal(certificate)
    written = {"verdict": Verdict.COMPLETE, "code": 0, "day": date(2026, 11, 22), "é": [0.5, None]}
    read = {"é": [0.5, None], "verdict": "complete", "day": "2026-11-22", "code": 0, "seal": "x"}
    assert seal(written) == seal(read) == sealed(read)
    assert seal(read) != seal({**read, "code": 1})
    with pytest.raises(TypeError, match="Path"):
        seal({"path": Path()})


def test_a_certificate_without_seal_is_not_believed(complete: Harvest) -> None:
    complete.certify(lambda document: document.pop("seal"), reseal=False)
    (line,) = complete.findings()
    assert line.startswith("objects.certificate.json: has no seal: ")


def setting(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.update(fields)


def adding(**numbers: int) -> Callable[[dict[str, Any]], None]:
    """Add to counts, and to what was expected, so that the sum is right."""

    def change(document: dict[str, Any]) -> None:
        for name, number in numbers.items():
            document[name] += number
        total = document["expected"]["last"] + sum(numbers.values())
        document["expected"] = {"first": total, "last": total}

    return change


def feed(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["feeds"][0].update(fields)


@pytest.mark.parametrize(
    ("edit", "difference"),
    [
        (setting(verdict="incomplete"), "exit_code is 0, but the verdict incomplete has 10"),
        (setting(verdict="splendid"), "verdict: 'splendid' is not one of ["),
        (setting(exit_code=10), "exit_code is 10, but the verdict complete has 0"),
        (setting(unique=150), "complete, but unique + rejected + unreadable are 151, and 150"),
        (setting(unique="149"), "unique: '149' is not of type 'integer'"),
        (setting(expected={"first": 151, "last": 150}), "151 were expected at first and 150"),
        (
            setting(expected={"first": None, "last": None}),
            "and an unknown number expected",
        ),
        (setting(resume="scrapy crawl objects"), "complete, but it names a command to resume"),
        (setting(problems={"page 2: 404": 1}), "despite problems: page 2: 404"),
        (setting(feeds=[]), "149 records, but no feed"),
        (setting(id_digest="0" * 64), "objects.jsonl: its ids differ from the certified ones"),
        (setting(arguments={"limit": "9"}, unique=151), "more than the 150 expected"),
        (adding(unique=1), "objects.jsonl: 149 unique ids, 150 certified"),
        (adding(unique=-1), "objects.jsonl: 149 unique ids, 148 certified"),
        (adding(rejected=1), "objects.rejected.jsonl: 1 record, 2 certified"),
        (adding(unreadable=1), "objects.rejected.jsonl: 1 record, 2 certified"),
        (adding(unique=1, rejected=-1), "objects.jsonl: 149 unique ids, 150 certified"),
        (feed(items=148), "objects.jsonl: 149 records, 148 certified"),
        (feed(bytes=7), " bytes, 7 certified"),
        (feed(sha256="0" * 64), f"{'0' * 64} certified"),
        (feed(sha256=""), "feeds.0.sha256: '' does not match"),
        (lambda document: document["feeds"][0].pop("sha256"), "has no checksum of it"),
        (
            feed(uri="s3://bucket/objects.jsonl"),
            "s3://bucket/objects.jsonl is not on this computer",
        ),
    ],
)
def test_an_edited_certificate_is_disproved_even_when_it_is_sealed_again(
    complete: Harvest, edit: Callable[[dict[str, Any]], None], difference: str
) -> None:
    complete.certify(edit)
    found = complete.findings("objects.certificate.json")
    assert any(difference in line for line in found), found
    assert not any("seal" in line for line in found)
    assert not any(line.startswith("objects.jsonl: 149 records, as certified") for line in found)


def test_a_harvest_cannot_be_made_complete_by_saying_so(incomplete: Harvest) -> None:
    edit = setting(verdict="complete", exit_code=0, resume=None, problems={})
    incomplete.certify(edit, name="objects.incomplete.certificate.json")
    (line,) = incomplete.findings("objects.incomplete.jsonl")
    assert "complete, but unique + rejected + unreadable are " in line
    assert line.endswith(", and 150 expected")


def test_the_certificate_with_the_files_checksum_counts(incomplete: Harvest) -> None:
    name, run = "objects.certificate.json", incomplete.folder / "runs" / "20261101.certificate.json"
    agrees = ["objects.jsonl: 149 records, as certified (complete)"]
    incomplete.certify(setting(finished_at="2026-01-01T00:00:00Z"))
    shutil.copy(incomplete.path(name), run)
    # Between two renames the certificate beside the feed is another run's.
    incomplete.certify(feed(sha256="0" * 64))
    incomplete.certify(setting(finished_at="2999-01-01T00:00:00Z", run="another"))
    assert incomplete.findings() == agrees
    run.unlink()
    assert any("sha256 is" in line for line in incomplete.findings())


def test_a_rejected_file_that_a_later_run_replaced_is_no_difference(
    complete: Harvest, incomplete: Harvest
) -> None:
    assert complete.findings("objects.rejected.jsonl") == [
        "objects.rejected.jsonl: 1 rejected record, as certified (complete)"
    ]
    later = incomplete.path("objects.incomplete.rejected.jsonl")
    for harvest in (complete, incomplete):
        shutil.copy(later, harvest.path("objects.rejected.jsonl"))

    def renamed(document: dict[str, Any]) -> None:
        document["rejects"]["uri"] = "objects.rejected.jsonl"

    incomplete.certify(renamed, name="objects.incomplete.certificate.json")
    assert incomplete.findings() == ["objects.jsonl: 149 records, as certified (complete)"]
    # Runs within a second may have equal rejects.
    complete.path("objects.rejected.jsonl").write_bytes(later.read_bytes() + b"{}\n")
    (line,) = complete.findings()
    assert line.startswith("objects.rejected.jsonl: ")


def test_the_rejected_file_must_be_there(complete: Harvest) -> None:
    complete.path("objects.rejected.jsonl").unlink()
    assert complete.findings() == [
        "objects.rejected.jsonl: cannot be read: No such file or directory"
    ]


def test_a_field_that_stands_twice_is_found(complete: Harvest) -> None:
    complete.rewrite("objects.certificate.json", lambda text: b'{"verdict": "x",' + text[1:])
    with pytest.raises(Exception, match=r"is not a certificate: the name verdict is repeated"):
        complete.findings()


def test_what_a_schema_refuses_is_found_with_its_path(complete: Harvest) -> None:
    complete.record(17, lambda record: record.update(date_begin="1890"))
    complete.record(21, lambda record: record.update(url="no address"))
    complete.record(18, lambda record: record["record"].update({"crm:P2_has_type": ["a", {}]}))
    complete.record(19, lambda record: record.pop("label"))
    complete.record(20, lambda record: record.update(kind="painting"))
    complete.fit()
    assert sorted(complete.findings()) == [
        "objects.jsonl: line 17: date_begin: '1890' is not of type 'integer', 'null'",
        "objects.jsonl: line 18: record.crm:P2_has_type.0: 'a' is not of type 'object'",
        "objects.jsonl: line 19: 'label' is a required property",
        "objects.jsonl: line 20: kind: no schema for 'painting'",
        'objects.jsonl: line 21: url: "no address" is not a "uri"',
    ]


def test_of_many_refused_records_twenty_are_reported(complete: Harvest) -> None:
    complete.rewrite(
        "objects.jsonl", lambda content: content.replace(b'"on_display":', b'"shown":')
    )
    complete.fit()
    found = complete.findings()
    assert len(found) == 21
    assert found[0].startswith("objects.jsonl: line 1: Additional properties are not allowed")
    assert found[20] == "objects.jsonl: and 129 more such differences"


@pytest.mark.parametrize(
    ("line", "difference"),
    [
        (b"[]\n", "line 17: is not a JSON object"),
        (b"\n", "line 17: is not JSON: Expecting value"),
        (b'{"id": NaN}\n', "line 17: is not JSON: NaN is not a number in JSON"),
        (b'{"id": "\xe9"}\n', "line 17: is not JSON: 'utf-8' codec can't"),
        (b"[" * 100_000 + b"\n", "line 17: is not JSON: maximum recursion depth"),
        (b'{"id": 7, "kind": "object"}\n', "line 17: has no id"),
        (b'{"id": "\\ud800", "kind": "object"}\n', "line 17: id: "),
    ],
)
def test_a_line_that_is_no_record_is_found(complete: Harvest, line: bytes, difference: str) -> None:
    complete.lines(lambda lines: lines.__setitem__(16, line))
    complete.fit()
    found = complete.findings()
    assert any(difference in text for text in found), found


def rows(harvest: Harvest, change: Callable[[list[list[str]]], object]) -> None:
    with harvest.path("o.csv").open(newline="") as file:
        table = list(csv.reader(file))
    change(table)
    with harvest.path("o.csv").open("w", newline="") as file:
        csv.writer(file).writerows(table)
    harvest.fit("o.csv")


def test_csv_may_be_made_for_a_spreadsheet(complete: Harvest) -> None:
    complete.rewrite("o.csv", lambda content: b"\xef\xbb\xbf" + content)
    complete.fit("o.csv")
    assert complete.findings("o.csv") == ["o.csv: 149 records, as certified (complete)"]


def test_csv_is_compared_by_rows_and_ids(complete: Harvest) -> None:
    rows(complete, lambda table: table.pop(5))
    assert "o.csv: 148 records, 149 certified" in complete.findings("o.csv")
    rows(complete, lambda table: table.insert(5, table[7]))
    assert any("has the same id as line " in line for line in complete.findings("o.csv"))
    rows(complete, lambda table: table[5].pop())
    assert any(" cells under " in line for line in complete.findings("o.csv"))
    complete.rewrite("o.csv", lambda content: content[:-5])
    complete.fit("o.csv")
    assert any("is not CSV in UTF-8: unexpected end" in line for line in complete.findings("o.csv"))


def test_csv_without_ids_says_so(complete: Harvest) -> None:
    rows(complete, lambda table: [row.pop(0) for row in table])
    (line,) = complete.findings("o.csv")
    assert line == "o.csv: 149 records, as certified (complete; has no ids to compare)"


def test_a_compressed_feed_is_compared_by_its_bytes(complete: Harvest) -> None:
    complete.rewrite("objects.jsonl", gzip.compress)
    complete.fit()
    (line,) = complete.findings()
    assert line.endswith(" bytes, as certified (complete; records not read)")
    complete.rewrite("objects.jsonl", flip)
    (line,) = complete.findings()
    assert line.startswith("objects.jsonl: sha256 is ")


def test_parts_of_a_batch_are_reported_as_such(complete: Harvest) -> None:
    lines = complete.path("objects.jsonl").read_bytes().splitlines(keepends=True)
    parts = {"objects-1.jsonl": lines[:100], "objects-2.jsonl": lines[100:]}

    def in_parts(document: dict[str, Any]) -> None:
        (whole, *others) = document["feeds"]
        document["feeds"] = others
        for name, part in parts.items():
            complete.path(name).write_bytes(b"".join(part))
            uri = str(complete.path(name))
            document["feeds"].append({**whole, "uri": uri, "items": len(part)})

    complete.certify(in_parts)
    for name in parts:
        complete.fit(name)
    for name, part in parts.items():
        assert complete.findings(name) == [
            f"{name}: {len(part)} records, part of the harvest, as certified (complete)"
        ]
    complete.certify(lambda document: document["feeds"].pop())
    (line, *_) = complete.findings("objects-1.jsonl")
    assert line.endswith("complete, but its jsonl feeds hold 100 of 149 records")


def test_nothing_that_a_file_holds_is_printed_as_it_is(complete: Harvest) -> None:
    for number in (17, 18):
        complete.record(number, lambda record: record.update(id="\x1b[2J\n"))
    found = complete.findings()
    assert any("line 18: has the same id as line 17: " in line for line in found)
    assert all(line.isprintable() for line in found)


def test_a_compressed_feed_is_certified_by_its_bytes(
    scrapy: Scrapy, museum: Callable[..., Sandbox]
) -> None:
    feed = scrapy.folder / "objects.jsonl.gz"
    plugin = "scrapy.extensions.postprocessing.GzipPlugin"
    feeds = {str(feed): {"format": "jsonlines", "postprocessing": [plugin]}}
    crawl = scrapy.at(museum(objects=120)).crawl("objects", "-s", f"FEEDS={json.dumps(feeds)}")
    assert crawl.code == 0, crawl.err
    (told,) = crawl.certificate["feeds"]
    assert told["bytes"] == feed.stat().st_size
    verified = scrapy.run("verify", str(feed))
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.parametrize("name", ["all.jsonl", "all.csv"])
def test_a_file_that_two_harvests_have_appended_to_passes(
    museum: Callable[..., Sandbox], scrapy: Scrapy, name: str
) -> None:
    scrapy.at(museum(objects=12, invalid=0)).policy(UNLIMITED)
    feed = scrapy.folder / name
    for _ in range(2):
        assert scrapy.crawl("objects", "-o", str(feed)).code == 0
    checked = scrapy.run("verify", str(feed))
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "12 records, as certified" in checked.stdout
    content = feed.read_bytes()
    feed.write_bytes(content.replace(b"object/", b"object_", 1))
    assert scrapy.run("verify", str(feed)).returncode == 1
    feed.write_bytes(content[: len(content) * 3 // 4])
    assert scrapy.run("verify", str(feed)).returncode == 1


@pytest.mark.parametrize("name", ["o.csv", "o.schema.json"])
def test_a_file_from_s3_is_found_by_its_name(complete: Harvest, tmp_path: Path, name: str) -> None:
    def in_s3(document: dict[str, Any]) -> None:
        for entry in (*document["feeds"], *document["table_schemas"]):
            entry["uri"] = f"s3://bucket/{Path(entry['uri']).name}"

    complete.certify(in_s3)
    certificate = complete.path("objects.certificate.json")
    copy = tmp_path / name
    shutil.copyfile(complete.path(name), copy)
    assert all(one.agrees for one in verify(copy, certificate, tmp_path))
    copy.write_bytes(copy.read_bytes().replace(b"id", b"ID", 1))
    shutil.copyfile(certificate, copy.with_name(certificate.name))
    for named in (certificate, None):
        assert not all(one.agrees for one in verify(copy, named, tmp_path))
