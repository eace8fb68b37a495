"""What a result is worth nothing without: machine, versions, date, and the machine's limits."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from bench.timing import fastest

PACKAGES = ("fastnn", "numpy", "torch", "jax", "jaxlib", "scikit-learn", "onnxruntime")


def processor() -> dict[str, str]:
    """Model name and the widest instruction set fastnn has kernels for."""
    fields: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = set(fields.get("flags", "").split())
    isa = "avx512" if "avx512f" in flags else "avx2" if {"avx2", "fma"} <= flags else "baseline"
    family = "/".join(fields.get(key, "?") for key in ("cpu family", "model"))
    return {"cpu": fields.get("model name", platform.machine()), "family": family, "isa": isa}


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
    """GFLOP/s of a large float32 product and GB/s of a copy beyond the caches, with NumPy."""
    size = 2048
    a = np.random.default_rng(0).random((size, size), dtype=np.float32)
    product = np.empty_like(a)
    source = np.ones(2**26, np.float32)
    target = np.empty_like(source)
    return {
        "sgemm_gflops": 2e-9 * size**3 / fastest(lambda: np.matmul(a, a, out=product)),
        "copy_gb_per_second": 2e-9 * source.nbytes / fastest(lambda: np.copyto(target, source)),
    }


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(json.dumps(limits()))


if __name__ == "__main__":
    main()
