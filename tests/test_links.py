"""The Link header as RFC 8288 has it, written well, badly, and with malice."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mplus_crawler.protocols import links as module
from mplus_crawler.protocols.links import MAX_LINK_LENGTH, parse_links


@pytest.mark.parametrize(
    ("headers", "links"),
    [
        (['<https://m/o?page=2>; rel="next"'], {"next": "https://m/o?page=2"}),
        (["<https://m/o?page=2>;rel=next"], {"next": "https://m/o?page=2"}),
        (['<a>; REL="Next"'], {"next": "a"}),
        (['<a>; rel="first start"'], {"first": "a", "start": "a"}),
        (['<a?x=1,2;3>; rel="first", <b>; rel="last"'], {"first": "a?x=1,2;3", "last": "b"}),
        (['<a>; title="b, <c>; rel=x"; rel=next'], {"next": "a"}),
        ([r'<a>; title="quoted \" and \\"; rel=next'], {"next": "a"}),
        (["<a>; rel=next", '<b>; rel="last"'], {"next": "a", "last": "b"}),
        (["<a>; rel=next; rel=last"], {"next": "a"}),
        (["<a>; rel=next, <b>; rel=next"], {"next": "a"}),
        (["<a>  ;  rel  =  next  ,<b>;rel=last"], {"next": "a", "last": "b"}),
        (["<a>;;rel=next"], {}),
        (["<a>"], {}),
        (["", "nonsense", ", ,"], {}),
        (["nonsense, <b>; rel=last"], {"last": "b"}),
        (['<a>; rel="unclosed, <b>; rel=last'], {"last": "b"}),
        (["<unclosed; rel=next"], {}),
    ],
)
def test_links(headers: list[str], links: dict[str, str]) -> None:
    assert parse_links(headers) == links


TARGET = st.text(st.characters(codec="ascii", exclude_characters="<>", categories=["L", "N", "P"]))
RELATION = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1)
TITLE = st.text(st.characters(codec="ascii", min_codepoint=32), max_size=20)


@given(st.dictionaries(RELATION, st.tuples(TARGET, TITLE), max_size=5))
def test_what_is_written_is_read(links: dict[str, tuple[str, str]]) -> None:
    def quoted(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    header = ", ".join(
        f"<{target}>; title={quoted(title)}; rel={quoted(relation)}"
        for relation, (target, title) in links.items()
    )
    assert parse_links([header]) == {name: target.strip() for name, (target, _) in links.items()}


@given(st.lists(st.text(max_size=200), max_size=3))
def test_nothing_makes_it_fail(headers: list[str]) -> None:
    assert all(name == name.lower() for name in parse_links(headers))


PAGE = "https://museum.example/v2/id/objects?page=1"


@pytest.mark.parametrize(
    ("anchor", "ours"),
    [
        ("", True),
        ("?page=1", True),
        ("/v2/id/objects?page=1", True),
        ("HTTPS://Museum.example:443/v2/./id/%6fbjects?page=1", True),
        ("#record", False),
        ("?page=2", False),
        ("/v2/id/agents?page=1", False),
        ("https://other.example/v2/id/objects?page=1", False),
        ("http://[", False),
    ],
)
def test_a_link_with_another_anchor_is_not_of_the_page(anchor: str, ours: bool) -> None:
    header = f'<b>; rel=next; anchor="{anchor}", <c>; rel=last'
    found = {"next": "b", "last": "c"} if ours else {"last": "c"}
    assert parse_links([header], PAGE) == found


def test_long_fields_are_ignored_however_they_are_split() -> None:
    link = "<b>; rel=next"
    padding = f'; title="{"x" * (MAX_LINK_LENGTH - len(link) - 10)}"'
    assert parse_links([link + padding]) == {"next": "b"}
    assert parse_links([f"{link + padding}, "]) == {}
    assert parse_links([link, "y" * MAX_LINK_LENGTH]) == {}
    assert parse_links([link] * (MAX_LINK_LENGTH // len(link) + 1)) == {}


PIECES = [
    "<",
    ">",
    "<a>",
    ";",
    ",",
    '"',
    "\\",
    '\\"',
    "=",
    " ",
    "\t",
    "rel",
    '<a>;r="',
    "<a>;",
    ';a="b"',
]


@pytest.mark.parametrize("start", ["", "<a>", "<a>;", '<a>;r="', "<a>;r="])
@pytest.mark.parametrize("piece", PIECES)
def test_time_is_linear(monkeypatch: pytest.MonkeyPatch, start: str, piece: str) -> None:
    """Ten times the length takes some ten times as long; quadratic would be a hundred."""
    monkeypatch.setattr(module, "MAX_LINK_LENGTH", 10**9)

    def seconds(times: int) -> float:
        header = [start + piece * times]
        taken = []
        for _ in range(3):
            began = process_time()
            parse_links(header)
            taken.append(process_time() - began)
        return min(taken)

    assert seconds(20_000) < 40 * seconds(2_000) + 0.01


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join), st.text(max_size=10))
def test_odd_pieces_make_it_no_fool(header: str, after: str) -> None:
    links = parse_links([header, f"<z>; rel=z{after.encode().hex()}"], PAGE)
    assert links[f"z{after.encode().hex()}"] == "z"
