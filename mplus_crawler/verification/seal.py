"""The seal of a certificate: whoever edits one has to break it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import orjson


def seal(certificate: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of *certificate* without its ``seal``.

    Keys sorted, no spaces, UTF-8 not escaped. Dates are sealed as ISO 8601, as they will be
    read; anything else that JSON doesn't know raises TypeError.
    """
    unsealed = {name: value for name, value in certificate.items() if name != "seal"}
    text = json.dumps(
        unsealed, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_iso
    )
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def sealed(certificate: Mapping[str, Any]) -> bytes:
    """*certificate* with its seal, as it stands in a file."""
    document = {**certificate, "seal": seal(certificate)}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _iso(value: Any) -> str:
    try:
        return str(value.isoformat())
    except AttributeError:
        raise TypeError(f"{type(value).__name__} is nothing that JSON knows") from None
