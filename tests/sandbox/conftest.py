"""Sandboxes of the Gent museum: one to read, one to change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mplus_crawler.sandbox.app import Sandbox


@pytest.fixture(scope="module")
def museum() -> Iterator[Sandbox]:
    """A museum without limits or faults, for everything that doesn't change it."""
    with Sandbox(objects=900, agents=450, exhibitions=130, concepts=520, limits="off") as sandbox:
        yield sandbox


@pytest.fixture
def small() -> Iterator[Sandbox]:
    """A museum to spoil."""
    with Sandbox(objects=45, agents=5, exhibitions=5, concepts=5, limits="off") as sandbox:
        yield sandbox
