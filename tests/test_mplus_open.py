"""M+'s published data set: from a folder, an archive or an address, without key or API call."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Crawl, Scrapy
from tests.fixtures.mplus import PUBLISHED, as_tar, as_zip
from tests.test_usage import check_one_line
from tests.wire import RawResponse, serving

OBJECTS = sorted(int(file.stem) for file in PUBLISHED.glob("objects_JSON/*/*.json"))


def by_id(crawl: Crawl) -> dict[int, dict[str, object]]:
    return {int(row["id"]): row for row in crawl.records}


def test_objects_have_the_columns_of_the_api(scrapy: Scrapy) -> None:
    crawl = scrapy.crawl("mplus_open_objects", "-a", f"source={PUBLISHED}")
    assert crawl.code == 0, crawl.err
    rows = by_id(crawl)
    assert sorted(rows) == OBJECTS
    assert crawl.certificate["expected"] == {"first": len(OBJECTS), "last": len(OBJECTS)}
    assert crawl.certificate["requests"]["sent"] == 0
    for row in rows.values():
        assert (row["source"], row["kind"], row["licence"]) == ("M+", "object", "CC0 1.0")
        assert (row["modified"], row["expires_at"], row["url"]) == (None, None, None)
        assert str(row["attribution"]).endswith("source: M+, Hong Kong, mplus.org.hk")
        file = next(PUBLISHED.glob(f"objects_JSON/*/{int(str(row['id'])):05d}.json"))
        assert row["record"] == json.loads(file.read_bytes())
    plain = rows[1]
    assert plain["attribution"] == (
        "Yau Leung, Ko Shing Street, Sheung Wan, 1956, 2012.1799, "
        "source: M+, Hong Kong, mplus.org.hk"
    )
    assert (plain["makers_en"], plain["makers_zh"]) == (["Yau Leung"], ["邱良"])
    assert (plain["areas_en"], plain["areas_zh"]) == (["Visual Art"], ["視覺藝術"])
    assert (plain["image_count"], plain["alt_texts_zh"]) == (1, [])
    # What is null in one language is null in its column, and nothing falls back in files.
    assert (rows[79]["title_zh"], rows[8619]["title_en"]) == (None, None)
    assert (rows[19777]["medium_zh"], rows[670]["title_en"]) == (None, rows[670]["title_zh"])
    assert rows[8597]["label"] == rows[8597]["object_number"]
    assert len(str(rows[5820]["title_en"] or rows[5820]["title_zh"])) == 566
    assert (rows[442]["image_count"], rows[17]["image_count"]) == (None, 0)
    assert (rows[19]["date_end"], rows[1304]["makers_en"]) == (None, [])
    assert {row["fallbacks"] == [] for row in rows.values()} == {True}
    verified = scrapy.run("verify", str(crawl.folder / "mplus_open_objects.jsonl"))
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_archives_hold_what_the_folder_holds(scrapy: Scrapy, tmp_path: Path) -> None:
    digests = {
        scrapy.crawl("mplus_open_constituents", "-a", f"source={place}").certificate["id_digest"]
        for place in (PUBLISHED, as_tar(tmp_path / "set.xz"), as_zip(tmp_path / "set.zip"))
    }
    assert len(digests) == 1


def test_a_download_is_requested_once_and_without_a_session(scrapy: Scrapy, tmp_path: Path) -> None:
    body = as_tar(tmp_path / "set.gz", top="collection-data-abc").read_bytes()

    def respond(path: str) -> RawResponse:
        if path == "/moved.tar.gz":
            return 302, [("Location", "/set.tar.gz")], b""
        return 200, [("Content-Type", "application/x-gzip")], body

    with serving(respond) as server:
        source = server.base_url.replace("/v2/", "/moved.tar.gz")
        crawl = scrapy.crawl("mplus_open_objects", "-a", f"source={source}", MPLUS_API_KEY="canary")
    assert crawl.code == 0, crawl.err
    assert sorted(by_id(crawl)) == OBJECTS
    assert server.requested == ["/moved.tar.gz", "/set.tar.gz"]
    assert not any({"authorization", "cookie"} & {*seen} for seen in server.headers_seen)


def test_a_download_that_leads_elsewhere_or_is_no_archive_is_incomplete(scrapy: Scrapy) -> None:
    def respond(path: str) -> RawResponse:
        if path == "/away":
            return 302, [("Location", "http://127.0.0.1:9/set.tar.gz")], b""
        return 200, [], b"<html>Not found</html>"

    with serving(respond) as server:
        for path, words in (("away", "off-site request blocked"), ("page", "not an archive")):
            source = server.base_url.replace("/v2/", f"/{path}")
            crawl = scrapy.crawl(
                "mplus_open_objects", "-a", f"source={source}", "-s", "RETRY_TIMES=0"
            )
            assert crawl.code == 10, crawl.err
            assert words in crawl.certificate["reason"]
            assert "Traceback" not in crawl.err


def test_what_is_no_record_is_named(scrapy: Scrapy, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(PUBLISHED, folder)
    (folder / "objects_JSON" / "0" / "00777.json").write_text('{"id": 777, ')
    (folder / "objects_JSON" / "0" / "00778.json").write_text('{"id": 778, "title": "gone"}')
    (folder / "objects_JSON" / "0" / "readme.txt").write_text("no record")
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.add(folder, arcname=".")
        for name in (
            "../../objects_JSON/0/00779.json",
            "objects_Sigg_Collection_JSON/0/00780.json",
        ):
            info = tarfile.TarInfo(name)
            info.size = 2
            archive.addfile(info, io.BytesIO(b"[]"))
    crawl = scrapy.crawl(
        "mplus_open_objects", "-a", f"source={tmp_path / 'set.tar'}", "-s", "MAX_REJECT_SHARE=0.5"
    )
    assert crawl.code == 0, crawl.err
    assert sorted(by_id(crawl)) == OBJECTS
    told = {line["id"]: line for line in crawl.rejected}
    assert sorted(told) == ["777", "778", "779"]
    assert told["777"]["reason"] == "unreadable"
    assert "objects_JSON/0/00777.json is not JSON" in told["777"]["errors"][0]["message"]
    assert told["778"]["reason"] == "schema"
    assert "record.objectNumber" in {error["path"] for error in told["778"]["errors"]}
    assert not (tmp_path.parent / "objects_JSON").exists()


def cut(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def cut_in_a_header(whole: bytes) -> bytes:
    return whole[: whole.index(b"00079.json") + 100]


def with_a_bad_header(whole: bytes) -> bytes:
    return whole.replace(b"00079.json", b"00O79.json", 1)


@pytest.mark.parametrize(
    ("name", "damage"),
    [("set.xz", cut), ("set.tar", cut_in_a_header), ("set.tar", with_a_bad_header)],
)
def test_an_archive_that_is_damaged_is_incomplete_and_gives_what_it_has(
    scrapy: Scrapy, tmp_path: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    whole = as_tar(tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(damage(whole))
    crawl = scrapy.crawl("mplus_open_objects", "-a", f"source={tmp_path / name}")
    assert crawl.code == 10, crawl.err
    assert "cannot be read to its end" in crawl.certificate["reason"]
    assert "Traceback" not in crawl.err
    came = [int(row["id"]) for row in crawl.lines("mplus_open_objects.incomplete.jsonl")]
    assert came == OBJECTS[: len(came)]
    assert 0 < len(came) < len(OBJECTS)


def test_files_that_cannot_be_read_are_named_and_the_rest_is_read(
    scrapy: Scrapy, tmp_path: Path
) -> None:
    folder = tmp_path / "set"
    shutil.copytree(PUBLISHED, folder)
    there = folder / "objects_JSON" / "0"
    (there / "00777.json").symlink_to("nowhere.json")
    os.mkfifo(there / "00778.json")
    Path(os.fsdecode(os.fsencode(there) + b"/caf\xe9.json")).write_text("no record")
    (there / "._00001.json").write_bytes(b"\0\5\x16\7")
    for place in (folder, as_tar(tmp_path / "set.gz", folder)):
        crawl = scrapy.crawl(
            "mplus_open_objects", "-a", f"source={place}", "-s", "MAX_REJECT_SHARE=0.5"
        )
        assert crawl.code == 0, crawl.err
        assert sorted(by_id(crawl)) == OBJECTS
        reported = {line["id"]: line["errors"][0]["message"] for line in crawl.rejected}
        assert "is a link to objects_JSON/0/nowhere.json" in reported.pop("777")
        assert "00778.json is not a file" in reported.pop("778")
        assert [*reported] == ["caf\ufffd"]


def test_a_file_that_is_put_in_again_stands_for_the_first(scrapy: Scrapy, tmp_path: Path) -> None:
    as_tar(tmp_path / "set.tar")
    file = next(PUBLISHED.glob("objects_JSON/*/00001.json"))
    record = json.loads(file.read_bytes())
    record["title"]["en"] = "as it is now"
    text = json.dumps(record).encode()
    with tarfile.open(tmp_path / "set.tar", "a") as archive:
        info = tarfile.TarInfo(str(file.relative_to(PUBLISHED)))
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text))
    crawl = scrapy.crawl("mplus_open_objects", "-a", f"source={tmp_path / 'set.tar'}")
    assert (crawl.code, sorted(by_id(crawl))) == (0, OBJECTS), crawl.err
    assert by_id(crawl)[1]["title_en"] == "as it is now"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("/no/such/place", ["no such file"]),
        (str(Path(__file__)), ["not a folder, tar or zip"]),
        ("http://museum.example/set.zip", ["https"]),
    ],
)
def test_a_source_that_cannot_be_is_a_usage_error(
    scrapy: Scrapy, source: str, words: list[str]
) -> None:
    check_one_line(scrapy.crawl("mplus_open_objects", "-a", f"source={source}"), 2, *words)


def test_limit_takes_the_first_records(scrapy: Scrapy) -> None:
    crawl = scrapy.crawl("mplus_open_objects", "-a", f"source={PUBLISHED}", "-a", "limit=3")
    assert (crawl.code, sorted(by_id(crawl))) == (0, OBJECTS[:3]), crawl.err


def packed(target: Path, folder: Path) -> Path:
    """*folder* as a folder, a tar or a zip, links as links."""
    if target.suffix == ".folder":
        shutil.copytree(folder, target, symlinks=True)
        return target
    if target.suffix != ".zip":
        return as_tar(target, folder)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            info = zipfile.ZipInfo(str(file.relative_to(folder)))
            if file.is_symlink():
                info.create_system, info.external_attr = 3, 0o120777 << 16
                archive.writestr(info, str(file.readlink()))
            elif file.is_file():
                archive.writestr(info, file.read_bytes())
    return target


PACKED = [".folder", ".tar", ".xz", ".zip"]


@pytest.mark.parametrize("suffix", PACKED)
def test_links_are_followed_inside_the_data_set(
    scrapy: Scrapy, tmp_path: Path, suffix: str
) -> None:
    folder = tmp_path / "set"
    shutil.copytree(PUBLISHED, folder)
    (folder / "elsewhere").mkdir()
    first = folder / "objects_JSON/0/00001.json"
    first.rename(folder / "elsewhere" / "one.json")
    first.symlink_to("../../elsewhere/step.json")
    (folder / "elsewhere" / "step.json").symlink_to("one.json")
    (folder / "objects_JSON/19000").rename(folder / "nineteen")
    (folder / "objects_JSON/19000").symlink_to("../nineteen")
    (folder / "objects_JSON/0/00790.json").symlink_to("/etc/hostname")
    (folder / "objects_JSON/0/00791.json").symlink_to("00792.json")
    (folder / "objects_JSON/0/00792.json").symlink_to("00791.json")
    place = packed(tmp_path / f"packed{suffix}", folder)
    crawl = scrapy.crawl(
        "mplus_open_objects", "-a", f"source={place}", "-s", "MAX_REJECT_SHARE=0.5"
    )
    assert crawl.code == 0, crawl.err
    assert sorted(by_id(crawl)) == OBJECTS
    reported = {line["id"]: line["errors"][0]["message"] for line in crawl.rejected}
    assert sorted(reported) == ["790", "791", "792"]
    assert all("is a link to" in message for message in reported.values())
    assert "/etc/hostname" in reported["790"]


@pytest.mark.parametrize("suffix", PACKED)
def test_a_folder_behind_a_link_that_leads_out_is_incomplete(
    scrapy: Scrapy, tmp_path: Path, suffix: str
) -> None:
    folder = tmp_path / "set"
    shutil.copytree(PUBLISHED, folder)
    (folder / "objects_JSON/19000").rename(tmp_path / "nineteen")
    (folder / "objects_JSON/19000").symlink_to("../../nineteen")
    place = packed(tmp_path / f"packed{suffix}", folder)
    crawl = scrapy.crawl("mplus_open_objects", "-a", f"source={place}")
    assert crawl.code == 10, crawl.err
    assert "objects_JSON/19000 is a link to" in crawl.certificate["reason"]


def test_a_hard_link_is_the_file(scrapy: Scrapy, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(PUBLISHED, folder)
    os.link(folder / "objects_JSON/0/00001.json", folder / "0")
    file = folder / "objects_JSON/0/00001.json"
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.add(folder / "0", "set/a")  # the file itself, outside the folder of records
        archive.add(folder, "set")
    with tarfile.open(tmp_path / "set.tar") as archive:
        assert archive.getmember(f"set/{file.relative_to(folder)}").islnk()
    crawl = scrapy.crawl("mplus_open_objects", "-a", f"source={tmp_path / 'set.tar'}")
    assert (crawl.code, sorted(by_id(crawl))) == (0, OBJECTS), crawl.err


INDEX = '"id","sortNumber","publicAccess","objectNumber","title"\r\n'


def with_index(folder: Path, *ids: int) -> None:
    rows = (f'"{id_}","1",true,"{id_}.1","a ""title"",\n7,with a break"\r\n' for id_ in ids)
    (folder / "objects.csv").write_text("\ufeff" + INDEX + "".join(rows), newline="")


@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize("missing", [[], [777], [*range(50_000, 50_050)]])
def test_records_that_the_data_set_lists_and_lacks_are_named(
    scrapy: Scrapy, tmp_path: Path, suffix: str, missing: list[int]
) -> None:
    folder = tmp_path / "set"
    shutil.copytree(PUBLISHED, folder)
    with_index(folder, *OBJECTS, *missing)
    place = packed(tmp_path / f"packed{suffix}", folder)
    crawl = scrapy.crawl("mplus_open_objects", "-a", f"source={place}")
    assert crawl.code == (10 if missing else 0), crawl.err
    assert crawl.certificate["expected"]["last"] == len(OBJECTS) + len(missing)
    assert sorted(int(line["id"]) for line in crawl.rejected) == missing
    reason = crawl.certificate["reason"]
    assert len(reason) <= 300
    assert not missing or (f"{len(missing)} listed record" in reason)
    assert all(str(id_) in reason for id_ in missing[:10])


@pytest.mark.parametrize("content", ["", INDEX + '"1","1",true,"1.1","a title, and', "\ufeff"])
def test_a_list_that_breaks_off_proves_nothing(
    scrapy: Scrapy, tmp_path: Path, content: str
) -> None:
    folder = tmp_path / "set"
    shutil.copytree(PUBLISHED, folder)
    (folder / "objects.csv").write_text(content, newline="")
    crawl = scrapy.crawl("mplus_open_objects", "-a", f"source={folder}")
    assert crawl.code == 10, crawl.err
    assert "list of ids" in crawl.certificate["reason"]
    assert len(crawl.lines("mplus_open_objects.incomplete.jsonl")) == len(OBJECTS)


def test_half_of_a_data_set_with_its_list_is_no_data_set(scrapy: Scrapy, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(PUBLISHED, folder)
    with_index(folder, *OBJECTS)
    shutil.rmtree(folder / "objects_JSON" / "8000")
    crawl = scrapy.crawl("mplus_open_objects", "-a", f"source={folder}")
    assert crawl.code == 10
    assert "3 listed records have no file in objects_JSON: 8523, 8597, 8619" in crawl.err


def test_a_bad_entry_of_a_zip_ends_nothing(scrapy: Scrapy, tmp_path: Path) -> None:
    place = as_zip(tmp_path / "set.zip")
    with zipfile.ZipFile(place) as archive:
        infos = [info for info in archive.infolist() if "/objects_JSON/" in info.filename]
    data = bytearray(place.read_bytes())
    spoilt = {}
    for info, place_in_entry in zip(infos[1:4], (2, 60, 5), strict=True):  # header, data, data
        data[info.header_offset + len(info.filename) * (place_in_entry > 2) + place_in_entry] ^= (
            0xFF
        )
        spoilt[str(int(Path(info.filename).stem))] = info
    place.write_bytes(data)
    crawl = scrapy.crawl(
        "mplus_open_objects", "-a", f"source={place}", "-s", "MAX_REJECT_SHARE=0.5"
    )
    assert crawl.code == 0, crawl.err
    assert {line["id"] for line in crawl.rejected} == {*spoilt}
    assert len(crawl.records) == len(OBJECTS) - len(spoilt)


def test_two_files_with_one_id_are_one_record_and_the_other_is_kept(
    scrapy: Scrapy, tmp_path: Path
) -> None:
    folder = tmp_path / "set"
    shutil.copytree(PUBLISHED, folder)
    first = next(folder.glob("objects_JSON/*/00001.json"))
    record = json.loads(first.read_bytes())
    first.with_name("00001-copy.json").write_bytes(first.read_bytes())
    first.with_name("00001-other.json").write_text(json.dumps({**record, "title": {"en": "other"}}))
    crawl = scrapy.crawl("mplus_open_objects", "-a", f"source={folder}")
    assert crawl.code == 0, crawl.err
    found = crawl.certificate
    assert (found["verdict"], found["duplicates"], found["rejected"]) == ("complete", 2, 0)
    assert "2 further rows repeat an id" in found["reason"]
    (line,) = crawl.rejected
    assert (line["id"], line["reason"]) == ("1", "duplicate")
    titles = {line["record"]["title"]["en"], by_id(crawl)[1]["title_en"]}
    assert titles == {"other", record["title"]["en"]}
