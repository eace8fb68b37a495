"""What every source keeps: sizes, no paths of one machine, exact arithmetic, the tools' rules."""

import re
import shutil
import subprocess

import fastnn
import pytest

from bench.size import ROOT, over_budget, sources

TEXTS = {".py", ".pyi", ".h", ".cpp", ".md", ".toml", ".txt", ".yaml", ".json", ""}
TEXTS |= {".js", ".css", ".html", ".svg"}


def texts():
    """Return the project's own text files, wherever they lie."""
    folders = [ROOT / name for name in ("csrc", "python", "tests", "bench", "docs", ".ci")]
    paths = [path for folder in folders for path in folder.rglob("*")]
    paths += ROOT.glob("*")
    inside = (path for path in paths if "__pycache__" not in path.parts)
    return [path for path in inside if path.is_file() and path.suffix in TEXTS]


def test_files_and_functions_keep_their_budgets():
    assert over_budget() == []


def test_public_names_are_few():
    assert len(getattr(fastnn, "__all__", [])) <= 40


def test_no_path_of_one_machine():
    machine = re.compile(r"(?<![\w.])/(?:home|root|work|Users|mnt|workspace)/\w")
    found = [path for path in texts() if machine.search(path.read_text())]
    assert found == []


def test_arithmetic_is_exact():
    flags = re.compile("-ffast-math|-Ofast|-funsafe-math|-march=native|-mtune=native")
    paths = [ROOT / "CMakeLists.txt", ROOT / "pyproject.toml", *sources("csrc")]
    assert [path for path in paths if flags.search(path.read_text())] == []


TOOLS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy"],
    "clang-format": ["clang-format", "--dry-run", "-Werror", *map(str, sources("csrc"))],
}


@pytest.mark.parametrize("tool", TOOLS)
def test_tool_is_content(tool):
    command = TOOLS[tool]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
