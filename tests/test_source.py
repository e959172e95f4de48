"""Source bytes: feeds and rejected files hold what the museum sent, to the last digit."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mplus_crawler.protocols.source import SourceRecord, parse
from mplus_crawler.records.batch import json_line
from mplus_crawler.verification.strict_json import without_doubles
from tests.conftest import Scrapy
from tests.wire import serving

# Numbers that a float or a machine word cannot hold, and spellings that a JSON writer changes.
EXACT = (
    b'"n":18446744073709551617,"d":0.1234567890123456789,"e":1.50E+2,"z":-0.0',
    b'"n":-123456789012345678901234567890123456789012345678901234567890',
    b'"n":1e400,"m":[-2.5E+999,{"t":"1e400"}],"image":1e400,"digits":' + b"9" * 5000,
    b'"t":"\\u0041\\/\\u00e9 \\ud83d\\ude00","empty":{ },"list":[ 1 ,\t2 ]',
    b'"q":"\\u0022quoted\\u0022: \\"x\\":"',
)
# A name twice: the last value is all that a parser keeps.
TWICE = (
    b'"note":1,"note":1',
    b'"a":{"b":[{"note":1,"c":2,"note":3}]}',
    b'"note" :"x","n\\u006fte": "\\u0022:"',
    b'"note":{},"other":9223372036854775808000,"note":[]',
)


def record(number: int, extra: bytes, kind: bytes = b"crm:E22_Human-Made_Object") -> bytes:
    head = b'{"@id":"https://data.designmuseumgent.be/v2/id/object/%d", "@type":"%s",\r\n %s}'
    return head % (number, kind, extra)


def one_line(raw: bytes) -> bytes:
    return raw.replace(b"\n", b" ").replace(b"\r", b" ")


def page(members: list[bytes], more: bytes = b"") -> bytes:
    return b'{"hydra:totalItems":%d,%s"hydra:view":{},\n"hydra:member":[%s]}' % (
        len(members),
        more,
        b" ,\n".join(members),
    )


def test_every_feed_holds_the_bytes_and_a_repeated_name_is_a_reject(scrapy: Scrapy) -> None:
    good = [record(n, extra) for n, extra in enumerate(EXACT, 1)]
    bad = [record(n, extra) for n, extra in enumerate(TWICE, 50)]
    body = page([*bad, *good])
    feeds = {name: scrapy.folder / f"feed.{name}" for name in ("jsonl", "json", "csv")}
    with serving(lambda path: (200, [("Content-Type", "application/ld+json")], body)) as server:
        scrapy.environment["DMG_BASE_URL"] = server.base_url
        scrapy.crawl("objects", "-s", "MAX_REJECT_SHARE=1")
        assert scrapy.run("verify", str(scrapy.folder / "data" / "objects.jsonl")).returncode == 0
        options = [part for file in feeds.values() for part in ("-o", str(file))]
        crawl = scrapy.crawl("objects", "-s", "MAX_REJECT_SHARE=1", *options)
    assert crawl.code == 0, crawl.err
    snapshot = (crawl.folder / "objects.jsonl").read_bytes()
    for raw in map(one_line, good):
        assert b'"record":%s' % raw in snapshot
        assert b'"record":%s' % raw in feeds["jsonl"].read_bytes()
        assert b'"record":%s' % raw in feeds["json"].read_bytes()
    csv.field_size_limit(sys.maxsize)
    with feeds["csv"].open(encoding="utf-8", newline="") as file:
        cells = {row["record"].encode() for row in csv.DictReader(file)}
    assert cells == {*map(one_line, good)}
    rejected = Path(crawl.certificate["rejects"]["uri"]).read_bytes()
    for number, raw in enumerate(map(one_line, bad)):
        assert b'"record":%s' % raw in rejected
        line = crawl.rejected[number]
        assert (line["reason"], line["id"].rpartition("/")[2]) == (
            "repeated_name",
            str(50 + number),
        )
        assert "'note'" in line["errors"][0]["message"]
    done = scrapy.run("verify", *map(str, feeds.values()))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("more", [b'"hydra:member":[],', b'"hydra:totalItems":9,'])
def test_a_page_that_repeats_a_name_of_its_own_is_no_page(scrapy: Scrapy, more: bytes) -> None:
    body = page([record(1, EXACT[0])], more)
    with serving(lambda path: (200, [], body)) as server:
        crawl = scrapy.crawl("objects", "-s", "RETRY_TIMES=1", DMG_BASE_URL=server.base_url)
    assert crawl.code == 10, crawl.err
    assert "repeats the name hydra:" in crawl.certificate["reason"]


@pytest.mark.parametrize("spider", ["types", "v1_objects", "object"])
def test_other_endpoints_keep_the_bytes_too(scrapy: Scrapy, spider: str) -> None:
    uri = b"https://data.designmuseumgent.be/v2/id/object/7"
    records = {
        "types": b'{"@id":"x:type/1","@type":"skos:Concept","rdfs:label":"a","n":%s}',
        "v1_objects": b'{"@id":"x:object/1","@type":"MensgemaaktObject", "n":%s}',
        "object": b'{"@id":"' + uri + b'","@type":"crm:E22_Human-Made_Object" ,"n":%s}',
    }
    exact = b"[100000000000000000000000000000001, 0.30000000000000004440892098500626]"
    raw = records[spider] % exact
    listed = b'"hydra:totalItems":1,"hydra:view":{"hydra:last":"?pageNumber=1"}'
    body = {
        "types": b'{%s,"hydra:member":[%s]}' % (listed, raw),
        "v1_objects": b'{%s,"GecureerdeCollectie.bestaatUit":[%s]}' % (listed, raw),
        "object": raw,
    }[spider]
    arguments = ("-a", "pids=7") if spider == "object" else ()
    with serving(lambda path: (200, [("Content-Type", "application/ld+json")], body)) as server:
        options = ("-s", "MAX_REJECT_SHARE=1")
        crawl = scrapy.crawl(spider, *arguments, *options, DMG_BASE_URL=server.base_url)
    assert crawl.code == 0, crawl.err
    files = [crawl.folder / f"{spider}.jsonl", crawl.folder / f"{spider}.rejected.jsonl"]
    assert b'"record":%s' % raw in b"".join(file.read_bytes() for file in files)


# The reader itself

blank = st.sampled_from(["", " ", "\n", "\t\r\n"])
string = st.sampled_from(['"a"', '"b"', '"\\u0061"', '"\\u0022:"', '"\\":"', '"\u2028é"', '""'])
number = st.sampled_from(["0", "-0", "1e3", "1.10", "9" * 25, "0.1234567890123456789"])


def container(child: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(string, blank, blank, child).map(lambda p: f"{p[0]}{p[1]}:{p[2]}{p[3]}")
    objects = st.lists(pair, max_size=4).map(lambda pairs: "{" + ",".join(pairs) + "}")
    lists = st.lists(child, max_size=3).map(lambda some: "[" + " , ".join(some) + "]")
    return objects | lists


text = st.recursive(string | number | st.sampled_from(["true", "null"]), container, max_leaves=20)


def is_strict(raw: bytes) -> bool:
    try:
        json.loads(raw, object_pairs_hook=without_doubles)
    except ValueError:
        return False
    return True


@given(text, blank)
def test_bytes_are_kept_and_repeated_names_found(inner: str, space: str) -> None:
    raw = f'{{"list":{space}[{inner}, 5], "one":{{"in":{inner}}}}}'.encode()
    found = parse(raw)
    assert found == json.loads(raw)
    assert (not found.repeated) == is_strict(raw)
    assert json_line(found) == one_line(raw) + b"\n"
    first, five = found.part("list")
    assert five == 5
    for part in (first, found.part("one")):
        if isinstance(part, SourceRecord):
            assert json.loads(part.raw) == part
            assert (not part.repeated) == is_strict(part.raw)
    assert found.part("one").raw == one_line(b'{"in":%s}' % inner.encode())


@given(st.binary(max_size=60))
def test_what_is_no_json_is_a_value_error(raw: bytes) -> None:
    try:
        expected = json.loads(raw.decode("utf-8-sig"), parse_constant=lambda name: 1 / 0)
    except (ValueError, ZeroDivisionError):
        with pytest.raises(ValueError, match=r"\w"):
            parse(raw)
    else:
        assert parse(raw) == expected


def nested(levels: int) -> bytes:
    return b'{"a":%s1%s}' % (b"[" * levels, b"]" * levels)


def test_a_deep_record_is_written_as_it_is() -> None:
    record = parse(nested(300))
    assert json_line({"record": record}) == b'{"record":%s}\n' % nested(300)
    assert record.repeated == ()


def test_names_are_checked_at_any_depth() -> None:
    record = SourceRecord({}, b'{"a":%s,"\\u0061":2}' % nested(5_000))
    assert record.repeated == ("a",)


@pytest.mark.parametrize("levels", [5_000, 100_000])
def test_deeper_nesting_than_the_stack_is_refused(levels: int) -> None:
    with pytest.raises(ValueError, match="too many nested levels"):
        parse(nested(levels))


def test_two_records_are_joined_by_their_bytes() -> None:
    en, zh = parse(b'{"n": 1.10}'), parse(b'{"n":2,"n":3}')
    both = SourceRecord.joined(en=en, zh=zh)
    assert json_line(both) == b'{"en":{"n": 1.10},"zh":{"n":2,"n":3}}\n'
    assert (both["en"], both.repeated) == (en, ("n",))


def test_a_column_with_a_long_integer_leaves_the_record_as_it_is() -> None:
    row: dict[str, Any] = {"id": "é", "n": 10**30, "record": parse(b'{"a":1.0}')}
    assert json_line(row) == '{"id":"é","n":1%s,"record":{"a":1.0}}\n'.encode() % (b"0" * 30)
