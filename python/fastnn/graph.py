"""The graph an engine takes: nodes in the order of evaluation, and specs of losses and optimizers.

A description (layers.py) is lowered to nodes by `lower`; `docs/design.md` lists every kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Setting = float | int | str | tuple[int, ...]


@dataclass(frozen=True)
class Spec:
    """A loss or an optimizer as an engine takes it: its kind and settings."""

    kind: str
    config: Mapping[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True)
class Node:
    """One operation of a graph; `inputs` are positions of earlier nodes."""

    kind: str
    name: str
    inputs: tuple[int, ...] = ()
    config: Mapping[str, Setting] = field(default_factory=dict)
