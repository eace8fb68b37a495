"""Calls of every function, with the arguments that get a gradient."""

import importlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastnn._core", reason="the core is not built")
F = importlib.import_module("fastnn.functional")

ELEMENTWISE = ["relu", "leaky_relu", "elu", "gelu", "sigmoid", "tanh", "softplus"]
random = np.random.default_rng(7)


def normal(*shape):
    return random.normal(size=shape)


def distributions(*shape):
    y = random.uniform(size=shape)
    return y / y.sum(axis=-1, keepdims=True)


# Whose gradients take all arguments but the last one.
WITHOUT_BIAS = {"linear", "conv2d", "conv1d", "batch_norm", "layer_norm"}


@dataclass
class Case:
    """Arguments of a function; `wanted` are the places of those that get a gradient."""

    name: str
    arguments: tuple[Any, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    wanted: tuple[int, ...] = (0,)

    def __str__(self):
        return "-".join([self.name, *map(str, self.settings.values())])

    @property
    def is_loss(self):
        return self.name.endswith(("_loss", "kl_div")) or "cross_entropy" in self.name

    def arrays(self, dtype):
        """Return the arguments, numbers as `dtype`."""
        return [
            given.astype(dtype) if getattr(given, "dtype", None) == np.float64 else given
            for given in self.arguments
        ]

    def forward(self, *arguments):
        return getattr(F, self.name)(*arguments, **self.settings)

    def backward(self, dy, *arguments):
        """Return the gradients of the wanted arguments, tables as dense arrays."""
        function = getattr(F, self.name + "_backward")
        given = [x for x in arguments if x is not None]
        if self.name in WITHOUT_BIAS:
            given = list(arguments[:-1])
        if self.is_loss:
            return [function(*given, **self.settings)]
        if self.name == "dropout":
            return [function(dy, *given[1:], **self.settings)]
        found = function(dy, *given, **self.settings)
        if isinstance(found, F.RowGradient):
            return [found.to_dense(len(arguments[1]))]
        if self.name == "embedding_bag":
            return [found[0].to_dense(len(arguments[1]))]
        return list(found[: len(self.wanted)]) if isinstance(found, tuple) else [found]


BAGS = random.integers(0, 6, (5, 3))
LABELS = np.array([0, 2, 3, 3, 1])
TRAINING = {"training": True, "eps": 0.01}
MASK_OF = {"seed": 9, "step": 4, "node": 1}
CONVOLUTIONS: list[tuple[dict[str, Any], int]] = [
    ({"padding": "same"}, 1),
    ({"padding": (2, 1), "stride": (2, 3)}, 1),
    ({"dilation": (1, 2), "groups": 2, "padding": 1}, 2),
    ({"groups": 4, "stride": 2, "padding": "same"}, 4),
]
CASES = [
    Case("linear", (normal(5, 3), normal(3, 4), normal(4)), wanted=(0, 1, 2)),
    Case("linear", (normal(2, 5, 3), normal(3, 4), None), wanted=(0, 1)),
    Case("linear", (normal(3), normal(3, 4), normal(4)), wanted=(0, 1, 2)),
    *(Case(name, (3 * normal(4, 9),)) for name in ELEMENTWISE),
    Case("softmax", (normal(4, 5),)),
    Case("softmax", (normal(2, 4, 5),), {"dim": 1}),
    Case("log_softmax", (normal(4, 5),)),
    Case("log_softmax", (normal(3, 4),), {"dim": 0}),
    Case("dropout", (normal(6, 2, 3), 0.4), MASK_OF),
    Case("embedding", (BAGS, normal(6, 4)), wanted=(1,)),
    Case("embedding", (BAGS, normal(6, 4)), {"padding_idx": int(BAGS[0, 0])}, wanted=(1,)),
    *(
        Case("embedding_bag", (BAGS, normal(6, 4)), {"mode": mode, **padding}, wanted=(1,))
        for mode in ("sum", "mean", "sqrtn", "max")
        for padding in ({}, {"padding_idx": int(BAGS[0, 0])})
    ),
    *(
        Case(name, (2 * normal(5, 3), target), {"reduction": reduction})
        for name, target in [
            ("mse_loss", normal(5, 3)),
            ("l1_loss", normal(5, 3)),
            ("huber_loss", normal(5, 3)),
            ("binary_cross_entropy_with_logits", random.uniform(size=(5, 3))),
            ("kl_div", distributions(5, 3)),
        ]
        for reduction in ("mean", "sum", "none")
    ),
    Case("huber_loss", (2 * normal(7), normal(7)), {"delta": 0.3}),
    Case("binary_cross_entropy_with_logits", (normal(7), np.ones(7), distributions(7))),
    Case("kl_div", (normal(5, 3), distributions(5, 3)), {"reduction": "batchmean"}),
    Case("kl_div", (normal(5, 3), normal(5, 3)), {"log_target": True}),
    *(
        Case(name, (normal(5, 4), LABELS, *weight), {"reduction": reduction})
        for name in ("cross_entropy", "nll_loss")
        for reduction in ("mean", "sum", "none")
        for weight in [(), (np.array([0.5, 2.0, 0.0, 1.5]),)]
    ),
    Case("conv2d", (normal(2, 5, 4, 3), normal(3, 2, 3, 4), normal(4)), wanted=(0, 1, 2)),
    *(
        Case("conv2d", (normal(2, 6, 7, 4), normal(3, 3, 4 // groups, 4), None), settings, (0, 1))
        for settings, groups in CONVOLUTIONS
    ),
    Case("conv1d", (normal(2, 9, 3), normal(4, 3, 2), normal(2)), wanted=(0, 1, 2)),
    Case(
        "conv1d",
        (normal(3, 8, 4), normal(3, 2, 6), normal(6)),
        {"stride": 2, "padding": 2, "dilation": 2, "groups": 2},
        (0, 1, 2),
    ),
    *(
        Case(name, (normal(2, 6, 7, 3),), settings)
        for name in ("max_pool2d", "avg_pool2d")
        for settings in (
            {"kernel_size": 2},
            {"kernel_size": (3, 2), "stride": (2, 1)},
            {"kernel_size": 3, "stride": 2, "padding": 1},
            {"kernel_size": 3, "stride": 2, "padding": "same"},
        )
    ),
    Case(
        "avg_pool2d",
        (normal(2, 6, 7, 3),),
        {"kernel_size": (3, 4), "padding": (1, 2), "count_include_pad": False},
    ),
    Case("batch_norm", (normal(9, 3), None, None, normal(3), normal(3)), TRAINING, (0, 3, 4)),
    Case("batch_norm", (normal(2, 3, 2, 5), None, None, None, None), TRAINING),
    Case(
        "batch_norm",
        (normal(2, 3, 4), normal(4), distributions(4), normal(4), normal(4)),
        wanted=(0, 3, 4),
    ),
    Case("layer_norm", (normal(3, 4, 5), (5,), normal(5), normal(5)), wanted=(0, 2, 3)),
    Case("layer_norm", (normal(3, 4, 5), (4, 5), None, None), {"eps": 0.1}),
]
