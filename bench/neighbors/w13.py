"""W13: the best 10 and 100 of a catalogue of 64 numbers an item, what each user has seen left out.

Beside NumPy (products of blocks, argpartition, sort) and, where it is installed, implicit's own
search, which its models' recommend() calls. All see the same vectors, in float32.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from fastnn import neighbors
from scipy import sparse

from bench.contest import OURS, Contest
from bench.timing import Side

WIDTH, SEEN, NUMPY_BYTES = 64, 100, 32e6
CASES = ((1_000_000, 256, 10), (1_000_000, 256, 100), (100_000, 2048, 10), (10_000, 8192, 10))


@dataclass(frozen=True, eq=False)
class Search:
    """A slice of users against a catalogue."""

    users: Any
    items: Any
    seen: Any
    k: int
    threads: int

    def ours(self) -> Any:
        return neighbors.top_k(
            self.users, self.items, self.k, exclude=self.seen, n_jobs=self.threads
        )[1]

    def numpy(self) -> Any:
        """Return the best scores, a block of users at a time that keeps the scores in 32 MB."""
        step = max(1, int(NUMPY_BYTES / self.items.nbytes * WIDTH))
        best = []
        for first in range(0, len(self.users), step):
            scores = self.users[first : first + step] @ self.items.T
            seen = self.seen[first : first + step]
            scores[np.repeat(np.arange(len(scores)), np.diff(seen.indptr)), seen.indices] = -np.inf
            top = np.argpartition(scores, -self.k, axis=1)[:, -self.k :]
            best.append(-np.sort(-np.take_along_axis(scores, top, axis=1), axis=1))
        return np.concatenate(best)

    def implicit(self) -> Any:
        from implicit.cpu.topk import topk

        return topk(
            self.items,
            self.users,
            self.k,
            filter_query_items=self.seen,
            num_threads=self.threads,
        )[1]


def case(n_items: int, n_users: int, k: int, threads: int) -> Search:
    random = np.random.default_rng(0)
    users = random.normal(size=(n_users, WIDTH)).astype(np.float32)
    items = random.normal(size=(n_items, WIDTH)).astype(np.float32)
    seen = random.integers(0, n_items, (n_users, min(SEEN, n_items // 2)))
    rows = np.repeat(np.arange(n_users), seen.shape[1])
    ones = np.ones(seen.size, np.float32)
    matrix = sparse.csr_matrix((ones, (rows, seen.ravel())), (n_users, n_items))
    return Search(users, items, matrix, k, threads)


def side(name: str, search: Search, work: Any) -> Side:
    """Answers all users in a call."""

    def run(calls: int) -> int:
        for _ in range(calls):
            work()
        return calls * len(search.users)

    return Side(name, run, work, operations=2 * search.items.size)


def contests(
    found: list[ModuleType], threads: int, data: Path | None, scale: float = 1.0
) -> Iterator[Contest]:
    del found, data
    for n_items, n_users, k in CASES:
        n_items, n_users = round(n_items * scale), max(4, round(n_users * scale))
        search = case(n_items, n_users, k, threads)
        sides = [side(f"{OURS} top_k", search, search.ours), side("numpy", search, search.numpy)]
        if importlib.util.find_spec("implicit") is not None:
            sides.append(side("implicit", search, search.implicit))
        yield Contest(f"top {k} of {n_items:,} items", sides, 1e-4)
