"""The spellings in which a response may repeat a key, and their removal.

JSON escapes, HTML references and percent-encoding in any mixture, the last two up to twice, and
base64 once (RFC 4648, either alphabet, at any place in what is encoded).
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote

# The replacement for the key.
STRUCK = "key-struck-out"
# A shorter key may occur by chance.
SHORTEST = 8
# Every escape of an ASCII character that can be in a key, or in another escape.
_ESCAPE = re.compile(
    r"\\u00[2-7][0-9a-fA-F]|\\[\"\\/]|%[2-7][0-9a-fA-F]"
    r"|&(?:#0*[0-9]{2,3}|#[xX]0*[2-7][0-9a-fA-F]|[a-zA-Z]{2,8});?"
)
# JSON once, HTML twice and percent-encoding twice.
_LAYERS = 5
# One without an end is matched too, so that no byte is read twice.
_JSON_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)


class Spellings:
    """The spellings of *key*; of a very short one, only the value of *parameter* in a URL."""

    def __init__(self, key: str, parameter: str = "") -> None:
        escaped = quote(key, safe="")
        self._plain: tuple[str, ...] = ()
        self._needles: frozenset[str] = frozenset()
        if len(key) < SHORTEST:
            if parameter and key:
                self._plain = (f"{parameter}={escaped}",)
            return
        in_json = json.dumps(key)[1:-1]
        percent = (escaped, quote(key))
        lower = (re.sub("%..", lambda octet: octet[0].lower(), one) for one in percent)
        usual = {key, in_json, in_json.replace("/", "\\/"), *percent, *lower}
        self._plain = tuple(sorted(usual, key=len, reverse=True))
        encoded = [one for text in (*usual, html.escape(key)) for one in _base64(text)]
        self._needles = frozenset((*_layers(key), *encoded))

    def removed(self, content: bytes) -> bytes:
        """Return *content* without the key.

        A usual spelling is replaced; of any other, the whole JSON string or, outside of one,
        the whole *content*.
        """
        for plain in self._plain:
            content = content.replace(plain.encode(), STRUCK.encode())
        if self._in(content):
            content = _JSON_STRING.sub(self._strike, content)
            if self._in(content):
                return STRUCK.encode()
        return content

    def _strike(self, string: re.Match[bytes]) -> bytes:
        return f'"{STRUCK}"'.encode() if self._in(string[0]) else string[0]

    def _in(self, content: bytes) -> bool:
        return any(
            needle in text
            for text in _layers(content.decode("latin-1"))
            for needle in self._needles
        )


@lru_cache(maxsize=4)
def spellings_of(key: str, parameter: str = "") -> Spellings:
    """Return the spellings of *key*, which is in the query under the name *parameter*, if any."""
    return Spellings(key, parameter)


def _layers(text: str) -> Iterator[str]:
    """Yield *text*, and each stage of decoding its escapes layer by layer."""
    for _ in range(_LAYERS):
        yield text
        decoded = _ESCAPE.sub(_decode, text)
        if decoded == text:
            return
        text = decoded
    yield text


def _decode(escape: re.Match[str]) -> str:
    return _decode_text(escape[0])


@lru_cache(maxsize=4096)
def _decode_text(escape: str) -> str:
    if escape.startswith("%"):
        return chr(int(escape[1:], 16))
    if escape.startswith("&"):
        return html.unescape(escape)
    return chr(int(escape[4:], 16)) if escape.startswith("\\u") else escape[1]


def _base64(key: str) -> list[str]:
    """Yield the characters that the encoding of a text with *key* contains, by the key's offset."""
    found = []
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + key.encode()).decode()
        core = encoded[-(-offset * 8 // 6) : (offset + len(key)) * 8 // 6]
        found += [core, core.replace("+", "-").replace("/", "_")]
    return found
