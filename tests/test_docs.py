"""Everything shown runs: the examples in docstrings, in the README and in docs/."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import fastnn
import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def public_modules():
    found = pkgutil.walk_packages(fastnn.__path__, "fastnn.")
    names = (module.name for module in found)
    return ["fastnn", *(name for name in names if "._" not in name)]


@pytest.mark.parametrize("name", public_modules())
def test_docstring_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_examples_run(page, tmp_path, monkeypatch):
    """The blocks of a page run one after another, as a reader would paste them."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    text = page.read_text()
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1))
        code = compile("\n" * line + block[1], page, "exec")
        exec(code, names)
