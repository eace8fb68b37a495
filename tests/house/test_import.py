"""`import fastnn` is light: numpy and a little of our own, whatever else is installed."""

import subprocess
import sys

import fastnn

HEAVY = {"sklearn", "scipy", "tqdm", "narwhals", "pandas", "matplotlib", "safetensors", "joblib"}


def python(script):
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_every_public_name_is_there():
    assert [name for name in fastnn.__all__ if not hasattr(fastnn, name)] == []


def test_import_is_lazy():
    loaded = python("import fastnn, sys; print(*{name.split('.')[0] for name in sys.modules})")
    assert not HEAVY & set(loaded.split())


def test_import_takes_little_more_time_than_numpy():
    script = "from time import process_time as now; start = now(); import {}; print(now() - start)"
    ours, numpy = (
        min(float(python(script.format(name))) for _ in range(5)) for name in ("fastnn", "numpy")
    )
    assert ours - numpy <= 0.08
