"""Bodies: decompressed and checked in full, before any component reads them.

Scrapy's ``HttpCompressionMiddleware`` silently returns the readable part of a damaged body, and its
exceptions are never retried. Here a damaged body is a download error, like a truncated one.
"""

from __future__ import annotations

import codecs
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress

import brotli  # type: ignore[import-untyped]  # Scrapy requires it
from scrapy.exceptions import DownloadCancelledError, ResponseDataLossError
from scrapy.http import Response

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd  # Scrapy requires it

_GZIP, _RAW_DEFLATE = zlib.MAX_WBITS | 16, -zlib.MAX_WBITS
# JSON is UTF-8 without a byte order mark (RFC 8259 section 8.1); some servers send one.
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decoded(response: Response, max_size: int) -> Response:
    """Return *response* with its body decompressed, without Content-Encoding.

    Raise :class:`ResponseDataLossError` for a body that is damaged, which can be retried, and
    :class:`DownloadCancelledError` for one of more than *max_size* bytes. An encoding that was
    not offered, such as a charset, is ignored.
    """
    fields = b",".join(response.headers.getlist("Content-Encoding")).decode("latin-1")
    body = response.body
    for coding in reversed([name.strip().lower() for name in fields.split(",")]):
        if body and (decompress := _DECOMPRESS.get(coding)):
            body = _checked(decompress, body, coding, max_size or sys.maxsize - 1)
    body = _without_mark(body, response.headers.get("Content-Type") or b"")
    if body is response.body:
        return response
    headers = response.headers.copy()
    headers.pop("Content-Encoding", None)
    return response.replace(body=body, headers=headers)


def _without_mark(body: bytes, content_type: bytes) -> bytes:
    """Return the text *body* as UTF-8 without a byte order mark; any other unchanged."""
    if body.startswith(codecs.BOM_UTF8):
        return body.removeprefix(codecs.BOM_UTF8)
    if body.startswith(_UTF_16) and b"json" in content_type.lower():
        with suppress(UnicodeDecodeError):
            return body.decode("utf-16").encode()
    return body


def _checked(
    decompress: Callable[[bytes, int], bytes], body: bytes, coding: str, max_size: int
) -> bytes:
    try:
        content = decompress(body, max_size)
    except (zlib.error, brotli.error, zstd.ZstdError, ValueError) as error:
        raise ResponseDataLossError(f"the {coding} body is damaged ({error})") from None
    if len(content) > max_size:
        raise DownloadCancelledError(f"the body has more than {max_size:,} bytes once decompressed")
    return content


def _gunzip(body: bytes, max_size: int) -> bytes:
    """The members of a gzip body (RFC 1952); zlib checks the CRC and the length of each."""
    content = b""
    while body and len(content) <= max_size:
        member = zlib.decompressobj(_GZIP)
        content += member.decompress(body, max_size + 1 - len(content))
        _check_end(content, max_size, ended=member.eof)
        body = member.unused_data.lstrip(b"\0")
    return content


def _inflate(body: bytes, max_size: int) -> bytes:
    """A zlib stream (RFC 1950), or the raw one (RFC 1951) that some servers send instead."""
    try:
        return _inflate_stream(zlib.decompressobj(), body, max_size)
    except zlib.error as error:
        with suppress(zlib.error):
            return _inflate_stream(zlib.decompressobj(_RAW_DEFLATE), body, max_size)
        raise error


def _inflate_stream(stream: zlib._Decompress, body: bytes, max_size: int) -> bytes:
    content = stream.decompress(body, max_size + 1)
    _check_end(content, max_size, ended=stream.eof and not stream.unused_data)
    return content


def _unbrotli(body: bytes, max_size: int) -> bytes:
    stream = brotli.Decompressor()
    content: bytes = stream.process(body, output_buffer_limit=max_size + 1)
    if not stream.is_finished() and len(content) <= max_size:
        content += stream.process(b"", output_buffer_limit=max_size + 1)
    _check_end(content, max_size, ended=stream.is_finished())
    return content


def _unzstd(body: bytes, max_size: int) -> bytes:
    content = b""
    while body and len(content) <= max_size:
        frame = zstd.ZstdDecompressor()
        content += frame.decompress(body, max_size + 1 - len(content))
        _check_end(content, max_size, ended=frame.eof)
        body = frame.unused_data
    return content


def _check_end(content: bytes, max_size: int, *, ended: bool) -> None:
    if len(content) <= max_size and not ended:
        raise ValueError("it is truncated, or other bytes follow it")


_DECOMPRESS = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}
