"""Graphs put together at random: the core computes what the reference computes."""

import math

import numpy as np
import pytest
from fastnn.graph import Spec
from fastnn.reference import Engine

from tests import cases, tolerance

core = pytest.importorskip("fastnn._core", reason="the core is not built")

SETTINGS = {
    "dropout": {"rate": 0.3},
    "gaussian_noise": {"stddev": 0.1},
    "rescaling": {"scale": 0.7, "offset": 0.1},
    "activity_regularization": {"l1": 0.01, "l2": 0.02},
}
KINDS = ("dense", "dense", "activation", "flatten", "reshape", "joined", "joined", *SETTINGS)


class RandomGraph:
    """A graph that grows by nodes drawn from a seed; `shapes` holds values by position."""

    def __init__(self, seed, widest=40):
        self.random = np.random.default_rng(seed)
        self.graph, self.shapes, self.widest = cases.Graph(), {}, widest

    def size(self, low, high):
        return int(self.random.integers(low, high + 1))

    def choice(self, options):
        return options[self.size(0, len(options) - 1)]

    def add(self, row_shape, kind, *inputs, **config):
        position = self.graph.add(kind, *inputs, **config)
        self.shapes[position] = row_shape
        return position

    def add_source(self):
        """Numbers of any rank, or ids with a table or a bag over them."""
        if self.choice((True, False)):
            shape = tuple(self.size(1, 6) for _ in range(self.size(1, 3)))
            return self.add(shape, "input", shape=shape, dtype="float")
        k, d = self.size(1, 4), self.size(1, 20)
        ids = self.graph.ids(k)
        table = {
            "input_dim": cases.VOCABULARY,
            "output_dim": d,
            "sparse_update": self.choice(("touched", "dense")),
            "embeddings_l1": self.choice((0.0, 0.01)),
            "embeddings_l2": self.choice((0.0, 0.01)),
            "trainable": self.choice((1, 1, 0)),
        }
        if self.choice((True, False)):
            return self.add((k, d), "embedding", ids, **table)
        mode, padding = self.choice(("sum", "mean", "sqrtn", "max")), self.size(-1, 3)
        return self.add((d,), "embedding_bag", ids, mode=mode, padding_idx=padding, **table)

    def add_node(self):
        """One more use of a value."""
        kind, x = self.choice(KINDS), self.choice(list(self.shapes))
        shape = self.shapes[x]
        if kind == "dense":
            return self.add_dense(x, self.choice(cases.ELEMENTWISE), self.size(1, self.widest))
        if kind == "activation":
            name = self.choice((*cases.ELEMENTWISE, "gelu", "softmax"))
            return self.add(shape, kind, x, activation=name)
        if kind == "flatten":
            return self.add((math.prod(shape),), kind, x)
        if kind == "reshape":
            return self.add(shape[::-1], kind, x, shape=shape[::-1])
        if kind == "joined":
            return self.join(x)
        return self.add(shape, kind, x, **SETTINGS[kind])

    def add_dense(self, x, activation, units):
        config = {name: self.choice((0.0, 0.01)) for name in ("kernel_l1", "kernel_l2")}
        config.update(use_bias=self.choice((1, 1, 0)), trainable=self.choice((1, 1, 1, 0)))
        shape = (*self.shapes[x][:-1], units)
        return self.add(shape, "dense", x, units=units, activation=activation, **config)

    def join(self, x):
        """Two or three values of one shape, or side by side; perhaps one of them twice."""
        shape, kind = self.shapes[x], self.choice(("add", "multiply", "dot", "concatenate"))
        beside = kind == "concatenate"
        fits = [
            i for i, s in self.shapes.items() if s == shape or (beside and s[:-1] == shape[:-1])
        ]
        inputs = [x, *(self.choice(fits) for _ in range(1 if kind == "dot" else self.size(1, 2)))]
        if kind == "dot":
            return self.add((*shape[:-1], 1), kind, *inputs)
        if beside:
            width = sum(self.shapes[i][-1] for i in inputs)
            return self.add((*shape[:-1], width), kind, *inputs)
        return self.add(shape, "activation", self.graph.add(kind, *inputs), activation="tanh")

    def add_output(self, x):
        """A dense layer with a loss that fits it, the last activation inside it or apart."""
        logits = self.choice((0, 1))
        name, last, config, metrics = self.choice(
            (
                ("mean_squared_error", "identity", {}, ["mean_absolute_error"]),
                ("mean_absolute_error", "tanh", {}, ["mean_squared_error"]),
                ("huber", "identity", {"delta": 0.5}, []),
                ("binary_crossentropy", "sigmoid", {"from_logits": logits}, ["accuracy"]),
                ("categorical_crossentropy", "softmax", {"from_logits": logits}, ["accuracy"]),
            )
        )
        none = config.get("from_logits") == 1
        apart = last == "softmax" or self.choice((False, True))
        y = self.add_dense(x, "identity" if none or apart else last, self.size(1, 6))
        if apart and not none:
            y = self.add(self.shapes[y], "activation", y, activation=last)
        return y, Spec(name, config), metrics

    def case(self, name, most_rows=70, most_in_batch=40):
        """Grow the graph, join its loose ends, and choose how to train it."""
        for _ in range(self.size(1, 3)):
            self.add_source()
        for _ in range(self.size(2, 12)):
            self.add_node()
        used = {i for node in self.graph.nodes for i in node.inputs}
        ends = [x for x in self.shapes if x not in used]
        flat = [self.add((math.prod(self.shapes[x]),), "flatten", x) for x in ends]
        x = self.add((sum(self.shapes[i][0] for i in flat),), "concatenate", *flat)
        heads = [self.add_output(x) for _ in range(self.size(1, 2))]
        outputs, losses, metrics = (list(column) for column in zip(*heads, strict=True))
        rule = self.choice(list(cases.OPTIMIZERS.values()))
        if rule.kind == "ftrl":  # forgets initial weights at any gradient but zero, however small
            rule = cases.OPTIMIZERS["sgd"]
        if rule.kind != "sgd":  # smooth where gradients are next to nothing
            rule = Spec(rule.kind, {**rule.config, "epsilon": 1e-2})
        return self.graph.case(
            name, outputs, losses, optimizer=rule, metrics=metrics, rate=0.02,
            loss_weights=[self.choice((1.0, 0.5)) for _ in heads],
            weighted=self.choice((False, True)), n_rows=self.size(1, most_rows),
            batch_size=self.size(1, most_in_batch),
        )  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_eight_steps_of_a_random_graph(seed):
    case = RandomGraph(seed).case(f"random {seed}")
    allowed = tolerance.steps("float64", 8)
    engine, twin = (cases.compiled(made, case) for made in (core.Engine, Engine))
    found, expected = (cases.train(e, case, 8) for e in (engine, twin))
    assert [r["loss"] for r in found] == pytest.approx([r["loss"] for r in expected], rel=1e-9)
    for name, _ in twin.parameters():
        assert tolerance.close(engine.get(name), twin.get(name), allowed), name
    inputs, targets, weights = cases.data(case)
    for y, z in zip(engine.predict(inputs, 64, 1), twin.predict(inputs, 64), strict=True):
        assert tolerance.close(y, z, allowed)
    loss = engine.evaluate(inputs, targets, weights, 64, 1)["loss"]
    assert loss == pytest.approx(twin.evaluate(inputs, targets, weights, 64)["loss"], rel=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_threads_change_no_bit_of_a_random_graph(seed):
    case = RandomGraph(seed, widest=300).case(f"large {seed}", 900, 400)
    engines = [cases.compiled(core.Engine, case, "float32") for _ in range(3)]
    for engine, threads in zip(engines, (1, 2, 5), strict=True):
        cases.train(engine, case, 4, threads, "float32")
    for name, _ in engines[0].parameters():
        first, *others = (engine.get(name) for engine in engines)
        assert all(np.array_equal(first, w, equal_nan=True) for w in others), name
