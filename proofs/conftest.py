"""What the proofs share: packages of the sandbox's museums."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# The project's own Python, whose libraries these programs would disagree with.
PYTHON = os.environ.get("PROJECT_PYTHON", str(ROOT / ".venv" / "bin" / "python"))


@pytest.fixture(scope="session")
def harvested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with HARVEST_DIR in ``data``, and a package of each museum beside it."""
    folder = tmp_path_factory.mktemp("proofs") / "made"
    subprocess.run([PYTHON, "-m", "proofs.packages", str(folder)], cwd=ROOT, check=True)
    return folder


@pytest.fixture(params=["dmg", "mplus_open"])
def package(request: pytest.FixtureRequest, harvested: Path) -> Path:
    """The package of a museum."""
    return harvested / str(request.param)
