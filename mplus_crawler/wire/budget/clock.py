"""A wall clock that nobody can set back or forward while the machine is up."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@cache
def boot() -> str:
    """The running system's boot (Linux), or an empty string where there is no telling."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def uptime() -> float:
    """Seconds since boot, suspend included; wall seconds where there is no such clock."""
    if hasattr(time, "CLOCK_BOOTTIME") and boot():
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time()
