"""What a result is worth nothing without: machine, versions, date, and the machine's limits."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from fastnn import _core

from bench.timing import fastest

# Freed memory is handed out again with its pages in place: PyTorch trains W3 a quarter faster, and
# a kernel's new result costs what its stores cost.
ALLOCATION = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_ARENA_MAX": "1",
}
# Where tables of gigabytes come and go, arrays of 32 MiB and more are mapped and given back.
ALLOCATION_OF_TABLES = {
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_ARENA_MAX": "1",
}
PACKAGES = (
    *("fastnn", "numpy", "torch", "jax", "jaxlib", "keras", "scikit-learn", "onnxruntime"),
    *("scikit-surprise", "implicit", "fbgemm-gpu-cpu"),
)


def processor() -> dict[str, str]:
    """Model name and the widest instruction set fastnn has kernels for."""
    fields: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = set(fields.get("flags", "").split())
    isa = "avx512" if "avx512f" in flags else "avx2" if {"avx2", "fma"} <= flags else "baseline"
    isa += "bf16" if "avx512_bf16" in flags else ""
    family = "/".join(fields.get(key, "?") for key in ("cpu family", "model"))
    return {"cpu": fields.get("model name", platform.machine()), "family": family, "isa": isa}


def multiplies_bf16() -> bool:
    """Whether products of bfloat16 are an instruction; emulated, peers take minutes a step."""
    return processor()["isa"].endswith("bf16")


def versions() -> dict[str, str]:
    """Versions of the packages that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def describe() -> dict[str, Any]:
    """Machine, versions and date, as a result file holds them.

    A load far above the threads of the run says that other work took the cores from the sides.
    """
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": {
            **processor(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            "load": round(os.getloadavg()[0], 1),
            "system": f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver())}",
            "python": platform.python_version(),
        },
        "versions": versions(),
    }


def limits() -> dict[str, float]:
    """GFLOP/s of multiply-adds in registers, on every core at once; GB/s of a copy by NumPy."""
    cores, isa = len(os.sched_getaffinity(0)), _core.instruction_set()

    def multiply_adds(_: int) -> float:
        return _core.kernels.multiply_adds(isa, 3_000_000)[0]

    source = np.ones(2**26, np.float32)
    target = np.empty_like(source)
    with ThreadPoolExecutor(cores) as pool:
        operations = sum(pool.map(multiply_adds, range(cores)))
        seconds = fastest(lambda: list(pool.map(multiply_adds, range(cores))), repeats=9)
    return {
        "fma_gflops": 1e-9 * operations / seconds,
        "copy_gb_per_second": 2e-9 * source.nbytes / fastest(lambda: np.copyto(target, source)),
    }


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(json.dumps(limits()))


if __name__ == "__main__":
    main()
