"""The binary form of a frame, as docs/playground.md has it."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAGIC, VERSION = b"FNNF", 1
HEADER = struct.Struct("<4sHHIQ3f")
SECTION = struct.Struct("<HHI4I")
RUNNING, DIVERGED, WAITING = 1, 2, 4
STATE, BOUNDARY, NEURONS, EDGES, CURVE = range(1, 6)
UINT8, FLOAT32, TEXT = range(3)


class Section(NamedTuple):
    """An array of uint8 or float32; `shape` may differ from the array's, to hold more."""

    kind: int
    array: NDArray[Any]
    shape: tuple[int, ...]


class Head(NamedTuple):
    """The numbers at the front of a frame."""

    flags: int
    step: int
    loss: float
    validation: float
    speed: float


def encode(head: Head, state: Mapping[str, Any], sections: Iterable[Section]) -> bytes:
    """Return a frame; numbers of the state that are not finite become null."""
    parts = [_section(STATE, TEXT, json.dumps(_finite(state)).encode(), ())]
    for kind, array, shape in sections:
        code = UINT8 if array.dtype == np.uint8 else FLOAT32
        parts.append(_section(kind, code, array.tobytes(), shape))
    with np.errstate(over="ignore"):
        losses = (float(np.float32(head.loss)), float(np.float32(head.validation)))
    front = HEADER.pack(MAGIC, VERSION, len(parts), head.flags, head.step, *losses, head.speed)
    return b"".join([front, *parts])


def _section(kind: int, code: int, data: bytes, shape: tuple[int, ...]) -> bytes:
    sizes = (*shape, 0, 0, 0, 0)[:4]
    return SECTION.pack(kind, code, len(data), *sizes) + data + b"\0" * (-len(data) % 8)


def _finite(value: Any) -> Any:
    """Return a value with null for every number that JSON cannot say."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
