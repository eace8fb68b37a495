"""How many threads training and prediction may use; results never depend on it."""

from __future__ import annotations

import os
from typing import Any

from fastnn import check

__all__ = ["get_num_threads", "resolve", "set_num_threads"]

_limit: int | None = None


def set_num_threads(n: int | None) -> None:
    """Set how many threads models use by default in this process.

    Parameters
    ----------
    n : int or None
        >= 1; None goes back to what the environment grants.
    """
    global _limit
    _limit = None if n is None else check.integer("n", n, 1, 2**31 - 1)
    core = _core()
    if core is not None:
        core.set_threads(_limit or 0)


def get_num_threads() -> int:
    """Return how many threads models use by default.

    That is the number set by `set_num_threads`, else the cores this process may run on, fewer if
    ``OMP_NUM_THREADS``, threadpoolctl or joblib say so, and 1 in a forked process.

    Examples
    --------
    >>> get_num_threads() >= 1
    True
    """
    core = _core()
    if core is not None:
        return int(core.default_threads())
    if _limit is not None:
        return _limit
    granted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return max(1, min(_cores(), int(granted))) if granted.isdecimal() else _cores()


def resolve(n_jobs: int | None) -> int:
    """Return the threads for `n_jobs`: None the engine's default (0), -1 all cores, -2 one less."""
    if n_jobs is None:
        return 0
    found = check.integer("n_jobs", n_jobs, -(2**31), 2**31 - 1)
    if found == 0:
        raise check.wrong_value("n_jobs", "None or an integer other than 0", found)
    return found if found > 0 else max(1, _cores() + 1 + found)


def _core() -> Any:
    """Return the compiled module, None where it is not built."""
    try:
        from fastnn import _core
    except ImportError:
        return None
    return _core


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
