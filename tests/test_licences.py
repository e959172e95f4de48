"""What a harvest installs: each package is pinned, and none is under the GPL."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT
from tests.readme_tables import licence


def pins(file: str) -> dict[str, str]:
    """The packages that *file* pins, by name, with their versions."""
    lines = (ROOT / file).read_text("utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonical(name): version for name, version in pairs}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required_by(name: str) -> Iterator[str]:
    """The packages that *name* requires here, without extras."""
    for line in distribution(name).requires or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonical(requirement.name)


def test_requirements_are_complete_and_hold_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed: set[str] = set()
    found = {canonical(Requirement(line).name) for line in project["dependencies"]}
    while found:
        needed |= found
        found = {name for one in found for name in required_by(one)} - needed
    assert needed == set(pins("requirements.txt"))


def test_requirements_of_the_tests_are_complete() -> None:
    pinned = {*pins("requirements.txt"), *pins("requirements-dev.txt")}
    missing = {name: set(required_by(name)) - pinned - {"pip"} for name in pinned}
    assert {name: lacks for name, lacks in missing.items() if lacks} == {}


@pytest.mark.parametrize("name", sorted(pins("requirements.txt")))
def test_no_package_is_under_the_gpl(name: str) -> None:
    named = licence(distribution(name).metadata)
    assert named
    assert not re.search(r"GPL|General Public", named), named
