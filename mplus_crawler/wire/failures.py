"""Download failures in words: what happened, and what to check."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from OpenSSL.SSL import Error as TlsError
from scrapy import Request
from scrapy.core.downloader.handlers.http11 import TunnelError
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadTimeoutError,
    ResponseDataLossError,
)
from service_identity import VerificationError
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.error import ConnectionRefusedError as RefusedError
from twisted.internet.error import TimeoutError as ConnectTimeoutError
from twisted.web._newclient import ParseError

from mplus_crawler import program
from mplus_crawler.errors import one_line
from mplus_crawler.wire.addresses import is_loopback
from mplus_crawler.wire.connection import HeaderTooLargeError

# The server cannot be reached, whatever is requested.
_UNREACHABLE = (
    CannotResolveHostError,
    DownloadConnectionRefusedError,
    ConnectError,
    TlsError,
    TunnelError,
    VerificationError,
)
_TLS_SECONDS = 10.0
# OpenSSL's codes (openssl-verify(1)).
_CERTIFICATES = {
    9: "is not valid yet; check this computer's clock",
    10: "has expired",
    62: "is for another host name",
    64: "is for another IP address",
}


def is_unreachable(error: BaseException) -> bool:
    """Whether *error* shows that the server cannot be reached at all."""
    timeouts = (ConnectTimeoutError, DownloadTimeoutError)
    return any(
        isinstance(cause, _UNREACHABLE) and not isinstance(cause, timeouts)
        for cause in _causes(error)
    )


def is_timeout(error: BaseException) -> bool:
    """Whether the server has not responded within ``DOWNLOAD_TIMEOUT``."""
    return any(isinstance(cause, DownloadTimeoutError) for cause in _causes(error))


async def describe(error: BaseException, request: Request, seconds: float) -> str:
    """Return in words why *request* failed with *error*; *seconds* is its time-out."""
    causes = list(_causes(error))
    if any(isinstance(cause, TlsError | VerificationError) for cause in causes):
        return await _describe_tls(request)
    for cause in causes:
        if reason := _describe(cause, request, seconds):
            return one_line(reason)
    return "the connection was closed before the response was complete"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Every exception that *error* was raised from, the innermost first."""
    if error is None:
        return
    for reason in getattr(error, "reasons", None) or ():
        yield from _causes(getattr(reason, "value", None))
    yield from _causes(error.__cause__ or error.__context__)
    yield error


def _describe(cause: BaseException, request: Request, seconds: float) -> str:
    host, proxy = urlsplit(request.url).netloc, request.meta.get("proxy")
    place = f"the proxy {urlsplit(proxy).netloc.rpartition('@')[2] or proxy}" if proxy else host
    match cause:
        case HeaderTooLargeError():
            return str(cause)
        case ResponseDataLossError():
            return str(cause) or "the response is truncated"
        case DownloadCancelledError():
            return _too_large(cause)
        case TunnelError():
            status = re.search(r"'status': (\d+)", str(cause))
            code = f" with status {status[1]}" if status else ""
            return f"the proxy refuses to connect to {host}{code}; check https_proxy"
        case CannotResolveHostError() | DNSLookupError():
            return _unresolved(cause, place)
        case DownloadConnectionRefusedError() | RefusedError():
            return f"connection refused by {place}{_advice(request, proxy)}"
        case DownloadTimeoutError() | ConnectTimeoutError():
            return f"no response from {place} within {seconds:g} s"
        case ConnectError(osError=int(code)):
            return f"cannot connect to {place}: {os.strerror(code)}"
        case ParseError():
            return "the response is not HTTP"
    return ""


def _too_large(cause: DownloadCancelledError) -> str:
    most = re.search(r"max size \((\d+)\)|more than ([\d,]+) bytes", str(cause))
    size = int((most[1] or most[2]).replace(",", "")) if most else 0
    return f"the body has more than {f'{size:,}' if size else 'DOWNLOAD_MAXSIZE'} bytes" + (
        " (DOWNLOAD_MAXSIZE)" if size else ""
    )


def _unresolved(cause: BaseException, place: str) -> str:
    text = str(cause)
    if "no address on the web" in text:  # the resolver's own refusal
        return text.partition(": ")[2].rstrip(".") or text
    return f"name not found: {place}; check the URL and the network connection"


def _advice(request: Request, proxy: str | None) -> str:
    split = urlsplit(request.url)
    if proxy:
        return f"; check {split.scheme}_proxy"
    if not is_loopback(split.hostname or ""):
        return ""
    return f"; is the sandbox running? Start it with: {program()} sandbox --port {split.port or 80}"


async def _describe_tls(request: Request) -> str:
    """Return the fault of the server's certificate, which pyOpenSSL does not report.

    This opens a second connection, on which nothing is requested.
    """
    split = urlsplit(request.url)
    host = split.netloc.rpartition("@")[2]
    if not request.meta.get("proxy"):
        try:
            await _try_tls(split.hostname or "", split.port or 443)
        except ssl.SSLCertVerificationError as error:
            what = _CERTIFICATES.get(error.verify_code, f"is not trusted: {error.verify_message}")
            return f"the certificate of {host} {what}"
        except ssl.SSLError as error:
            return f"no TLS connection with {host}: {error.reason or error}"
        except (OSError, TimeoutError):
            pass
    return f"the certificate of {host} is not accepted"


async def _try_tls(host: str, port: int) -> None:
    context = ssl.create_default_context()
    async with asyncio.timeout(_TLS_SECONDS):
        _, writer = await asyncio.open_connection(host, port, ssl=context)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
