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
import json
import os
from pathlib import Path
from typing import Any

from bench.kernels.measure import rows_of
from bench.machine import ALLOCATION, describe

RESULTS = Path(__file__).parents[1] / "results"
FAMILIES = (
    *("dense", "conv", "winograd", "pooling", "normalization"),
    *("update", "embedding", "activations"),
)


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
        for row in rows_of(args.name or FAMILIES, threads, args.rounds, args.seconds):
            print(line_of(row), flush=True)
            rows.append(row)
    if not args.name:
        args.out.mkdir(parents=True, exist_ok=True)
        result = {**origin, "rounds": args.rounds, "seconds": args.seconds, "rows": rows}
        (args.out / "kernels.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
