"""Whole models on every instruction set that the machine has; a set is chosen once a process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

core = pytest.importorskip("fastnn._core", reason="the core is not built")

ROOT = Path(__file__).parents[2]
OTHERS = [name for name in core.instruction_sets() if name != core.instruction_set()]


def run_tests(name, *arguments):
    """Run tests of the core in a process that uses one instruction set."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "FASTNN_ISA": name}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", OTHERS)
def test_some_models_match_the_reference(name):
    paths = "tests/nn/test_core_matches_reference.py", "tests/nn/test_bf16.py"
    trained = "twenty_steps and (wide or adamw or padded or loss and features)"
    chosen = f"{trained} or gradients_are and (wide or conv1d)"
    done = run_tests(name, *paths, "-k", chosen)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_everything_matches_the_reference(name):
    done = run_tests(name, "tests/nn", "--deselect", "tests/nn/test_instruction_sets.py")
    assert done.returncode == 0, done.stdout


def test_unknown_instruction_set_says_which():
    command = [sys.executable, "-c", "from fastnn import _core; _core.instruction_set()"]
    environment = {**os.environ, "FASTNN_ISA": "avx3"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "FASTNN_ISA: expected one of" in done.stderr
    assert "got avx3" in done.stderr
