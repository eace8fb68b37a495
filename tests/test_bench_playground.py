"""The bench of the playground: a moment of it, and its table."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench import playground, report

ROOT = Path(__file__).parents[1]
SHORT = """
import sys
from bench import playground
playground.LOADS, playground.SECONDS, playground.SLIDES = 1, 0.3, 1
playground.main(["--out", sys.argv[1]])
"""


def test_every_figure_is_measured_and_kept(tmp_path):
    if shutil.which("chromium") is None or importlib.util.find_spec("playwright") is None:
        pytest.skip("needs Debian's chromium and playwright")
    command = [sys.executable, "-c", SHORT, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    result = json.loads((tmp_path / "playground.json").read_text())
    assert len(result["rows"]) == 9
    assert all(row["value"] > 0 for row in result["rows"])
    assert result["versions"].keys() == {"fastnn", "numpy", "Chromium"}
    text = report.quality(tmp_path, "playground")
    assert text.startswith("| figure | reached | target | measured |\n| --- | --- | --- | --- |\n")
    assert "| training, steps/s |" in text


def test_an_unknown_figure_lists_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        playground.main(["speed"])
    assert "name: expected some of training, page, got speed" in capsys.readouterr().err
