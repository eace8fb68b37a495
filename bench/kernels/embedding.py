"""Rows of tables: gather, sort of ids, sums of gradients per row; 16,384 ids, 64 dimensions.

Rows of a table of a million are picked at random, so a share of the bandwidth of long arrays is
not to be had; the small table stays in the caches.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from fastnn import _core

from bench.kernels.case import ISA, RNG, Case, Part, calls, uniform

TABLES = (6_040, 1_000_000)
WIDTH, IDS = 64, 16_384


def cases(part: Part) -> Iterator[Case]:
    kernels, n = _core.kernels, part.size(IDS)
    dy = uniform(n, WIDTH)
    for v in TABLES:
        ids = RNG.integers(0, v, n).astype(np.int32)
        shape = f"{v} x {WIDTH}, {IDS} ids"
        forward = calls(kernels.embedding_forward, uniform(v, WIDTH), ids)
        yield Case("embedding_forward", shape, forward, bytes=4.0 * n * (3 * WIDTH + 1))
        order, _, starts = kernels.sort_ids(ISA, ids, v)
        yield Case("sort_ids", shape, calls(kernels.sort_ids, ids, v), bytes=4.0 * 7 * n)
        sums = calls(kernels.embedding_sums, starts, order, dy)
        moved = 4.0 * WIDTH * (n + 2 * (len(starts) - 1))
        yield Case("embedding_sums", shape, sums, bytes=moved)
