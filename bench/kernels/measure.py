"""A process per thread, each with its part of every case, all at the same time."""

from __future__ import annotations

import importlib
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

from bench.kernels.case import Part
from bench.timing import rate_of, units_for

Row = dict[str, Any]


def serve(
    part: Part, core: int, names: Sequence[str], pace: tuple[int, float], together: Any, out: Any
) -> None:
    """Time this thread's part of every case, in step with the others; send a row for each."""
    os.sched_setaffinity(0, {core})
    rounds, seconds = pace
    for name in names:
        for case in importlib.import_module(f"bench.kernels.{name}").cases(part):
            units = units_for(case.run, seconds)
            rates = []
            for _ in range(rounds):
                together.wait()
                rates.append(rate_of(case.run, units))
            row = {"family": name, "kernel": case.kernel, "shape": case.shape}
            row["gflops"] = 1e-9 * case.operations * max(rates)
            out.send(row | {"gb": 1e-9 * case.bytes * max(rates)})


def parts_of(names: Sequence[str], threads: int, pace: tuple[int, float]) -> Iterator[list[Row]]:
    """What each thread did of a case, case after case."""
    spawn = multiprocessing.get_context("spawn")
    together = spawn.Barrier(threads, timeout=60)
    cores = sorted(os.sched_getaffinity(0))[:threads]
    workers, ends = [], list[Connection]()
    for i, core in enumerate(cores):
        end, out = spawn.Pipe(duplex=False)
        given = (Part(i, threads), core, names, pace, together, out)
        workers.append(spawn.Process(target=serve, args=given, daemon=True))
        workers[-1].start()
        out.close()  # so that the end of the worker ends the pipe
        ends.append(end)
    try:
        while True:
            yield [end.recv() for end in ends]
    except EOFError:
        for worker in workers:
            worker.join()
    if any(worker.exitcode for worker in workers):
        raise RuntimeError("kernels: expected every thread to finish, got one that did not")


def rows_of(names: Sequence[str], threads: int, rounds: int, seconds: float) -> Iterator[Row]:
    """One row per case: what the threads do together, and the shares of the limits."""
    limits = {"gflops": 0.0, "gb": 0.0}
    for parts in parts_of(["limits", *names], threads, (rounds, seconds)):
        row = {**parts[0], "threads": threads}
        row |= {unit: sum(part[unit] for part in parts) for unit in limits}
        if row["family"] == "limits":
            limits = {unit: max(limit, row[unit]) for unit, limit in limits.items()}
        yield row | {f"share_{unit}": row[unit] / limits[unit] for unit in limits if limits[unit]}
