"""Certificates of former runs, as they are found in the output directory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from mplus_crawler.errors import ExitCode
from mplus_crawler.verification import seal

Certificate = Mapping[str, Any]


def sealed_certificate(content: bytes | None) -> Certificate | None:
    """Return the certificate in *content*, if its seal is right."""
    try:
        found: Certificate = orjson.loads(content or b"")
        return found if found["seal"] == seal(found) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def snapshot_certificate(content: bytes | None) -> Certificate | None:
    """Return the certificate in *content*, if its seal is right and it is a snapshot's."""
    found = sealed_certificate(content) or {}
    whole = found.get("exit_code") == ExitCode.COMPLETE and found.get("snapshot", True)
    return found if whole else None
