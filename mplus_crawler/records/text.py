"""Texts as columns hold them."""

from __future__ import annotations

import re

# A carriage return before a line feed, or several, are still one break; the others are Unicode's.
_break = re.compile("\r*\n|\r+|[\x0b\x0c\x85\u2028\u2029]")


def line_breaks(text: str) -> str:
    """Return *text* with ``\\n`` for each line break, however it is written."""
    return text if text.isprintable() else _break.sub("\n", text)
