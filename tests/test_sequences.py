"""After any sequence of commands and kills, every published file agrees with its certificate."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Scrapy
from tests.sequences import SMALL, Sequence


@pytest.mark.long
@pytest.mark.parametrize("seed", range(12))
def test_every_published_file_is_certified(
    museum: Callable[..., Sandbox], scrapy: Scrapy, seed: int
) -> None:
    Sequence(scrapy, museum(**SMALL), random.Random(seed)).run(3)
