"""The only clock of the benches: warm-up, rounds of all sides in turn, medians and spread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]
Run = Callable[[int], int]  # does so many units, returns how many examples that were


@dataclass(frozen=True)
class Side:
    """One contestant.

    `run(units)` does that many units of work (steps, epochs, calls: the side's own choice) and
    returns how many examples it saw. `check()` returns what the side computes from the common
    start; it is called once, before any `run`. Only sides of one `group` compute the same thing;
    a side that reaches the same end another way is held against our side of the group `against`.
    `operations` are the multiplications and additions it does for an example; 0 where nobody asks.
    """

    name: str
    run: Run
    check: Callable[[], Array]
    group: str = ""
    operations: float = 0.0
    against: str | None = None


@dataclass(frozen=True)
class Timing:
    """Examples per second of one side, one value per round."""

    rates: tuple[float, ...]

    @property
    def median(self) -> float:
        return float(np.median(self.rates))

    @property
    def best(self) -> float:
        return max(self.rates)

    @property
    def spread(self) -> float:
        """Distance between the quartiles, as a share of the median."""
        low, high = np.percentile(self.rates, [25, 75])
        return float((high - low) / self.median)


def seconds_of(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def fastest(work: Callable[[], object], repeats: int = 5) -> float:
    """Seconds of the fastest of `repeats` calls, after one that is not counted."""
    work()
    return min(seconds_of(work) for _ in range(repeats))


def rate_of(run: Run, units: int) -> float:
    """Examples per second over `units` units."""
    start = time.perf_counter()
    n_examples = run(units)
    return n_examples / (time.perf_counter() - start)


def units_for(run: Run, seconds: float) -> int:
    """How many units fill `seconds`; doubles until the clock can tell, which warms the run up."""
    run(1)
    units, used = 1, seconds_of(lambda: run(1))
    while used < seconds / 4:
        units *= 2
        used = seconds_of(lambda units=units: run(units))  # type: ignore[misc]
    return max(1, round(units * seconds / used))


def interleave(sides: Sequence[Side], rounds: int, seconds: float) -> dict[str, Timing]:
    """Run the sides in turn, A B C A B C ..., each round about `seconds` long per side.

    Every second cycle runs backwards, so that no side always follows the same neighbour.
    """
    units = {side.name: units_for(side.run, seconds) for side in sides}
    rates: dict[str, list[float]] = {side.name: [] for side in sides}
    for cycle in range(rounds):
        for side in sides if cycle % 2 == 0 else reversed(sides):
            rates[side.name].append(rate_of(side.run, units[side.name]))
    return {name: Timing(tuple(values)) for name, values in rates.items()}


def ratio(ours: Timing, peer: Timing) -> float:
    """Median over the rounds of our rate divided by the peer's of the same round."""
    return float(np.median(np.divide(ours.rates, peer.rates)))
