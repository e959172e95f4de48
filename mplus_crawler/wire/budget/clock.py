"""A clock that is not affected by changes of the system time while the machine is up."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@cache
def boot() -> str:
    """Return the id of this boot (Linux), or an empty string on other systems."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def uptime() -> float:
    """Return seconds since boot, suspend included; the system time if there is no such clock."""
    if hasattr(time, "CLOCK_BOOTTIME") and boot():
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time()
