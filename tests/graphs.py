"""What the cases are made of: layers one by one, graphs, and whole models to train."""

from dataclasses import dataclass, field
from typing import Any

from fastnn.graph import Node, Spec

VOCABULARY = 11
ELEMENTWISE = ("identity", "relu", "leaky_relu", "elu", "sigmoid", "tanh", "softplus")
MOMENTUM = Spec("sgd", {"momentum": 0.9})


@dataclass(frozen=True)
class Layer:
    """A layer of one kind, and the row shapes of its inputs.

    An input of shape ("ids", ...) holds ids below VOCABULARY, one of ("positive", ...) weights.
    """

    name: str
    kind: str
    shapes: tuple[tuple[Any, ...], ...]
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A model, what it is trained for, and how: enough to run it on any engine."""

    name: str
    nodes: list[Node]
    outputs: list[int]
    losses: list[Spec]
    optimizer: Spec = MOMENTUM
    loss_weights: list[float] = field(default_factory=lambda: [1.0])
    metrics: list[list[str]] = field(default_factory=lambda: [[]])
    weighted: bool = False
    rate: float = 0.05
    n_rows: int = 27
    batch_size: int = 8

    def __str__(self):
        return self.name


class Graph:
    """Nodes in the order they are added; `add` returns a node's position."""

    def __init__(self):
        self.nodes = []

    def add(self, kind, *inputs, **config):
        self.nodes.append(Node(kind, f"{kind}_{len(self.nodes)}", tuple(inputs), config))
        return len(self.nodes) - 1

    def ids(self, *shape, vocabulary=VOCABULARY):
        return self.add("input", shape=shape, dtype="ids", vocabulary=vocabulary)

    def floats(self, *shape):
        return self.add("input", shape=shape, dtype="float")

    def case(self, name, outputs, losses=("mean_squared_error",), **settings):
        losses = [Spec(loss) if isinstance(loss, str) else loss for loss in losses]
        return Case(name, self.nodes, list(outputs), losses, **settings)
