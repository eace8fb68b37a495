"""sparse_update="exact": the results of "dense", rows updated when they are needed."""

from dataclasses import replace

import numpy as np
import pytest
from fastnn.graph import Spec
from fastnn.reference import Engine

from tests import tolerance
from tests.cases import Graph

core = pytest.importorskip("fastnn._core", reason="the core is not built")

V, STEPS, BATCH = 60, 1000, 4
ALLOWED = {"float32": 1e-5, "float64": 1e-10}

OPTIMIZERS = {
    "sgd": Spec("sgd", {"weight_decay": 0.05}),
    "sgd momentum": Spec("sgd", {"momentum": 0.9, "weight_decay": 0.05}),
    "sgd nesterov": Spec("sgd", {"momentum": 0.9, "nesterov": 1, "weight_decay": 0.05}),
    "adagrad": Spec("adagrad", {"initial_accumulator_value": 0.1, "weight_decay": 0.05}),
    "adagrad rowwise": Spec(
        "adagrad", {"initial_accumulator_value": 0.1, "rowwise": 1, "weight_decay": 0.05}
    ),
    "rmsprop": Spec("rmsprop", {"epsilon": 1e-3, "weight_decay": 0.05}),
    "rmsprop both": Spec(
        "rmsprop", {"epsilon": 0.1, "momentum": 0.9, "centered": 1, "weight_decay": 0.05}
    ),
    "adam": Spec("adam", {"epsilon": 1e-4}),
    "adamw": Spec("adamw", {"epsilon": 1e-4, "weight_decay": 0.05}),
    "adamw clipped": Spec("adamw", {"epsilon": 1e-4, "weight_decay": 0.05, "clipnorm": 0.1}),
    "ftrl": Spec("ftrl", {"l1": 0.001}),
}


def engine(optimizer, update, dtype="float32", l1=0.0, l2=0.0):
    graph = Graph()
    table = {"input_dim": V, "output_dim": 3, "embeddings_l1": l1, "embeddings_l2": l2}
    e = graph.add("embedding", graph.ids(vocabulary=V), sparse_update=update, **table)
    y = graph.add("dense", e, units=1)
    made = core.Engine(graph.nodes, [y], dtype)
    random = np.random.default_rng(1)
    for name, shape in made.parameters():
        made.set(name, random.normal(size=shape).astype(dtype))
    made.compile([Spec("mean_squared_error")], [1.0], optimizer, [[]])
    return made


def train(made, dtype="float32", threads=1, pieces=(300, 1, 699), weights=None):
    """Some ids are seen in every batch and some in almost none; the rate follows a cosine."""
    random = np.random.default_rng(2)
    n = STEPS * BATCH
    shares = 1 / np.arange(1, V + 1) ** 2
    ids = random.choice(V, n, p=shares / shares.sum()).astype(np.int32)
    y = random.normal(size=(n, 1)).astype(dtype)
    rates = 0.01 * (1 + np.cos(np.linspace(0, 3, STEPS)))
    done = 0
    for piece in pieces:
        made.train(
            [ids], [y], weights, BATCH, False, 0, 0, done, rates[done : done + piece], threads
        )
        done += piece
    return made


def arrays(made):
    return {name: made.get(name) for name, _ in made.parameters()} | made.state()


@pytest.mark.parametrize("dtype", ALLOWED)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_thousand_sparse_steps_equal_dense_ones(name, dtype):
    exact, dense, true = (
        arrays(train(engine(OPTIMIZERS[name], update, made_in), made_in))
        for update, made_in in (("exact", dtype), ("dense", dtype), ("dense", "float64"))
    )
    for key, expected in dense.items():
        # centered rmsprop divides by a difference: rounding alone moves its dense run by more
        rounding = np.abs(expected - true[key]).max() / (np.abs(expected).max() or 1)
        assert tolerance.close(exact[key], expected, max(ALLOWED[dtype], rounding)), key


