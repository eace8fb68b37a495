"""W11: a fresh interpreter imports the package; megabytes of its wheel, packed and unpacked."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from bench.contest import OURS, Contest
from bench.timing import Side

ROOT = Path(__file__).parents[2]


def importing(name: str, statement: str) -> Side:
    """Starts an interpreter per call."""
    command = [sys.executable, "-c", statement]

    def run(calls: int) -> int:
        for _ in range(calls):
            subprocess.run(command, check=True)
        return calls

    return Side(name, run, lambda: np.ones(run(1)))


def sizes() -> dict[str, float]:
    """Megabytes of a wheel built from this tree, packed and unpacked."""
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "-q", "-w", folder]
        subprocess.run([*build, "--no-build-isolation"], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            installed = sum(entry.file_size for entry in archive.infolist())
        return {"wheel MB": wheel.stat().st_size / 1e6, "installed MB": installed / 1e6}


def contests(
    found: list[ModuleType], threads: int, data: Path | None, scale: float = 1.0
) -> Iterator[Contest]:
    del threads, data
    names = [module.__name__.rsplit(".", 1)[-1].rstrip("_") for module in found]
    peers = [name for name in names if name != "ours"]
    statements = {"python alone": "", "import fastnn": "import fastnn"}
    # The package imports its parts when they are used: this is what a program pays.
    statements[f"{OURS} Model"] = "from fastnn import Model, _core, layers"
    statements |= {f"import {name}": f"import {name}" for name in ("numpy", *peers)}
    sides = [importing(name, statement) for name, statement in statements.items()]
    yield Contest("import", sides, figures=sizes() if scale == 1 else {})
