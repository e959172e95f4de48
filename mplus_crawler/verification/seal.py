"""The seal of a certificate, which shows that it was not edited."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import orjson


def seal(certificate: Mapping[str, Any]) -> str:
    """Return the SHA-256 of *certificate*'s canonical JSON, without its ``seal``.

    Canonical: keys sorted, no spaces, UTF-8 not escaped, dates in ISO 8601. Raises TypeError for
    other types that JSON does not have.
    """
    unsealed = {name: value for name, value in certificate.items() if name != "seal"}
    text = json.dumps(
        unsealed, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_iso
    )
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def sealed(certificate: Mapping[str, Any]) -> bytes:
    """Return *certificate* with its seal, as the content of a file."""
    document = {**certificate, "seal": seal(certificate)}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _iso(value: Any) -> str:
    try:
        return str(value.isoformat())
    except AttributeError:
        raise TypeError(f"{type(value).__name__} has no form in JSON") from None
