"""Archives that claim, unpack or hold too much: bounded, and reported in one line."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mplus_crawler.protocols.archive import ArchiveError, is_archive, listed_ids, members
from mplus_crawler.protocols.archive.bounds import MOST_ENTRIES
from mplus_crawler.protocols.provenance import origin_of
from tests.conftest import Scrapy
from tests.fixtures.mplus import PUBLISHED, as_tar, as_zip

FOLDER = "objects_JSON"
MEGABYTE = 1024**2


def read(place: Path) -> tuple[list[str], str]:
    """The names, or the troubles, of the files in *place*, and the error at the end."""
    found: list[str] = []
    try:
        found.extend(member.trouble or member.name for member in members(place, FOLDER))
    except ArchiveError as error:
        return found, str(error)
    return found, ""


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def zeros(count: int, compressor: object) -> bytes:
    """*count* zeros, compressed."""
    parts = [compressor.compress(bytes(MEGABYTE)) for _ in range(count // MEGABYTE)]  # type: ignore[attr-defined]
    return b"".join(parts) + compressor.flush()  # type: ignore[attr-defined, no-any-return]


def claims_a_pax_header_of_2_gigabytes() -> bytes:
    return header("x", 2**31, tarfile.XHDTYPE) + bytes(1024)


def claims_a_global_header_of_2_gigabytes() -> bytes:
    return header("x", 2**31, tarfile.XGLTYPE) + bytes(1024)


def claims_a_name_of_8_gigabytes() -> bytes:
    return header("x", 2**33 - 1, tarfile.GNUTYPE_LONGNAME) + bytes(1024)


def claims_a_file_of_8_gigabytes() -> bytes:
    return header(f"{FOLDER}/0/1.json", 2**33 - 1) + bytes(1024)


def unpacks_a_pax_header_of_20_megabytes() -> bytes:
    compressor = lzma.LZMACompressor()
    head = compressor.compress(header("x", 20 * MEGABYTE, tarfile.XHDTYPE))
    return head + zeros(20 * MEGABYTE, compressor)


def unpacks_to_2_gigabytes() -> bytes:
    compressor = bz2.BZ2Compressor()
    head = compressor.compress(header("x", 2**31))
    return head + zeros(2**31 // 64, compressor)


@pytest.mark.parametrize(
    "make",
    [
        claims_a_pax_header_of_2_gigabytes,
        claims_a_global_header_of_2_gigabytes,
        claims_a_name_of_8_gigabytes,
        claims_a_file_of_8_gigabytes,
        unpacks_a_pax_header_of_20_megabytes,
        unpacks_to_2_gigabytes,
    ],
)
def test_a_tar_takes_no_more_memory_than_a_record_may(
    tmp_path: Path, make: Callable[[], bytes]
) -> None:
    place = tmp_path / "set.tar"
    place.write_bytes(make())
    tracemalloc.start()
    known, origin = is_archive(place), origin_of(place)
    found, error = read(place)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 * MEGABYTE
    assert origin["commit"] is None
    assert error or not known
    assert [*filter(None, found)] == found


def test_a_file_that_unpacks_to_gigabytes_is_named(tmp_path: Path) -> None:
    place = tmp_path / "set.zip"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(f"{FOLDER}/0/1.json", "w") as file:
            for _ in range(40):
                file.write(bytes(MEGABYTE))
        archive.writestr(f"{FOLDER}/0/2.json", "{}")
        archive.writestr(f"{FOLDER}/0/3.json", "{}", zipfile.ZIP_BZIP2)
        archive.writestr(f"{FOLDER}/0/4.json", "{}", zipfile.ZIP_LZMA)
    lying = place.read_bytes().replace(struct.pack("<I", 40 * MEGABYTE), struct.pack("<I", 9))
    for data, first in ((place.read_bytes(), "too large"), (lying, "cannot be read")):
        place.write_bytes(data)
        tracemalloc.start()
        found, error = read(place)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 40 * MEGABYTE
        assert first in found[0]
        assert found[1] == f"{FOLDER}/0/2.json"
        assert ["not supported" in trouble for trouble in found[2:]] == [True, True]
        assert error == ""


@pytest.mark.long
def test_more_files_than_any_data_set_has(tmp_path: Path) -> None:
    empty = header("set/readme", 0)
    (tmp_path / "set.tar").write_bytes(gzip.compress(empty * (MOST_ENTRIES + 1), 1))
    found, error = read(tmp_path / "set.tar")
    assert (found, "more than 50,000 files" in error) == ([], True)
    name = b"x" * 200
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", *[0] * 9, len(name), *[0] * 6) + name
    size = len(entry) * 80_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, size, 0, 0)
    (tmp_path / "set.zip").write_bytes(entry * 80_000 + end)
    assert "claims more than" in read(tmp_path / "set.zip")[1]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("9" * 60 + "x" * 1_000, "path of more than 255"),
        ("9" * 1_000, "more than 64 digits"),
        ("x" * MEGABYTE, "claims more than 8,192"),
    ],
)
def test_long_names_are_cut(tmp_path: Path, name: str, words: str) -> None:
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo(f"{FOLDER}/0/{name}.json"))
    found, error = read(tmp_path / "set.tar")
    assert words in (found[0] if found else error)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as zipped:
        zipped.writestr(f"{FOLDER}/0/{name[:60_000]}.json", "{}")
    (member,) = members(tmp_path / "set.zip", FOLDER)
    assert (len(member.name), "path of more than 255" in member.trouble) == (255, True)


def test_a_file_without_a_name_in_a_zip_costs_no_other(tmp_path: Path) -> None:
    nameless = zipfile.ZipInfo()
    nameless.filename = "\0"  # what is before it is the name
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as zipped:
        zipped.writestr(nameless, "{}")
        zipped.writestr(f"{FOLDER}/0/1.json", "{}")
    assert read(tmp_path / "set.zip") == ([f"{FOLDER}/0/1.json"], "")


def test_links_that_lead_to_one_file_are_not_read_for_ever(tmp_path: Path) -> None:
    record = b"{}" + b" " * (MEGABYTE - 2)
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        info = tarfile.TarInfo("record")
        info.size = len(record)
        archive.addfile(info, io.BytesIO(record))
        for number in range(600):
            link = tarfile.TarInfo(f"{FOLDER}/0/{number}.json")
            link.type, link.linkname = tarfile.LNKTYPE, "record"
            archive.addfile(link)
    found, error = read(tmp_path / "set.tar")
    assert (len(found), "more than 536,870,912 bytes" in error) == (512, True)


def test_a_list_of_ids_without_an_end(tmp_path: Path) -> None:
    (tmp_path / "objects.csv").write_bytes(b'"id","sortNumber"\r\n1,"' + b"x" * MEGABYTE + b'"')
    assert listed_ids(tmp_path, FOLDER) == {"1"}
    with (tmp_path / "objects.csv").open("r+b") as file:
        file.truncate(65 * MEGABYTE)
    with pytest.raises(ArchiveError, match=r"objects\.csv has more than"):
        listed_ids(tmp_path, FOLDER)


def damaged(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    copy = bytearray(data)
    for place, byte in changes:
        copy[place % len(copy)] = byte
    return bytes(copy)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("archives")
    places = [as_tar(folder / f"set.{kind}") for kind in ("tar", "xz", "gz", "bz2")]
    return [*places, as_zip(folder / "set.zip")]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 4), st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=4))
def test_no_damage_is_an_error_of_ours(
    archives: list[Path], kind: int, changes: list[tuple[int, int]]
) -> None:
    place = archives[kind]
    whole = place.read_bytes()
    try:
        place.write_bytes(damaged(whole, changes))
        is_archive(place)
        origin_of(place)
        read(place)
    finally:
        place.write_bytes(whole)


BAD = {
    "901": '{"id": 901, "id": 1, "objectNumber": "1"}',
    "902": '{"id": 902, "title": {"en": "\\ud800"}}',
    "903": '{"id": 903, "beginDate": NaN}',
    "904": '{"id": 904, "title": {"en": "a\nb"}}',
    "905": '{"id": 905, "x": ' + "[" * 5_000 + "]" * 5_000 + "}",
    "906": '{"id": 906, "x": ' + "-" * 5_000 + "}",
    "907": '[{"id": 907}]',
    "908": "",
    "909": '{"id": 909}\xff',
}


def test_a_bad_record_costs_no_other(scrapy: Scrapy, tmp_path: Path) -> None:
    with zipfile.ZipFile(as_zip(tmp_path / "set.zip"), "a") as archive:
        for id_, text in BAD.items():
            archive.writestr(f"set/{FOLDER}/0/00{id_}.json", text.encode("latin-1"))
        first = next(PUBLISHED.glob(f"{FOLDER}/0/00001.json")).read_text()
        long = first.replace('"id": 1,', '"id": 98765432109876543210,', 1)
        assert long != first
        archive.writestr(f"set/{FOLDER}/0/98765432109876543210.json", long)
    crawl = scrapy.crawl(
        "mplus_open_objects", "-a", f"source={tmp_path / 'set.zip'}", "-s", "MAX_REJECT_SHARE=0.9"
    )
    assert crawl.code == 0, crawl.err
    assert "Traceback" not in crawl.err
    reported = {line["id"]: line["reason"] for line in crawl.rejected}
    assert reported == dict.fromkeys(BAD, "unreadable") | {"901": "repeated_name"}
    rows = {row["id"]: row for row in crawl.records}
    assert len(rows) == len([*PUBLISHED.glob(f"{FOLDER}/*/*.json")]) + 1
    assert rows["98765432109876543210"]["record"]["id"] == 98765432109876543210
