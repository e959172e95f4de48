"""Whatever comes from outside, no reader raises an error that is not ours."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzzing import TARGETS, Change, Target, damaged


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@settings(max_examples=50)
@given(st.data())
def test_no_error_but_ours(target: Target, data: st.DataObject) -> None:
    pieces = st.sampled_from(target.pieces)
    changes = st.builds(
        Change,
        st.integers(0, 1_000_000),
        st.sampled_from([0, 0, 1, 7, 60, 600]),
        pieces | st.binary(max_size=4),
        st.sampled_from([1, 1, 3, 1500]),
    )
    sample = data.draw(st.sampled_from([b"", *target.samples()]))
    with TemporaryDirectory() as folder:
        target.read(damaged(sample, data.draw(st.lists(changes, max_size=5))), Path(folder))


# What cost readers most, one of them half a second; each is 64 kB or a little less.
WORST = (b"\n" * 36_000, b'"' * 33_000, b'"",' * 21_000, b"\\" * 65_000, b"\r\n" * 32_000)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_the_worst_inputs_cost_no_more_than_others(target: Target) -> None:
    """benchmarks/fuzz.py requires a third of that time, on a machine with nothing else to do."""

    def seconds(data: bytes) -> float:
        with TemporaryDirectory() as folder:
            began = process_time()
            target.read(data, Path(folder))
            return process_time() - began

    for data in WORST:
        for head in (b"", *target.samples()[:1]):
            assert min(seconds(head + data) for _ in range(3)) < 0.15, data[:3]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_samples_are_read(target: Target, tmp_path: Path) -> None:
    for sample in target.samples():
        target.read(sample, tmp_path)
