"""One workload at one thread count, in one process: build the sides, compare, then time them.

`python -m bench` starts `python -m bench.contest w2 2` with the cores and threads of the process
set; it prints one line of JSON per row.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from bench.timing import Side, interleave, ratio

WORKLOADS = {
    "w1": "bench.training.w1",
    "w2": "bench.training.w2",
    "w3": "bench.training.w3",
    "w4": "bench.training.w4",
    "w5": "bench.training.w5",
    "w6": "bench.tables.w6",
    "w7": "bench.training.w7",
    "w9": "bench.tables.w9",
    "w10": "bench.inference.w10",
    "w11": "bench.startup.w11",
    "w13": "bench.neighbors.w13",
    "w14": "bench.tables.w14",
}
GENERALISTS = ("torch", "jax", "keras", "sklearn", "onnxruntime")
SPECIALISTS = {"surprise": "w5", "fbgemm_gpu": "w6", "implicit": "w14"}  # each in one workload
PEERS = (*GENERALISTS, *SPECIALISTS)
OURS = "fastnn"
BF16 = 5e-2  # tolerance where factors have 8 bits, and PyTorch rounds sums and biases as well


@dataclass(frozen=True)
class Contest:
    """Sides of one case; those of one group must agree within `tolerance` before they are timed.

    Relative: scikit-learn's Adam and PyTorch's SparseAdam put epsilon elsewhere, hence 2e-3 after
    ten steps; the others are far closer. `figures` are facts that need no clock, such as sizes.
    """

    case: str
    sides: list[Side]
    tolerance: float = 2e-3
    figures: Mapping[str, float] = field(default_factory=dict)


def adapters(peers: Iterable[str], workload: str) -> list[ModuleType]:
    """Ours, then the adapters of the peers that are installed and take part in a workload."""
    found = [importlib.import_module("bench.ours")]
    for peer in peers:
        if SPECIALISTS.get(peer, workload) != workload:
            continue
        if importlib.util.find_spec(peer) is not None:
            found.append(importlib.import_module(f"bench.peers.{peer}_"))
    return found


def sides_of(kind: str, problem: Any, found: Iterable[ModuleType], threads: int) -> list[Side]:
    """What every adapter that knows this kind of problem puts up."""
    return [
        side
        for adapter in found
        if hasattr(adapter, kind)
        for side in getattr(adapter, kind)(problem, threads)
    ]


def deviations(contest: Contest) -> dict[str, float]:
    """Largest relative difference of each side's check from the first of its group.

    Raises
    ------
    ValueError
        A difference is larger than the tolerance, or not a number.
    """
    expected: dict[str, Any] = {}
    found = {}
    for side in contest.sides:
        result = np.asarray(side.check())
        first = expected.setdefault(side.group, result)
        difference = np.abs(result - first).max() / np.abs(first).max()
        if not difference <= contest.tolerance:
            raise ValueError(
                f"{contest.case}: expected {side.name} within {contest.tolerance:g} "
                f"of the first side's {first}, got {result}"
            )
        found[side.name] = float(difference)
    return found


def rows_of(
    workload: str, contest: Contest, threads: int, rounds: int, seconds: float
) -> Iterator[dict[str, Any]]:
    """One row per side: examples per second, and how many times faster our side of its group is."""
    head = {"workload": workload, "case": contest.case, "threads": threads}
    for figure, value in contest.figures.items():
        yield {**head, "figure": figure, "value": value}
    deviation = deviations(contest)
    timings = interleave(contest.sides, rounds, seconds)
    ours = {side.group: side.name for side in contest.sides if side.name.startswith(OURS)}
    for side in contest.sides:
        timing = timings[side.name]
        row = {
            **head,
            "side": side.name,
            "per_second": timing.median,
            "best": timing.best,
            "spread": timing.spread,
            "deviation": deviation[side.name],
        }
        if side.operations:
            row["gflops"] = 1e-9 * side.operations * timing.median
        group = side.group if side.against is None else side.against
        if group in ours and side.name != ours[group]:
            own = timings[ours[group]]
            row |= {"ratio": ratio(own, timing), "ratio_best": own.best / timing.best}
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("threads", type=int)
    parser.add_argument("--peer", default="")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--data", type=Path)
    args = parser.parse_args()
    found = adapters(filter(None, args.peer.split(",")), args.workload)
    workload = importlib.import_module(WORKLOADS[args.workload])
    for contest in workload.contests(found, args.threads, args.data):
        for row in rows_of(args.workload, contest, args.threads, args.rounds, args.seconds):
            print(json.dumps(row), flush=True)
        del contest
        gc.collect()


if __name__ == "__main__":
    main()
