"""Times fastnn against its peers: a process per workload and thread count, sides interleaved.

examples:
  python -m bench                          every workload, 1 and 2 threads, every installed peer
  python -m bench w2 --threads 2           one workload, two threads
  python -m bench w1 w5 --peer torch       against PyTorch alone
  python -m bench.report                   the results as a Markdown table
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.contest import PEERS, WORKLOADS
from bench.machine import ALLOCATION, ALLOCATION_OF_TABLES, describe
from bench.report import line_of

RESULTS = Path(__file__).parent / "results"
WITHOUT_THREADS = {"w11"}  # one thread count tells all
TABLES = {"w6", "w9"}  # workloads of gigabytes
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def child(
    module: str, arguments: list[str], threads: int, allocation: Mapping[str, str] = ALLOCATION
) -> Iterator[dict[str, Any]]:
    """Run a module in a process of `threads` threads and cores; yield the JSON it prints."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    variables = {**allocation} | dict.fromkeys(THREAD_VARIABLES, str(threads))
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        sys.exit(f"{module} {' '.join(arguments)}: exit status {process.returncode}")


def measure(workload: str, args: argparse.Namespace) -> None:
    """Run one workload at every thread count; print its rows and write its result file."""
    origin, rows = describe(), []
    for threads in args.threads[: 1 if workload in WITHOUT_THREADS else None]:
        arguments = [workload, str(threads), "--peer", ",".join(args.peer)]
        arguments += ["--rounds", str(args.rounds), "--seconds", str(args.seconds)]
        if args.data:
            arguments += ["--data", str(args.data)]
        allocation = ALLOCATION_OF_TABLES if workload in TABLES else ALLOCATION
        for row in child("bench.contest", arguments, threads, allocation):
            if "gflops" in row:
                row["share"] = row["gflops"] / args.limits[threads]["fma_gflops"]
            print(line_of(row), flush=True)
            rows.append(row)
    result = {**origin, "limits": args.limits, "data": "stored" if args.data else "synthetic"}
    result |= {"rounds": args.rounds, "seconds": args.seconds, "rows": rows}
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / f"{workload}.json").write_text(json.dumps(result, indent=1) + "\n")


def words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="*", help=f"workloads: {' '.join(WORKLOADS)}; all by default")
    parser.add_argument(
        "--peer", type=words, default=PEERS, help=f"of {','.join(PEERS)}; '' for none"
    )
    parser.add_argument("--threads", type=numbers, default=[1, 2], help="thread counts, as 1,2")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of every side")
    parser.add_argument("--seconds", type=float, default=0.3, help="length of one round of a side")
    parser.add_argument(
        "--data", type=Path, help="folder of real data sets (mnist/, california_housing/)"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result files")
    args = parser.parse_args()
    for names, choices in ((args.name, WORKLOADS), (args.peer, PEERS)):
        unknown = sorted(set(names) - set(choices))
        if unknown:
            parser.error(f"expected names of {', '.join(choices)}, got {', '.join(unknown)}")
    args.limits = {n: next(child("bench.machine", [], n)) for n in args.threads}
    for workload in args.name or WORKLOADS:
        measure(workload, args)


if __name__ == "__main__":
    main()
