"""The cases of `python -m bench.kernels` under pytest-benchmark: compares runs of single kernels.

examples:
  pytest bench/kernels -k dense --benchmark-autosave
  pytest bench/kernels -k dense --benchmark-compare
"""

from collections.abc import Iterator
from importlib import import_module
from itertools import islice

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.kernels.__main__ import FAMILIES
from bench.kernels.case import Case, Part


def cases(family: str) -> Iterator[Case]:
    found: Iterator[Case] = import_module(f"bench.kernels.{family}").cases(Part())
    return found


def every_case() -> list[object]:
    """Every case by its place in its family."""
    return [
        pytest.param(family, place, id=f"{case.kernel} {case.shape}")
        for family in FAMILIES
        for place, case in enumerate(cases(family))
    ]


@pytest.mark.parametrize(("family", "place"), every_case())
def test_kernel(family: str, place: int, benchmark: BenchmarkFixture) -> None:
    """The arrays of a case are made when its turn comes: all of them would fill the memory."""
    benchmark(next(islice(cases(family), place, None)).run, 1)
