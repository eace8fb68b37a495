"""How many threads training and prediction may use; results never depend on it."""

from __future__ import annotations

import os

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
    _limit = None if n is None else check.integer("n", n, 1)


def get_num_threads() -> int:
    """Return how many threads models use by default.

    That is the number set by `set_num_threads`, else the cores this process may run on, at most
    ``OMP_NUM_THREADS`` if the environment says so.

    Examples
    --------
    >>> get_num_threads() >= 1
    True
    """
    if _limit is not None:
        return _limit
    granted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    cores = _cores()
    return max(1, min(cores, int(granted))) if granted.isdecimal() else cores


def resolve(n_jobs: int | None) -> int:
    """Return the threads for `n_jobs`: None the default, -1 all cores, -2 all but one..."""
    if n_jobs is None:
        return get_num_threads()
    found = check.integer("n_jobs", n_jobs, -(2**31))
    if found == 0:
        raise check.wrong_value("n_jobs", "None or an integer other than 0", found)
    return found if found > 0 else max(1, _cores() + 1 + found)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
