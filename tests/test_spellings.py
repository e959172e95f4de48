"""A key is found in every spelling that decodes to it, and nothing else is touched."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mplus_crawler.wire.spellings import STRUCK, Spellings, _layers

KEY = "k+e/y=%&41-Canary~<9>"
KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40)


def as_json(character: str) -> str:
    return f"\\u{ord(character):04X}"


def as_small_json(character: str) -> str:
    return f"\\u{ord(character):04x}"


def as_html(character: str) -> str:
    return f"&#{ord(character)};"


def as_html_hex(character: str) -> str:
    return f"&#x{ord(character):x};"


def as_percent(character: str) -> str:
    return f"%{ord(character):02X}"


def as_small_percent(character: str) -> str:
    return f"%{ord(character):02x}"


Spell = Callable[[str], str]
HOWS: list[Spell] = [as_json, as_small_json, as_html, as_html_hex, as_percent, as_small_percent]


def gone(spelled: str, key: str = KEY) -> bool:
    """Whether nothing that decodes to *key* is left of a page with *spelled* in it."""
    page = json.dumps({"a": "before", "note": "HERE", "z": ["after"]}).replace("HERE", spelled)
    removed = Spellings(key).removed(page.encode()).decode()
    assert STRUCK in removed
    assert spelled not in removed
    return (
        not any(key in text for text in _layers(removed))
        and "before" in removed
        and "after" in removed
    )


@pytest.mark.parametrize("how", HOWS)
def test_one_spelling_throughout(how: Spell) -> None:
    assert gone("".join(map(how, KEY)))
    assert gone(f"x{''.join(map(how, KEY))}y")


@given(st.lists(st.sampled_from(HOWS), min_size=len(KEY), max_size=len(KEY)))
def test_any_mixture_of_spellings(hows: list[Spell]) -> None:
    assert gone("".join(how(character) for how, character in zip(hows, KEY, strict=True)))


@pytest.mark.parametrize(
    "spelled",
    [
        quote(quote(KEY, safe=""), safe=""),
        html.escape(html.escape(KEY)),
        quote("".join(map(as_html, KEY)), safe=""),
        html.escape(quote(KEY, safe="")),
        json.dumps("".join(map(as_json, KEY)))[1:-1],
        json.dumps(json.dumps(KEY))[1:-1],
        KEY.replace("+", "&plus;").replace("/", "&#0000000047;").replace("=", "&#x000000003D;"),
        quote(KEY.replace("y", "&#0121;").replace("%", "&percnt;"), safe=""),
    ],
)
def test_two_layers(spelled: str) -> None:
    assert gone(spelled)


@given(KEYS, st.binary(max_size=5), st.binary(max_size=5), st.booleans())
def test_base64_wherever_the_key_begins(key: str, before: bytes, after: bytes, url: bool) -> None:
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    spelled = encode(before + key.encode() + after).decode()
    removed = Spellings(key).removed(json.dumps({"note": spelled}).encode()).decode()
    assert json.loads(removed) == {"note": STRUCK}
    assert Spellings(key).removed(spelled.encode()) == STRUCK.encode()


@given(KEYS)
def test_any_key(key: str) -> None:
    page = json.dumps({"a": [key, quote(key), html.escape(key)], "b": "stays"}).encode()
    removed = Spellings(key).removed(page)
    texts = json.loads(removed)["a"]
    assert not any(key in one for text in texts for one in _layers(text))


@given(st.text(max_size=200))
def test_nothing_else_is_touched(text: str) -> None:
    page = json.dumps({"text": text, "url": quote(text), "html": html.escape(text)}).encode()
    assert Spellings(KEY).removed(page) == page


@pytest.mark.parametrize(
    "text", ["&#" + "0" * 5_000, "&#x" + "0" * 5_000, "\\" * 5_000, "&#0" * 999]
)
def test_no_length_is_too_much(text: str) -> None:
    assert Spellings(KEY).removed(text.encode()) == text.encode()
    assert gone(f"{text} {as_html(KEY[0])}{json.dumps(KEY[1:])[1:-1]}")


def test_a_short_key_counts_only_in_its_parameter() -> None:
    assert Spellings("abc").removed(b'{"a": "abc"}') == b'{"a": "abc"}'
    assert Spellings("abc", "key").removed(b"https://m/?key=abc&page=2") == (
        f"https://m/?{STRUCK}&page=2".encode()
    )
    assert Spellings("").removed(b"anything") == b"anything"


def test_outside_a_string_nothing_of_the_content_is_left() -> None:
    body = f"<p>{''.join(map(as_html, KEY))}</p>".encode()
    assert Spellings(KEY).removed(body) == STRUCK.encode()
