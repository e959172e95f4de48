"""The bounds of a response's header section.

Neither Scrapy nor Twisted has a public hook before the last header line has come: they collect
any number of lines, and close the connection without a reason at a line that is too long. So
Scrapy's own protocol is subclassed here.
"""

from __future__ import annotations

from scrapy.core.downloader.handlers.http11 import (
    _LenientHTTP11ClientFactory,
    _LenientHTTP11ClientProtocol,
    _LenientHTTPClientParser,
)
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.web._newclient import HTTP11ClientProtocol
from twisted.web._newclient import Request as ClientRequest
from twisted.web.iweb import IResponse

# Bytes of status line and header lines; interim responses (1xx) count, too.
MAX_HEADER_BYTES = 256 * 1024
# Bytes of one line, Twisted's own bound.
MAX_LINE_BYTES = 16_384


class HeaderTooLargeError(Exception):
    """A header section, or a line in it, that is too long to be read."""


class _Parser(_LenientHTTPClientParser):
    MAX_LENGTH = MAX_LINE_BYTES
    header_bytes = 0

    def lineReceived(self, line: bytes) -> None:  # noqa: N802  # Twisted's name
        self.header_bytes += len(line)
        if self.header_bytes > MAX_HEADER_BYTES:
            raise HeaderTooLargeError(f"the headers have more than {MAX_HEADER_BYTES:,} bytes")
        super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802  # Twisted's name
        raise HeaderTooLargeError(f"a header line has more than {MAX_LINE_BYTES:,} bytes")


class _Protocol(_LenientHTTP11ClientProtocol):
    def request(self, request: ClientRequest) -> Deferred[IResponse]:
        response = super().request(request)
        assert self._parser is not None
        self._parser.__class__ = _Parser  # as Scrapy does: Twisted names the class of the parser
        return response


class BoundedFactory(_LenientHTTP11ClientFactory):
    """Builds connections whose responses have bounded headers."""

    def buildProtocol(self, addr: IAddress | None) -> HTTP11ClientProtocol:  # noqa: N802  # Twisted's name
        """Build the protocol of a connection to *addr*."""
        return _Protocol(self._quiescentCallback)  # type: ignore[no-untyped-call]  # of Twisted
