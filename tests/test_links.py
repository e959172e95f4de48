"""The Link header as RFC 8288 has it, written well, badly, and with malice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mplus_crawler.protocols.links import parse_links


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
