"""Times single kernels, and says what share of the machine's limits they reach.

A process per thread does its part of the rows, images or weights, on a core of its own and at the
same time as the others. Shares are of the multiply-adds in registers, and of the bandwidth of a
sum of long arrays, measured just before. Speeds are the best round: other work only slows.

examples:
  python -m bench.kernels                      every kernel, 1 and 2 threads
  python -m bench.kernels dense --threads 1    one family
  python -m bench.report --kernels             the results as a Markdown table
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.kernels.case import Part
from bench.machine import describe
from bench.timing import rate_of, units_for

RESULTS = Path(__file__).parents[1] / "results"
FAMILIES = ("dense", "conv", "winograd", "update", "embedding", "activations")
# Memory that a kernel's result had is handed out again at the next call, with its pages in place.
ALLOCATION = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_ARENA_MAX": "1",
}


def serve(part: Part, core: int, names: Sequence[str], args: Any, together: Any, out: Any) -> None:
    """Time this thread's part of every case, in step with the other processes."""
    os.sched_setaffinity(0, {core})
    for name in names:
        for case in importlib.import_module(f"bench.kernels.{name}").cases(part):
            units = units_for(case.run, args.seconds)
            rates = []
            for _ in range(args.rounds):
                together.wait()
                rates.append(rate_of(case.run, units))
            best = max(rates)
            row = {"family": name, "kernel": case.kernel, "shape": case.shape}
            out.put(
                {**row, "gflops": 1e-9 * case.operations * best, "gb": 1e-9 * case.bytes * best}
            )
    out.put(None)


def rows_of(
    names: Sequence[str], threads: int, args: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """One row per case: what the threads do together, and the shares of the limits."""
    spawn = multiprocessing.get_context("spawn")
    together, outs = spawn.Barrier(threads), [spawn.Queue() for _ in range(threads)]
    cores = sorted(os.sched_getaffinity(0))[:threads]
    workers = []
    for i, (core, out) in enumerate(zip(cores, outs, strict=True)):
        given = (Part(i, threads), core, ("limits", *names), args, together, out)
        workers.append(spawn.Process(target=serve, args=given, daemon=True))
        workers[-1].start()
    limits = {"gflops": 0.0, "gb": 0.0}
    while None not in (parts := [out.get() for out in outs]):
        row = {**parts[0], "threads": threads}
        row |= {unit: sum(part[unit] for part in parts) for unit in limits}
        if row["family"] == "limits":
            limits = {unit: max(limit, row[unit]) for unit, limit in limits.items()}
        yield row | {f"share_{unit}": row[unit] / limits[unit] for unit in limits if limits[unit]}
    for worker in workers:
        worker.join()


def line_of(row: dict[str, Any]) -> str:
    unit, label = ("gflops", "GFLOP/s") if row["gflops"] else ("gb", "GB/s")
    speed = f"{row[unit]:8.1f} {label:<8} {row['share_' + unit]:4.0%}"
    return f"{row['kernel']:<26} {row['shape']:<26} {row['threads']} {speed}"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.kernels",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="*", help=f"of {' '.join(FAMILIES)}; all by default")
    parser.add_argument("--threads", default="1,2", help="thread counts, as 1,2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.05, help="length of one round")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result file")
    args = parser.parse_args()
    if unknown := set(args.name) - set(FAMILIES):
        parser.error(f"name: expected some of {', '.join(FAMILIES)}, got {', '.join(unknown)}")
    os.environ.update(ALLOCATION)
    origin, rows = describe(), []
    for threads in map(int, args.threads.split(",")):
        for row in rows_of(args.name or FAMILIES, threads, args):
            print(line_of(row), flush=True)
            rows.append(row)
    if not args.name:
        args.out.mkdir(parents=True, exist_ok=True)
        result = {**origin, "rounds": args.rounds, "seconds": args.seconds, "rows": rows}
        (args.out / "kernels.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
