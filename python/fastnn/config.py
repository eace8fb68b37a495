"""What this installation is: version, instruction set, threads, optional parts."""

from __future__ import annotations

import platform
from importlib.util import find_spec

__all__ = ["show_config"]

_OPTIONAL = ("pandas", "polars", "pyarrow", "matplotlib")


def show_config() -> str:
    """Return lines on this installation, to be printed and put into a report of a problem.

    Examples
    --------
    >>> show_config().splitlines()[0].split()[0]
    'fastnn'
    """
    import numpy as np

    import fastnn

    found = [name for name in _OPTIONAL if find_spec(name) is not None]
    lines = {
        "fastnn": fastnn.__version__,
        "instruction set": _instruction_sets(),
        "threads": str(fastnn.get_num_threads()),
        "python": f"{platform.python_version()}, {platform.machine()}",
        "numpy": np.__version__,
        "optional parts": ", ".join(found) or "none",
    }
    return "\n".join(f"{name:<15}  {value}" for name, value in lines.items())


def _instruction_sets() -> str:
    try:
        from fastnn import _core
    except ImportError:
        return "none (the core is not built)"
    return f"{_core.instruction_set()} of {', '.join(_core.instruction_sets())}"
