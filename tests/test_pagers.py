"""Pagers and the chain of pages: what a page must have, and which links are followed."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import pytest

from mplus_crawler.errors import InvalidResponseError, UnreadableResponseError
from mplus_crawler.protocols.chain import Chain, NextLinkError
from mplus_crawler.protocols.documents import value_at
from mplus_crawler.protocols.pagers import NextLinks, Page, Pager, PageRequest, PagesByNumber

FIRST = "https://m.example/v1/things?size=2&page=1"
NUMBERED = PagesByNumber(members="/a/rows", total="/a/n")
LINKED = NextLinks(members="/rows", total="/n", next="/links/next")


def numbered(total: object, *rows: object) -> bytes:
    return orjson.dumps({"a": {"n": total, "rows": rows}})


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", {"a": [{"b/c": 1}, {"~": 2}], "": 3}),
        ("/a/0/b~1c", 1),
        ("/a/1/~0", 2),
        ("/", 3),
        ("/a/2", None),
        ("/a/-1", None),
        ("/a/x", None),
        ("/a/0/b~1c/d", None),
    ],
)
def test_json_pointers(pointer: str, value: object) -> None:
    assert value_at({"a": [{"b/c": 1}, {"~": 2}], "": 3}, pointer) == value


def test_numbered_pages_end_with_the_total() -> None:
    page = NUMBERED.read(numbered(3, 1, 2), [], PageRequest(FIRST, 1, 2))
    assert (page.total, page.last, page.members) == (3, 2, [1, 2])
    assert page.links == ("https://m.example/v1/things?size=2&page=2",)
    page = NUMBERED.read(numbered(3, 3), [], PageRequest(FIRST, 2, 2))
    assert page.is_last
    assert NUMBERED.read(numbered(0), [], PageRequest(FIRST, 1, 2)).is_beyond


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "HTML"),
        (b'{"a": {', "JSON"),
        (b"[]", "object"),
        (numbered(3, 1).replace(b"rows", b"row"), "/a/rows"),
        (numbered(True, 1), "/a/n"),
        (numbered("3", 1), "/a/n"),
        (numbered(-1), "/a/n"),
        (numbered(3, 1), "1 of 2"),
        (numbered(3), "empty"),
    ],
)
def test_a_bad_page_looks_like_no_other(body: bytes, words: str) -> None:
    with pytest.raises(InvalidResponseError, match=words):
        NUMBERED.read(body, [], PageRequest(FIRST, 1, 2))


def chain(pager: PagesByNumber | NextLinks, lookahead: int = 3) -> tuple[Chain, list[str]]:
    notes: list[str] = []
    made = Chain(FIRST, pager.number, str, lookahead, notes.append)
    assert made.start() == (1, FIRST)
    return made, notes


def test_numbered_pages_are_requested_ahead() -> None:
    pages, notes = chain(NUMBERED)
    first = NUMBERED.read(numbered(11, 1, 2), [], PageRequest(FIRST, 1, 2))
    assert [number for number, _ in pages.arrived(first)] == [2, 3, 4]
    assert [number for number, _ in pages.lost(3)] == [5]
    assert pages.expected == 6
    assert notes == []


def linked(number: int, following: object, link: str = "") -> Page:
    body = orjson.dumps({"rows": [1, 2], "n": 100, "links": {"next": following}})
    return LINKED.read(body, [link], PageRequest(FIRST, number, 2))


@pytest.mark.parametrize(
    "following", ["?after=xyz", "/v1/things?after=xyz", "//m.example/v1/things?after=xyz"]
)
def test_links_that_tell_nothing_are_followed_one_by_one(following: str) -> None:
    pages, notes = chain(LINKED)
    assert pages.arrived(linked(1, following)) == [(2, "https://m.example/v1/things?after=xyz")]
    assert pages.arrived(linked(2, None, '<?after=zzz>; rel="next"')) == [
        (3, "https://m.example/v1/things?after=zzz")
    ]
    assert notes == []
    with pytest.raises(NextLinkError, match="links back"):
        pages.arrived(linked(3, following))


@pytest.mark.parametrize("following", ["https://other.example/v1/things", "/v1/others?after=1"])
def test_links_elsewhere_are_not_followed(following: str) -> None:
    pages, _ = chain(LINKED)
    with pytest.raises(NextLinkError, match="outside the collection"):
        pages.arrived(linked(1, following))


def test_without_a_link_before_the_end_a_page_is_a_fault() -> None:
    with pytest.raises(InvalidResponseError, match="no link to a next page after 2 of 100"):
        linked(1, None)


@contextmanager
def memory_within(most: int) -> Iterator[None]:
    """Fails if the block takes more than *most* bytes at a time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("pager", "around"),
    [
        (NUMBERED, b'{"a":{"n":100,"rows":[%s]}}'),
        (LINKED, b'{"n":100,"rows":[%s]}'),
        (PagesByNumber("/hydra:member", "/n"), b'{"n":100,"hydra:member":[%s]}'),
    ],
)
def test_far_too_many_rows_are_a_fault_before_they_are_parsed(pager: Pager, around: bytes) -> None:
    body = around % b",".join(b'{"@id":"object/%d"}' % number for number in range(100_000))
    with (
        memory_within(6 * len(body)),
        pytest.raises(InvalidResponseError, match="100000 records; 100 were requested"),
    ):
        pager.read(body, [], PageRequest(FIRST, 1, 100))


SHORT = [b"{}", b"0", b"[]", b'""', b'{"":0}', b"[0,0]", b'{"a":"b","c":{}}']


@pytest.mark.parametrize("row", SHORT)
@pytest.mark.parametrize("inside", [b"%s", b'{"x":[%s]}'])
def test_short_values_without_end_are_a_fault_before_they_are_parsed(
    row: bytes, inside: bytes
) -> None:
    body = b'{"a":{"n":1,"rows":[' + inside % b",".join([row] * 300_000) + b"]}}"
    with memory_within(2 * len(body)), pytest.raises(InvalidResponseError, match="values in"):
        NUMBERED.read(body, [], PageRequest(FIRST, 1, 1))


UNREADABLE = {
    "half a surrogate": rb'"\ud800"',
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "a control character": b'"a\x01"',
    "NUL": b'"\x00"',
    "1,000 levels": b"[" * 1000 + b"]" * 1000,
    "100,000 levels": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "Latin-1": b'"\xe9"',
    "a comma too many": b"[1,]",
}


@pytest.mark.parametrize("value", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_parsed_is_distinguished_from_what_is_cut(value: bytes) -> None:
    body = b' {"a":{"n":1,"rows":[{"id":%s}]}}\n' % value
    with pytest.raises(UnreadableResponseError):
        NUMBERED.read(body, [], PageRequest(FIRST, 1, 1))
    for other in (body[:20], b"<html>{}</html>", b"", b"}"):
        with pytest.raises(InvalidResponseError) as fault:
            NUMBERED.read(other, [], PageRequest(FIRST, 1, 1))
        assert not isinstance(fault.value, UnreadableResponseError)
