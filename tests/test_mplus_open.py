"""M+'s published data set: from a folder, an archive or an address, without key or API call."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Crawl, Scrapy
from tests.fixtures.mplus import PUBLISHED, as_tar, as_zip
from tests.test_usage import check_one_line
from tests.wire import Answer, serving

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


def test_a_download_is_asked_for_once_and_by_nobody_in_particular(
    scrapy: Scrapy, tmp_path: Path
) -> None:
    body = as_tar(tmp_path / "set.gz", top="collection-data-abc").read_bytes()

    def answer(path: str) -> Answer:
        if path == "/moved.tar.gz":
            return 302, [("Location", "/set.tar.gz")], b""
        return 200, [("Content-Type", "application/x-gzip")], body

    with serving(answer) as server:
        source = server.base_url.replace("/v2/", "/moved.tar.gz")
        crawl = scrapy.crawl("mplus_open_objects", "-a", f"source={source}", MPLUS_API_KEY="canary")
    assert crawl.code == 0, crawl.err
    assert sorted(by_id(crawl)) == OBJECTS
    assert server.asked == ["/moved.tar.gz", "/set.tar.gz"]
    assert not any({"authorization", "cookie"} & {*seen} for seen in server.headers_seen)


def test_a_download_that_leads_elsewhere_or_is_no_archive_is_incomplete(scrapy: Scrapy) -> None:
    def answer(path: str) -> Answer:
        if path == "/away":
            return 302, [("Location", "http://127.0.0.1:9/set.tar.gz")], b""
        return 200, [], b"<html>Not found</html>"

    with serving(answer) as server:
        for path, words in (("away", "off-site request blocked"), ("page", "no archive")):
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
    assert "objects_JSON/0/00777.json is no JSON" in told["777"]["errors"][0]["message"]
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
        told = {line["id"]: line["errors"][0]["message"] for line in crawl.rejected}
        if place is folder:
            assert "00777.json is no file" in told.pop("777")
            assert "00778.json is no file" in told.pop("778")
        assert [*told] == ["caf\ufffd"]


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
        (str(Path(__file__)), ["no folder, tar or zip"]),
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
