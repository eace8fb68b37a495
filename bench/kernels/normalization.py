"""The passes of batch and layer normalisation over rows beyond the caches."""

from __future__ import annotations

from collections.abc import Iterator

from fastnn import _core

from bench.kernels.case import ISA, Case, Part, calls, uniform, zeros

ROWS, CHANNELS = 256 * 32 * 32, 64


def cases(part: Part) -> Iterator[Case]:
    kernels, rows = _core.kernels, part.size(ROWS)
    x, dy, out = uniform(rows, CHANNELS), uniform(rows, CHANNELS), zeros(rows, CHANNELS)
    a, b, mean, inverse = (uniform(CHANNELS) for _ in range(4))
    _, kept = kernels.layer_norm_forward(ISA, x, a, b, 1e-3)
    passes = {
        "column_moments": (1, (x,)),
        "scale_columns": (3, (x, a, b, out, "relu")),
        "batch_norm_sums": (2, (x, dy, mean, inverse)),
        "batch_norm_backward": (4, (x, dy, mean, inverse, a, b, a, out)),
        "layer_norm_forward": (3, (x, a, b, 1e-3)),
        "layer_norm_backward": (4, (x, dy, a, kept)),
        "layer_norm_gamma": (2, (x, dy, kept)),
    }
    for name, (arrays, arguments) in passes.items():
        run = calls(getattr(kernels, name), *arguments)
        yield Case(name, f"{ROWS} x {CHANNELS}", run, bytes=float(arrays * x.nbytes))
