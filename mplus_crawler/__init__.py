"""Harvests museum collections through their public APIs."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__version__ = "1.0.0"

# Checked here, as `scrapy doctor` would: an older Python cannot parse the other modules.
if sys.version_info < (3, 11):  # noqa: UP036  # for those who run an older one
    sys.exit(f"FAIL Python: {platform.python_version()}\n     fix: use Python 3.11 or newer")


def schema_folder() -> Traversable:
    """Return the folder of the JSON Schemas: in the package, or beside it in a checkout."""
    from importlib.resources import files

    installed = files(__name__) / "schemas"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "schemas"


def program() -> str:
    """Return how the user runs the commands: ``mplus-crawler``, or ``scrapy`` in a checkout."""
    return "mplus-crawler" if Path(sys.argv[0]).name == "mplus-crawler" else "scrapy"
