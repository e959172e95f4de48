"""The spellings in which a response may repeat a key, and their removal.

JSON escapes, HTML references and percent-encoding in any mixture, the last two up to twice, and
base64 once (RFC 4648, either alphabet, at any place in what is encoded).
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from html.entities import html5
from urllib.parse import quote

# The replacement for the key.
STRUCK = "key-struck-out"
# A shorter key may occur by chance.
SHORTEST = 8
# Every escape of an ASCII character, in JSON, in a URL, and in HTML by number or name. Repetitions
# are limited, since what they match is cached.
_NAMES = sorted((name for name, value in html5.items() if value.isascii()), reverse=True)
_ESCAPE = re.compile(
    r"(\\(?:u00[2-7][0-9a-fA-F]|[\\\"/](?:\\[\\\"/]){0,31})|%[2-7][0-9a-fA-F]"
    r"|&(?:#(?:0{0,64}[0-9]{2,3}|[xX]0{0,64}[2-7][0-9a-fA-F]);?"
    rf"|(?=[a-zA-Z])(?:{'|'.join(_NAMES)})))"
)
# JSON once, HTML twice and percent-encoding twice.
_LAYERS = 5
# One without an end is matched too, so that no byte is read twice.
_JSON_STRING = re.compile(rb'("(?:[^"\\]|\\.)*+"?)', re.DOTALL)
# Between texts that are searched together; no escape stands for it.
_BETWEEN = "\0"


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

        Of a usual spelling, nothing else is replaced. Of any other, the whole JSON string is
        replaced or, outside of a string, the whole *content*.
        """
        for plain in self._plain:
            content = content.replace(plain.encode(), STRUCK.encode())
        if self._found([content]):
            pieces = _JSON_STRING.split(content)
            for place in self._found(pieces):
                if place % 2:
                    pieces[place] = f'"{STRUCK}"'.encode()
            content = b"".join(pieces)
            if self._found([content]):
                return STRUCK.encode()
        return content

    def _found(self, pieces: Sequence[bytes]) -> set[int]:
        """Return which of the *pieces* contain the key; all are decoded at once."""
        found = set()
        texts = (piece.decode("latin-1").replace(_BETWEEN, " ") for piece in pieces)
        for text in _layers(_BETWEEN.join(texts)):
            for needle in self._needles:
                place, end = 0, -1
                while (start := text.find(needle, end + 1)) >= 0:
                    place += text.count(_BETWEEN, max(end, 0), start)
                    found.add(place)
                    end = start
        return found


@lru_cache(maxsize=4)
def spellings_of(key: str, parameter: str = "") -> Spellings:
    """Return the spellings of *key*, which is in the query under the name *parameter*, if any."""
    return Spellings(key, parameter)


def _layers(text: str) -> Iterator[str]:
    """Yield *text*, and each stage of decoding its escapes layer by layer."""
    yield text
    for _ in range(_LAYERS):
        parts = _ESCAPE.split(text)
        if len(parts) == 1:
            return
        parts[1::2] = map(_decode, parts[1::2])
        yield (text := "".join(parts))


@lru_cache(maxsize=4096)
def _decode(escape: str) -> str:
    if escape.startswith("&"):
        return html.unescape(escape)
    if escape[1] in '\\"/':
        return escape[1::2]
    return chr(int(escape[-2:], 16))


def _base64(key: str) -> list[str]:
    """Yield the characters that the encoding of a text with *key* contains, by the key's offset."""
    found = []
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + key.encode()).decode()
        core = encoded[-(-offset * 8 // 6) : (offset + len(key)) * 8 // 6]
        found += [core, core.replace("+", "-").replace("/", "_")]
    return found
