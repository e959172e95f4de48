"""Environments of the peers, each with pinned packages; made once and kept."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

# The latest versions of 29 November 2026. With its dependencies, airbyte-cdk takes 340 MB.
PACKAGES = {
    "loop": ("requests==2.34.2", "urllib3==2.8.0", "orjson==3.13.0"),
    "crawlee": ("crawlee==1.11.0", "httpx2==2.16.2", "impit==0.15.1", "orjson==3.13.0"),
    "dlt": ("dlt==1.31.0", "fsspec==2026.9.0", "requests==2.34.2", "orjson==3.13.0"),
    "airbyte": ("airbyte-cdk==7.39.1", "requests==2.34.2", "orjson==3.13.0"),
}


def python_of(name: str, folder: Path) -> str:
    """Return the interpreter of the environment *name* in *folder*, which is made if needed."""
    packages = PACKAGES[name]
    version = hashlib.sha256(" ".join((sys.version, *packages)).encode()).hexdigest()[:8]
    place = folder / f"{name}-{version}"
    python, ready = place / "bin" / "python", place / "ready"
    if not ready.exists():
        print(f"installing {', '.join(packages)}", flush=True)
        venv.create(place, with_pip=True, clear=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        subprocess.run([str(python), *install], check=True)
        ready.touch()
    return str(python)
