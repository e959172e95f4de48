"""``~`` at the start of a path in a setting: the shell expands it only in some places."""

from __future__ import annotations

from pathlib import Path

from scrapy.settings import BaseSettings

from mplus_crawler.errors import UsageError

_PATHS = ("HARVEST_DIR", "HARVEST_STATE_DIR", "POLICY_DIR", "LOG_FILE")


def expand_home(settings: BaseSettings) -> None:
    """Replace ``~`` and ``~user`` in *settings*; raises :class:`UsageError` for an unknown user."""
    for name in _PATHS:
        path = settings.get(name)
        if path and path.startswith("~"):
            try:
                expanded = str(Path(path).expanduser())
            except RuntimeError:
                raise UsageError(
                    f"{name}={path}: no such user; write ./{path} for a folder"
                ) from None
            settings.set(name, expanded, priority=settings.getpriority(name) or 0)
