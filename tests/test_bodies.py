"""Bodies: whole ones are read in every encoding, damaged ones are never taken for whole."""

from __future__ import annotations

import codecs
import gzip
import json
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st
from scrapy.exceptions import DownloadCancelledError, ResponseDataLossError
from scrapy.http import Response

from mplus_crawler.wire.bodies import decoded
from tests.conftest import Scrapy, limit
from tests.test_faults import BASE, QUICK
from tests.wire import RawResponse, serving

PAGE = json.dumps({"member": [{"@id": f"{BASE}id/object/{n}"} for n in range(400)]}).encode()
MOST = 100_000


def raw_deflate(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(body) + stream.flush()


def checked_zstd(body: bytes) -> bytes:
    return zstd.compress(body, options={zstd.CompressionParameter.checksum_flag: 1})


Compress = Callable[[bytes], bytes]
CODINGS: dict[str, tuple[str, Compress]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZIP", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", checked_zstd),
}
coding = pytest.mark.parametrize(("name", "compress"), CODINGS.values(), ids=CODINGS)


def read(body: bytes, *encodings: str, most: int = MOST, content_type: str = "x/json") -> bytes:
    headers = {"Content-Encoding": list(encodings), "Content-Type": content_type}
    response = decoded(Response("https://m/", headers=headers, body=body), most)
    return response.body


@coding
def test_whole_bodies_are_read(name: str, compress: Compress) -> None:
    assert read(compress(PAGE), name) == PAGE
    assert read(gzip.compress(compress(PAGE)), name, "gzip") == PAGE
    assert read(gzip.compress(compress(PAGE)), f"{name}, gzip") == PAGE
    assert read(b"", name) == b""
    assert read(compress(b""), name) == b""


@coding
def test_a_body_is_never_larger_than_allowed(name: str, compress: Compress) -> None:
    bomb = compress(b" " * 50_000_000)
    assert read(compress(b" " * MOST), name) == b" " * MOST
    for body in (bomb, compress(b" " * (MOST + 1))):
        with pytest.raises(DownloadCancelledError, match="100,000 bytes"):
            read(body, name)


@coding
@pytest.mark.parametrize("rest", [b"{}", b"\xff" * 20, b"\x1f\x8b\x08 and more"])
def test_bytes_after_the_end_are_damage(name: str, compress: Compress, rest: bytes) -> None:
    with pytest.raises(ResponseDataLossError, match="damaged"):
        read(compress(PAGE) + rest, name)


@coding
def test_a_body_that_breaks_off_is_damaged(name: str, compress: Compress) -> None:
    whole = compress(PAGE)
    for length in {1, 3, 10, len(whole) // 2, len(whole) - 9, len(whole) - 1}:
        with pytest.raises(ResponseDataLossError, match="damaged"):
            read(whole[:length], name)


@given(st.sampled_from(["gzip", "deflate", "zstd"]), st.data())
def test_a_changed_byte_is_never_content(name: str, data: st.DataObject) -> None:
    """Where the format has a checksum. Bytes of a header that say nothing may change."""
    header, compress = CODINGS[name]
    body = bytearray(compress(PAGE))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    try:
        content = read(bytes(body), header)
    except (ResponseDataLossError, DownloadCancelledError):
        return
    assert content == PAGE


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_plain_body_that_claims_to_be_compressed_is_damaged(name: str) -> None:
    with pytest.raises(ResponseDataLossError, match="damaged"):
        read(PAGE, name)


@pytest.mark.parametrize("name", ["identity", "utf-8", "", "none", "aes128gcm"])
def test_encodings_that_were_not_offered_change_nothing(name: str) -> None:
    assert read(PAGE, name) == PAGE


def test_several_members_and_padding_are_one_gzip_body() -> None:
    halves = gzip.compress(PAGE[:100]) + gzip.compress(PAGE[100:])
    assert read(halves, "gzip") == PAGE
    assert read(halves + b"\0" * 512, "gzip") == PAGE


@pytest.mark.parametrize(
    "body",
    [
        codecs.BOM_UTF8 + PAGE,
        PAGE.decode().encode("utf-16"),
        codecs.BOM_UTF16_BE + PAGE.decode().encode("utf-16-be"),
    ],
)
def test_a_byte_order_mark_is_removed(body: bytes) -> None:
    assert read(body) == PAGE
    assert read(gzip.compress(body), "gzip") == PAGE


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "br", "zstd", "br, zstd"]))
def test_nothing_else_is_ever_raised(body: bytes, name: str) -> None:
    try:
        read(body, name)
    except (ResponseDataLossError, DownloadCancelledError):
        return


# --- at the wire ------------------------------------------------------------------------------


def concepts(damage: Callable[[bytes], bytes], times: int) -> Callable[[str], RawResponse]:
    """A museum of three concepts whose pages are gzip bodies, the first *times* damaged."""
    rows = [
        {"@id": f"{BASE}id/concept/{row}", "@type": "crm:E55_Type", "rdfs:label": f"label{row}"}
        for row in range(3)
    ]
    page = {"hydra:totalItems": 3, "hydra:view": {}, "hydra:member": rows}
    requested = 0

    def respond(path: str) -> RawResponse:
        nonlocal requested
        requested += 1
        body = gzip.compress(json.dumps(page).encode(), mtime=0)
        if requested <= times:
            body = damage(body)
        headers = [("Content-Type", "application/ld+json"), ("Content-Encoding", "gzip")]
        return 200, headers, body

    return respond


def flipped(body: bytes) -> bytes:
    """*body* with one letter of its content changed, and the checksum of before."""
    content = gzip.decompress(body).replace(b"label1", b"lapel1")
    return gzip.compress(content, mtime=0)[:-8] + body[-8:]


@pytest.mark.parametrize(
    "damage",
    [
        flipped,
        lambda body: body[:-5],
        lambda body: body + b"rubbish",
        lambda body: b"plain" + gzip.decompress(body),
    ],
    ids=["crc", "cut", "rubbish", "no gzip"],
)
def test_a_damaged_body_is_requested_again(
    scrapy: Scrapy, damage: Callable[[bytes], bytes]
) -> None:
    scrapy.policy(limit(1_000_000, 1))
    with serving(concepts(damage, times=2)) as server:
        crawl = scrapy.crawl("concepts", *QUICK, DMG_BASE_URL=server.base_url)
        requests = len(server.requested)
    assert crawl.code == 0, crawl.err
    assert requests == 3
    assert "lapel" not in (crawl.folder / "concepts.jsonl").read_text()
    assert len(crawl.records) + len(crawl.rejected) == 3


def test_a_body_that_stays_damaged_is_a_page_that_failed(scrapy: Scrapy) -> None:
    scrapy.policy(limit(1_000_000, 1))
    with serving(concepts(flipped, times=99)) as server:
        crawl = scrapy.crawl(
            "concepts", *QUICK, "-s", "RETRY_TIMES=2", DMG_BASE_URL=server.base_url
        )
    assert crawl.code == 10, crawl.err
    assert "the gzip body is damaged" in crawl.certificate["reason"]
    assert not crawl.certificate["unique"]
