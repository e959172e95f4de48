"""Certificates of snapshots, as they are found in the output directory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from mplus_crawler.errors import ExitCode
from mplus_crawler.verification import seal

Certificate = Mapping[str, Any]


def snapshot_certificate(content: bytes | None) -> Certificate | None:
    """Return the certificate in *content*, if its seal is right and it is a snapshot's."""
    try:
        found = orjson.loads(content or b"")
        whole = found["seal"] == seal(found) and found["exit_code"] == ExitCode.COMPLETE
        whole = whole and found.get("snapshot", True)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if whole else None
