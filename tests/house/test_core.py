"""The compiled core: twins in the reference, fresh stubs, kernels without foreign symbols."""

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fastnn import layers, losses, optimizers

from bench.size import ROOT

# What a kernel may call: memory moves, and the C library's exact arithmetic.
CALLABLE = {"memcpy", "memmove", "memset", "memcmp"}
CALLABLE |= {name + suffix for name in ("sqrt", "fma", "log", "cos", "sin") for suffix in ("", "f")}
CALLABLE |= {"_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}
INSTRUCTION_SETS = ("baseline", "avx2", "avx512")


def core():
    return pytest.importorskip("fastnn._core", reason="the core is not built")


@pytest.mark.parametrize(
    ("listing", "module", "table"),
    [
        ("layer_kinds", "layers", "LAYERS"),
        ("activations", "activations", "ACTIVATIONS"),
        ("losses", "losses", "LOSSES"),
        ("sampled_losses", "ranking", "RANKING_LOSSES"),
        ("optimizers", "update", "OPTIMIZERS"),
        ("metrics", "metrics", "METRICS"),
    ],
)
def test_core_and_reference_list_the_same(listing, module, table):
    listed = getattr(core(), listing)()
    twins = getattr(importlib.import_module(f"fastnn.reference.{module}"), table)
    assert sorted(listed) == sorted(twins)


# Kinds of node that no layer of its own describes.
NODES_ONLY = {"input", "activity_regularization"}


def described(module, base):
    classes = [getattr(module, name) for name in module.__all__]
    return [c for c in classes if isinstance(c, type) and issubclass(c, base) and c is not base]


def test_everything_in_the_core_has_a_description():
    kinds = {*core().layer_kinds()} - NODES_ONLY
    assert kinds == {c.stem() for c in described(layers, layers.Layer)}
    kinds = {*core().losses(), *core().sampled_losses()}
    assert {c().spec().kind for c in described(losses, losses.Loss)} == kinds
    found = {c().spec().kind for c in described(optimizers, optimizers.Optimizer)}
    assert found == {*core().optimizers()}
    assert {*layers.ACTIVATIONS} - {"linear"} == {*core().activations()}


def objects():
    """Return the newest object of each kernel source and instruction set."""
    found: dict[tuple[str, str], Path] = {}
    for path in ROOT.glob("build/*/CMakeFiles/kernels_*.dir/csrc/kernels/*.o"):
        key = (path.parts[-4], path.name)
        if key not in found or path.stat().st_mtime > found[key].stat().st_mtime:
            found[key] = path
    return found


def symbols(path):
    """Return (kind, name) of each symbol of an object, as nm prints them."""
    done = subprocess.run(["nm", "-C", str(path)], capture_output=True, text=True, check=True)
    lines = re.findall(r"^[\da-f ]{16} (\w) (.*)$", done.stdout, re.MULTILINE)
    return [(kind, name) for kind, name in lines if not re.match(r"_?_(asan|ubsan|tsan)_", name)]


def test_kernels_hold_and_call_nothing_foreign():
    """A symbol shared by two instruction sets would be linked once: to the wrong machine's code."""
    if shutil.which("nm") is None or not objects():
        pytest.skip("needs nm and the objects under build/")
    foreign = []
    for (folder, name), path in objects().items():
        space = f"fastnn::{folder.removeprefix('kernels_').removesuffix('.dir')}::"
        for kind, symbol in symbols(path):
            own = space in symbol or symbol.split("@")[0] in CALLABLE or kind in "rbdt"
            if not own:
                foreign.append(f"{folder}/{name}: {kind} {symbol}")
    assert foreign == []


def test_stubs_are_fresh(tmp_path):
    core()
    pytest.importorskip("pybind11_stubgen")
    if shutil.which("ruff") is None:
        pytest.skip("needs ruff")
    command = [sys.executable, "-m", "pybind11_stubgen", "fastnn._core", "-o", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    made = sorted((tmp_path / "fastnn" / "_core").iterdir())
    fix = ["ruff", "check", "--fix", "--exit-zero", "--quiet", "--isolated"]
    for tool in (fix, ["ruff", "format", "--quiet", "--isolated", "--line-length=100"]):
        subprocess.run([*tool, *made], check=True)
    kept = ROOT / "python" / "fastnn" / "_core"
    assert [path.name for path in made] == sorted(path.name for path in kept.iterdir())
    for path in made:
        assert path.read_text() == (kept / path.name).read_text()