@pytest.mark.parametrize("dtype", ALLOWED)
@pytest.mark.parametrize(
    ("optimizer", "l1", "l2"),
    [
        (Spec("sgd"), 0.01, 0.0),
        (Spec("sgd"), 0.0, 0.01),
        (Spec("sgd", {"weight_decay": 0.05}), 0.01, 0.01),
        (Spec("sgd", {"clipvalue": 0.02}), 0.0, 0.05),
        (Spec("adagrad", {"initial_accumulator_value": 0.1}), 0.01, 0.0),
        (Spec("adagrad", {"initial_accumulator_value": 0.1, "weight_decay": 0.05}), 0.01, 0.0),
        (Spec("ftrl"), 0.01, 0.0),
    ],
    ids=str,
)
def test_penalties_equal_dense_ones(optimizer, l1, l2, dtype):
    exact, dense = (
        arrays(train(engine(optimizer, update, dtype, l1, l2), dtype))
        for update in ("exact", "dense")
    )
    for key, expected in dense.items():
        assert tolerance.close(exact[key], expected, ALLOWED[dtype]), key


def test_batches_of_weight_zero_change_nothing():
    weights = np.repeat(np.arange(STEPS) % 3 > 0, BATCH).astype("f4")
    adamw = OPTIMIZERS["adamw"]
    exact, dense = (
        arrays(train(engine(adamw, update), weights=weights)) for update in ("exact", "dense")
    )
    for key, expected in dense.items():
        assert tolerance.close(exact[key], expected, ALLOWED["float32"]), key


@pytest.mark.parametrize("name", ["sgd", "adamw", "adamw clipped"])
def test_threads_change_no_bit(name):
    one, *others = (
        arrays(train(engine(OPTIMIZERS[name], "exact"), threads=threads))
        for threads in (1, 2, 3, 7)
    )
    for other in others:
        assert all(np.array_equal(other[key], value) for key, value in one.items())


def test_a_stop_in_the_middle_leaves_every_row_current():
    """A loss that is not finite ends a call; the rows have seen exactly the steps before it."""
    exact, dense = (engine(OPTIMIZERS["adamw"], update) for update in ("exact", "dense"))
    ids = np.arange(V, dtype=np.int32)
    y = np.ones((V, 1), np.float32)
    y[40] = np.nan
    for made in (exact, dense):
        assert made.train([ids], [y], None, 1, False, 0, 0, 0, [0.01] * V, 1)["diverged"]
    for key, expected in arrays(dense).items():
        assert tolerance.close(arrays(exact)[key], expected, ALLOWED["float32"]), key


REFUSED = [
    (Spec("adam"), {"embeddings_l2": 0.1}, "an L2 regularizer and any optimizer but SGD"),
    (Spec("sgd", {"momentum": 0.9}), {"embeddings_l2": 0.1}, "use weight_decay"),
    (Spec("adagrad"), {"embeddings_l2": 0.1}, "an L2 regularizer"),
    (Spec("sgd", {"clipnorm": 1.0}), {"embeddings_l2": 0.1}, "clipping by a norm"),
    (Spec("sgd", {"global_clipnorm": 1.0}), {"embeddings_l2": 0.1}, "clipping by a norm"),
    (Spec("adamw"), {"embeddings_l1": 0.1}, "an L1 regularizer and momentum"),
    (Spec("sgd", {"momentum": 0.9}), {"embeddings_l1": 0.1}, "use Adagrad, FTRL or SGD"),
    (Spec("rmsprop"), {"embeddings_l1": 0.1}, "an L1 regularizer and RMSprop"),
]


@pytest.mark.parametrize("engine_class", [core.Engine, Engine])
@pytest.mark.parametrize(("optimizer", "penalty", "reason"), REFUSED)
def test_what_has_no_exact_form_is_refused(engine_class, optimizer, penalty, reason):
    graph = Graph()
    table = {"input_dim": V, "output_dim": 3, "sparse_update": "exact", **penalty}
    e = graph.add("embedding", graph.ids(vocabulary=V), **table)
    nodes = [*graph.nodes[:-1], replace(graph.nodes[-1], name="users")]
    made = engine_class(nodes, [e], "float32")
    with pytest.raises(
        ValueError, match=f"users: expected sparse_update touched or dense, got exact.*{reason}"
    ):
        made.compile([Spec("mean_squared_error")], [1.0], optimizer, [[]])


@pytest.mark.parametrize("engine_class", [core.Engine, Engine])
def test_ftrl_takes_no_weight_decay(engine_class):
    graph = Graph()
    made = engine_class(graph.nodes, [graph.add("dense", graph.floats(2), units=1)], "float32")
    with pytest.raises(ValueError, match=r"weight_decay: expected none for ftrl.*use l2"):
        made.compile([Spec("mean_squared_error")], [1.0], Spec("ftrl", {"weight_decay": 0.1}), [[]])
