"""Harvests museum collections through their public APIs."""

import platform
import sys

__version__ = "0.1.0"

# Checked here, as `scrapy doctor` would: an older Python cannot parse the other modules.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(f"FAIL Python: {platform.python_version()}\n     fix: use Python 3.11 or newer")
