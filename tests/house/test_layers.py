"""Who may know whom: include and import lines against the table of docs/design.md."""

import ast
import re
import sys
from pathlib import Path

import fastnn
import pytest

from bench.size import ROOT, sources

# Folders of csrc whose headers a folder may include.
HEADERS = {
    "base": {"base"},
    "kernels": {"kernels"},
    "nn": {"nn", "kernels", "base"},
    "bindings": {"bindings", "nn", "kernels", "base"},
}
KERNEL_SYSTEM_HEADERS = {"cmath", "cstdint", "cstring", "tuple", "type_traits"}
# The masked loads and stores that the compiler's vector types lack, in one file.
INTRINSICS = {"vector.h": {"immintrin.h"}}
# Picks a table at run time, outside the kernels proper: it may use the library and base.
DISPATCH = ROOT / "csrc" / "kernels" / "dispatch.cpp"

DESCRIPTIONS = {
    *("layers", "losses", "optimizers", "schedules", "regularizers", "initializers"),
}
# Modules of fastnn whose imports are limited to those named; the rest may import what they like.
MODULES = {
    **dict.fromkeys(DESCRIPTIONS | {"graph"}, DESCRIPTIONS | {"graph", "description", "check"}),
    "reference": {"reference", "graph"},
    "estimators": DESCRIPTIONS
    | {
        "estimators",
        "model",
        "sequential",
        "callbacks",
        "saving",
        "threads",
        "graph",
        "data",
        "metrics",
        "neighbors",
        "columns",
        "check",
        "files",
    },
    "learn": {"__init__", "learn", "check", *fastnn.__all__},
    "files": set(),
    "check": set(),
    "description": {"check"},
}
USES_CORE = {
    "network",
    "functional",
    "config",
    "threads",
    "catalogue",
    "columns",
    "neighbors",
    "cli",
    "__init__",
}
REQUIRED = {"numpy", "sklearn", "narwhals", "safetensors", "tqdm"}
OPTIONAL = {
    "matplotlib",
    "cupy",
    "marimo",
    "anywidget",
    "traitlets",
    "pyarrow",
    "onnx",
    "usearch",
    "scipy",
    "joblib",
}
OUTSIDE = {module: {"numpy"} for module in MODULES}
OUTSIDE |= {"estimators": REQUIRED | {"scipy"}, "files": {"numpy", "safetensors"}}
# cycler comes with matplotlib
OUTSIDE |= {"learn": REQUIRED | OPTIONAL | {"cycler"}}


def includes(path):
    """Return the project's and the system's headers that a file includes."""
    found = re.findall(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', path.read_text(), re.MULTILINE)
    ours = {name for mark, name in found if mark == '"'}
    return ours, {name for _, name in found} - ours


def imports(path):
    """Return the dotted names that a file of fastnn imports, relative ones resolved."""
    package = ["fastnn", *path.relative_to(ROOT / "python" / "fastnn").parent.parts]
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


def module_of(path):
    """Return the first name below fastnn: layers, reference, estimators and so on."""
    return path.relative_to(ROOT / "python" / "fastnn").with_suffix("").parts[0]


def ours_and_others(path):
    names = [name.split(".") for name in imports(path)]
    ours = {parts[1] if len(parts) > 1 else "__init__" for parts in names if parts[0] == "fastnn"}
    others = {parts[0] for parts in names if parts[0] != "fastnn"}
    return ours, others - set(sys.stdlib_module_names)


def shown(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", sources("csrc"), ids=shown)
def test_a_header_comes_from_a_folder_below(path):
    ours, system = includes(path)
    folder = path.relative_to(ROOT / "csrc").parts[0]
    allowed = HEADERS["bindings" if path == DISPATCH else folder]
    assert {Path(name).parts[0] for name in ours} <= allowed
    if folder == "kernels" and path != DISPATCH:
        assert system <= KERNEL_SYSTEM_HEADERS | INTRINSICS.get(path.name, set())
    if folder != "bindings":
        assert not {name for name in system if re.match("pybind11|Python|numpy", name)}


@pytest.mark.parametrize("path", sources("csrc"), ids=shown)
def test_threads_live_in_one_place(path):
    if path.parent.name != "base" or path.stem != "parallel":
        assert not re.search(
            r"<omp\.h>|#pragma omp parallel|std::thread|pthread_", path.read_text()
        )


@pytest.mark.parametrize("path", sources("python"), ids=shown)
def test_a_module_imports_what_its_place_allows(path):
    module = module_of(path)
    ours, others = ours_and_others(path)
    assert ours <= MODULES.get(module, ours)
    assert "learn" not in ours or module in {"learn", "cli"}
    assert others <= OUTSIDE.get(module, REQUIRED | OPTIONAL | {"pandas", "polars"})
    if module not in USES_CORE:
        assert "_core" not in ours
