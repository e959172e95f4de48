"""A key in many spellings, and a search for it that shares no code with what removes it."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from urllib.parse import quote, unquote

NAMED = {"+": "&plus;", "/": "&sol;", "&": "&amp;", "=": "&equals;", "%": "&percnt;", "<": "&lt;"}
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}")


def _json_lower(character: str) -> str:
    return f"\\u{ord(character):04x}"


def _json_upper(character: str) -> str:
    return f"\\u{ord(character):04X}"


def _decimal(character: str) -> str:
    return f"&#{ord(character)};"


def _hex(character: str) -> str:
    return f"&#X{ord(character):X};"


def _percent(character: str) -> str:
    return f"%{ord(character):02x}"


def _named(character: str) -> str:
    return NAMED.get(character, f"&#00{ord(character)};")


_HOWS = (_json_lower, _json_upper, _decimal, _hex, _percent, _named)


def spellings(key: str) -> list[str]:
    """Return *key* as it may stand in a JSON string, in every spelling and many mixtures."""
    random = Random(7)
    texts = [key, quote(key), quote(key, safe=""), html.escape(key), "".join(map(_named, key))]
    texts += ["".join(map(how, key)) for how in (_decimal, _hex, _percent)]
    texts += [quote(text, safe="") for text in texts] + [html.escape(text) for text in texts]
    texts += [base64.b64encode(text.encode()).decode() for text in texts[:5] if "&#" not in text]
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"x" * offset + key.encode()).decode()
            texts += [encoded, encoded.rstrip("="), quote(encoded, safe="")]
    written = [json.dumps(text)[1:-1] for text in texts]
    written += [text.replace("/", "\\/") for text in written if "/" in text]
    written += ["".join(map(how, key)) for how in (_json_lower, _json_upper)]
    for _ in range(60):
        written.append("".join(random.choice(_HOWS)(character) for character in key))
    return list(dict.fromkeys(f"before {text} after" for text in written))


def in_headers(key: str) -> list[tuple[str, str]]:
    """Return headers that repeat *key*, a spelling each; ``Link`` and cookies, too."""
    named = [(f"X-Echo-{number}", text) for number, text in enumerate(spellings(key))]
    encoded = quote(key, safe="")
    return [
        *named,
        ("Set-Cookie", f"key={encoded}; Path=/"),
        ("ETag", f'"{encoded}"'),
        ("Link", f'<https://museum.example/?key={encoded}>; rel="sunset"'),
        ("Sunset", f"{key}"),
        ("Warning", f'299 - "{encoded.lower()}"'),
    ]


def places(folder: Path, **said: str) -> dict[str, bytes]:
    """Return the content of every file below *folder*, with its path, and what was *said*."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    found = {str(path): str(path).encode() + b"\n" + path.read_bytes() for path in files}
    return found | {name: text.encode() for name, text in said.items()}


def holding(key: str, contents: Mapping[str, bytes]) -> list[str]:
    """Return the names of *contents* that hold *key*, whatever has to be decoded for it."""
    return [name for name, content in contents.items() if _holds(key, content.decode("latin-1"))]


def _holds(key: str, text: str) -> bool:
    return any(key in decoded for decoded in _decoded(text)) or any(
        key in step(_unbase64(run[0], offset))
        for decoded in _decoded(text)
        for run in _BASE64.finditer(decoded)
        for offset in range(4)
        for step in (str, unquote, html.unescape)
    )


def _decoded(text: str) -> Iterator[str]:
    """*text* after every sequence of three decodings."""
    seen, last = {text}, {text}
    for _ in range(3):
        last = {step(one) for one in last for step in (_unjson, html.unescape, unquote)} - seen
        seen |= last
    yield from seen


def _unjson(text: str) -> str:
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text)
    return re.sub(r'\\(["\\/])', r"\1", text)


def _unbase64(run: str, offset: int) -> str:
    run = run[offset:].replace("-", "+").replace("_", "/")
    run = run[:-1] if len(run) % 4 == 1 else run
    return base64.b64decode(run + "=" * (-len(run) % 4)).decode("latin-1")
