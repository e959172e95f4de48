"""Web links as RFC 8288 writes them in the ``Link`` header."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urljoin

from mplus_crawler.protocols.uris import normalized

# Characters of all Link fields of a response; more are ignored, as no page needs them.
MAX_LINK_LENGTH = 16 * 1024

# RFC 8288 section 3: "<" target ">" *( ";" name [ "=" ( token / quoted-string ) ] ). Quantifiers
# are possessive, so that no character is read twice by one match.
_NAME = re.compile(r'\s*+;\s*+([^\s=;,"]++)')
_EQUALS = re.compile(r"\s*+=\s*+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TOKEN = re.compile(r'[^\s;,"]*+')
_NEXT_VALUE = re.compile(r"[\s;]*+(?:,|$)")


def parse_links(headers: Iterable[str], url: str = "") -> dict[str, str]:
    """Return the targets of ``Link`` headers by relation type, in lower case.

    *headers* are the field values, one for each header line of the page at *url*. A link with
    several relations stands under each; of several links with one relation the first counts
    (RFC 8288 section 3.3), and only a link's first ``rel`` parameter does. A link whose ``anchor``
    is not the page itself is the link of something else (section 3.2). Whatever is malformed is
    skipped up to the next link. Takes linear time.
    """
    headers = list(headers)
    links: dict[str, str] = {}
    if sum(map(len, headers)) <= MAX_LINK_LENGTH:
        for header in headers:
            if "<" in header:
                _Reader(header, url).read(links)
    return links


class _Reader:
    """Reads one header from left to right."""

    def __init__(self, header: str, url: str) -> None:
        self._header = header
        self._url = url
        self._position = 0
        # No quoted string that begins later is closed, once one was not.
        self._quotes_close = True

    def read(self, links: dict[str, str]) -> None:
        """Put the header's links into *links*."""
        while (start := self._header.find("<", self._position)) >= 0:
            end = self._header.find(">", start)
            if end < 0:  # nor is any later one closed
                return
            self._position = end + 1
            parameters = self._parameters()
            if parameters is None or not self._is_of_page(parameters.get("anchor")):
                continue
            for relation in parameters.get("rel", "").lower().split():
                links.setdefault(relation, self._header[start + 1 : end].strip())

    def _parameters(self) -> dict[str, str] | None:
        """The parameters of a link, the first of each name; ``None`` for a malformed one."""
        parameters: dict[str, str] = {}
        while match := _NAME.match(self._header, self._position):
            self._position = match.end()
            parameters.setdefault(match[1].lower(), self._value())
        match = _NEXT_VALUE.match(self._header, self._position)
        if match is None:
            return None
        self._position = match.end()
        return parameters

    def _value(self) -> str:
        equals = _EQUALS.match(self._header, self._position)
        if equals is None:
            return ""
        self._position = equals.end()
        if self._quotes_close and self._header.startswith('"', self._position):
            quoted = _QUOTED.match(self._header, self._position)
            if quoted:
                self._position = quoted.end()
                return _ESCAPED.sub(r"\1", quoted[1])
            self._quotes_close = False
        token = _TOKEN.match(self._header, self._position)
        assert token is not None
        self._position = token.end()
        return token[0]

    def _is_of_page(self, anchor: str | None) -> bool:
        if anchor is None:
            return True
        try:
            return normalized(urljoin(self._url, anchor)) == normalized(self._url)
        except ValueError:
            return False
