"""Equivalent URIs have one spelling, and what is not equivalent stays apart."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mplus_crawler.protocols.chain import ApiBase
from mplus_crawler.protocols.iiif import image_key
from mplus_crawler.protocols.uris import normalized
from mplus_crawler.spiders.dmg.cidoc import canonical_id
from mplus_crawler.spiders.dmg.id_lists import RecordReference
from mplus_crawler.spiders.dmg.pids import record_uri

BASE = "https://data.museum.example/v2/"
RECORD = f"{BASE}id/object/0009"
SPELLINGS = [
    "https://data.museum.example:443/v2/id/object/0009",
    "https://data.museum.example:/v2/id/object/0009",
    "https://data.museum.example:0443/v2/id/object/0009",
    "https://data.museum.example./v2/id/object/0009",
    "https://data.museum.example.:443/v2/id/object/0009",
    "HTTPS://Data.Museum.EXAMPLE/v2/id/object/0009",
    "https://d%61ta.museum.example/v2/id/object/0009",
    "https://data.museum.example/v2/id/object/%30009",
    "https://data.museum.example/v2/%69d/object/00%309",
    "https://data.museum.example/v2/./id/object/0009",
    "https://data.museum.example/v1/../v2/id/object/x/../0009",
    "https://data.museum.example/v1/%2e%2E/v2/id/object/0009",
    "https://data.museum.example/../v2/id/object/0009",
]


@pytest.mark.parametrize("uri", SPELLINGS)
def test_equivalent_spellings(uri: str) -> None:
    assert normalized(uri) == RECORD
    assert canonical_id(uri, BASE) == RECORD
    assert ApiBase("http://127.0.0.1:8000/v2/", BASE).carry(uri) == (
        "http://127.0.0.1:8000/v2/id/object/0009"
    )
    assert ApiBase(BASE, BASE).carry(uri) == RECORD
    assert image_key(uri) == image_key(RECORD)
    canonical = partial(canonical_id, base_url=BASE)
    assert record_uri(RecordReference(uri, "pids"), f"{BASE}id/object/", canonical) == RECORD


@pytest.mark.parametrize(
    ("uri", "spelled"),
    [
        ("http://m.example", "http://m.example/"),
        ("http://m.example:80", "http://m.example/"),
        ("http://m.example:443/", "http://m.example:443/"),
        ("https://m.example:80/", "https://m.example:80/"),
        ("http://m.example/a%2fb%7E%c3%a9", "http://m.example/a%2Fb~%C3%A9"),
        ("http://m.example/a?q=%61%2b%26#%7e", "http://m.example/a?q=a%2B%26#~"),
        ("http://m.example/a/b/..", "http://m.example/a/"),
        ("http://m.example/a/b/.", "http://m.example/a/b/"),
        ("http://m.example/a//../b", "http://m.example/a/b"),
        ("http://[2001:DB8::1]:80/", "http://[2001:db8::1]/"),
        ("http://User:Pass@M.example:80/", "http://User:Pass@m.example/"),
        ("http://m.example/100%", "http://m.example/100%"),
        ("http://m.example/a?b=/../c", "http://m.example/a?b=/../c"),
        ("URN:nbn:de%3a1", "urn:nbn:de%3A1"),
        ("/id/./x", "/id/./x"),
        ("", ""),
    ],
)
def test_what_counts_is_kept(uri: str, spelled: str) -> None:
    assert normalized(uri) == spelled


def test_an_escaped_slash_stays_in_the_pid() -> None:
    assert canonical_id(f"{BASE}id/object/2001-0003%2fA", BASE) == f"{BASE}id/object/2001-0003%2FA"
    assert canonical_id(f"{BASE}id/object/0012/part/1", BASE) == f"{BASE}id/object/0012/part/1"


@given(st.text(st.sampled_from("ahttps:/?#[]@%2eEfF.0:~é \n"), max_size=40))
def test_any_text_has_one_spelling(text: str) -> None:
    assert normalized(normalized(text)) == normalized(text)
    assert canonical_id(canonical_id(text, BASE), BASE) == canonical_id(text, BASE)
