"""Small models that together hold every kind of layer, activation, loss and optimizer.

The reference's gradient checks, the core's contract tests and the trajectories of both walk
these lists; a new kind, loss or optimizer gets its row here. `LAYERS` holds layers one by one,
`OPTIMIZERS` settings of optimizers, `CASES` whole models to train: one for each row of both, and
those below that join several features.
"""

import math

import numpy as np
from fastnn.graph import Spec
from fastnn.reference.ranking import RANKING_LOSSES

from tests.graphs import ELEMENTWISE, VOCABULARY, Graph, Layer
from tests.image_cases import IMAGE_LAYERS, image_nets

__all__ = [
    "CASES",
    "ELEMENTWISE",
    "LAYERS",
    "OPTIMIZERS",
    "VOCABULARY",
    "Graph",
    "Layer",
    "compiled",
    "data",
    "prepare",
    "single",
    "train",
]


def _bag(name, mode, shapes, **config):
    table = {"input_dim": VOCABULARY, "output_dim": 3, "mode": mode}
    return Layer(f"bag {name}", "embedding_bag", shapes, {**table, **config})


FEATURES = {"n_features": 3, "features_per_unit": 2}
_TABLE = {"input_dim": VOCABULARY, "output_dim": 3}
_BAG, _WEIGHTED = (("ids", 4),), (("ids", 4), ("positive", 4))

LAYERS = [
    *(Layer(f"dense {a}", "dense", ((4,),), {"units": 5, "activation": a}) for a in ELEMENTWISE),
    Layer("dense without bias", "dense", ((4,),), {"units": 3, "use_bias": 0}),
    Layer("dense of rank 3", "dense", ((2, 3, 4),), {"units": 3, "activation": "tanh"}),
    Layer("dense of one", "dense", ((1,),), {"units": 1}),
    Layer("dense of odd sizes", "dense", ((67,),), {"units": 35, "activation": "tanh"}),
    *(Layer(a, "activation", ((5,),), {"activation": a}) for a in (*ELEMENTWISE, "gelu")),
    Layer("softmax", "activation", ((5,),), {"activation": "softmax"}),
    Layer("softmax of rank 2", "activation", ((2, 3),), {"activation": "softmax"}),
    Layer("embedding", "embedding", (("ids", 3),), _TABLE),
    Layer("embedding of one id", "embedding", (("ids",),), _TABLE),
    Layer("embedding of pairs", "embedding", (("ids", 2, 2),), _TABLE),
    Layer("embedding dense", "embedding", (("ids", 3),), {**_TABLE, "sparse_update": "dense"}),
    Layer("embedding exact", "embedding", (("ids", 3),), {**_TABLE, "sparse_update": "exact"}),
    *(_bag(mode, mode, _BAG) for mode in ("sum", "mean", "sqrtn", "max")),
    *(
        _bag(f"{mode} padded", mode, _BAG, padding_idx=5)
        for mode in ("sum", "mean", "sqrtn", "max")
    ),
    *(_bag(f"{mode} weighted", mode, _WEIGHTED) for mode in ("sum", "mean", "sqrtn")),
    *(
        _bag(f"{mode} weighted padded", mode, _WEIGHTED, padding_idx=0)
        for mode in ("sum", "mean", "sqrtn")
    ),
    *(
        _bag(f"{mode} of one padded", mode, (("ids", 1),), padding_idx=5)
        for mode in ("sum", "mean", "sqrtn", "max")
    ),
    _bag("dense", "sum", _BAG, sparse_update="dense"),
    _bag("exact", "mean", _BAG, sparse_update="exact", padding_idx=5),
    Layer("scores", "scores", ((4,),), {"units": 5}),
    Layer("scores without bias", "scores", ((4,),), {"units": 3, "use_bias": 0}),
    Layer("scores of features", "scores", ((4,),), {"units": 5, **FEATURES}),
    Layer("dot", "dot", ((4,), (4,))),
    Layer("dot of rank 2", "dot", ((3, 4), (3, 4))),
    Layer("concatenate one", "concatenate", ((3,),)),
    Layer("concatenate", "concatenate", ((3,), (1,), (4,))),
    Layer("concatenate rank 2", "concatenate", ((2, 3), (2, 2))),
    Layer("add", "add", ((4,), (4,))),
    Layer("add three", "add", ((2, 2), (2, 2), (2, 2))),
    Layer("multiply", "multiply", ((4,), (4,))),
    Layer("multiply three", "multiply", ((3,), (3,), (3,))),
    Layer("flatten", "flatten", ((2, 3),)),
    Layer("reshape", "reshape", ((2, 3),), {"shape": (3, 2)}),
    Layer("rescaling", "rescaling", ((3,),), {"scale": 2.5, "offset": -0.5}),
    Layer("dropout", "dropout", ((9,),), {"rate": 0.3}),
    Layer("dropout of none", "dropout", ((3,),), {"rate": 0.0}),
    Layer("dropout of all", "dropout", ((3,),), {"rate": 1.0}),
    Layer("dropout of rank 2", "dropout", ((3, 5),), {"rate": 0.5}),
    Layer("gaussian noise", "gaussian_noise", ((9,),), {"stddev": 0.2}),
    Layer("gaussian noise of none", "gaussian_noise", ((3,),), {"stddev": 0.0}),
    Layer("activity regularization", "activity_regularization", ((4,),), {"l1": 0.1, "l2": 0.2}),
    *IMAGE_LAYERS,
]

OPTIMIZERS = {
    "sgd": Spec("sgd"),
    "sgd momentum": Spec("sgd", {"momentum": 0.9}),
    "sgd nesterov": Spec("sgd", {"momentum": 0.9, "nesterov": 1}),
    "sgd decay": Spec("sgd", {"momentum": 0.5, "weight_decay": 0.1}),
    "adagrad": Spec("adagrad", {"epsilon": 1e-10, "initial_accumulator_value": 0.0}),
    "adagrad started": Spec("adagrad", {"epsilon": 1e-7, "initial_accumulator_value": 0.1}),
    "adagrad rowwise": Spec("adagrad", {"epsilon": 1e-7, "rowwise": 1, "weight_decay": 0.1}),
    "ftrl": Spec("ftrl"),
    "ftrl sparse": Spec(
        "ftrl", {"l1": 0.01, "l2": 0.02, "beta": 0.5, "initial_accumulator_value": 0.3}
    ),
    "ftrl power": Spec("ftrl", {"learning_rate_power": -0.3, "initial_accumulator_value": 0.3}),
    "rmsprop": Spec("rmsprop", {"rho": 0.9, "epsilon": 1e-7}),
    "rmsprop momentum": Spec("rmsprop", {"rho": 0.99, "momentum": 0.9, "epsilon": 1e-8}),
    "rmsprop centered": Spec("rmsprop", {"rho": 0.9, "centered": 1, "epsilon": 1e-3}),
    "rmsprop both": Spec("rmsprop", {"rho": 0.9, "centered": 1, "momentum": 0.5, "epsilon": 1e-3}),
    "adam": Spec("adam", {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}),
    "adam short": Spec("adam", {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}),
    "adamw": Spec("adamw", {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "weight_decay": 0.1}),
    "adam decay": Spec(
        "adam", {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-7, "weight_decay": 0.01}
    ),
    "sgd clipvalue": Spec("sgd", {"clipvalue": 0.01}),
    "sgd clipnorm": Spec("sgd", {"momentum": 0.9, "clipnorm": 0.05}),
    "sgd global_clipnorm": Spec("sgd", {"global_clipnorm": 0.1}),
    "adagrad clipvalue": Spec("adagrad", {"epsilon": 1e-7, "clipvalue": 0.01}),
    "adam clipnorm": Spec("adam", {"epsilon": 1e-3, "clipnorm": 0.05}),
    "adam global_clipnorm": Spec("adam", {"epsilon": 1e-3, "global_clipnorm": 0.1}),
    "clip never reached": Spec("sgd", {"global_clipnorm": 1e6}),
}


def single(layer):
    """Return nodes that end in one layer, its inputs straight from the caller."""
    graph = Graph()
    graph.add(layer.kind, *(_source(graph, shape) for shape in layer.shapes), **layer.config)
    return graph.nodes


def _source(graph, shape):
    if shape[:1] == ("ids",):
        return graph.ids(*shape[1:])
    return graph.floats(*(size for size in shape if size != "positive"))


def _layer_case(layer):
    """Train one layer between dense layers, so that gradients flow through it.

    A bias before a batch normalisation has no gradient but rounding, nor has the kernel of one
    input; sums over many pixels take smaller steps.
    """
    graph = Graph()
    inputs = []
    mixes = layer.kind == "batch_normalization"
    rate = 0.001 if layer.kind.startswith("conv") else 0.05
    for shape in layer.shapes:
        source = _source(graph, (*shape[:-1], shape[-1] + 2) if mixes else shape)
        if shape[:1] != ("ids",):
            last = "softplus" if shape[:1] == ("positive",) else "identity"
            dense = {"units": shape[-1], "activation": last, "use_bias": int(not mixes)}
            source = graph.add("dense", source, **dense)
        inputs.append(source)
    y = graph.add("flatten", graph.add(layer.kind, *inputs, **layer.config))
    return graph.case(f"layer {layer.name}", [graph.add("dense", y, units=2)], rate=rate)


def _recommender(name, optimizer=OPTIMIZERS["sgd momentum"], table=None, dense=None, **settings):
    """Two towers with biases and a dense part: shared by the cases of optimizers and penalties."""
    table, dense = table or {}, dense or {}
    graph = Graph()
    user, item, x = graph.ids(), graph.ids(), graph.floats(3)
    vectors = [
        graph.add("embedding", i, input_dim=VOCABULARY, output_dim=4, **table) for i in (user, item)
    ]
    biases = [
        graph.add("embedding", i, input_dim=VOCABULARY, output_dim=1, **table) for i in (user, item)
    ]
    hidden = graph.add("dense", x, units=5, activation="tanh", **dense)
    parts = [graph.add("dot", *vectors), *biases, graph.add("dense", hidden, units=1, **dense)]
    y = graph.add("activation", graph.add("add", *parts), activation="sigmoid")
    y = graph.add("rescaling", y, scale=5.0, offset=0.5)
    metrics = [["mean_squared_error", "mean_absolute_error"]]
    return graph.case(name, [y], optimizer=optimizer, metrics=metrics, **settings)


def _classifier(name, loss, last, units, **settings):
    """Two dense layers; the last activation is a node of its own, as `graph.lower` makes it."""
    graph = Graph()
    hidden = graph.add("dense", graph.floats(6), units=7, activation="relu")
    y = graph.add("dense", hidden, units=units)
    if last is not None:
        y = graph.add("activation", y, activation=last)
    return graph.case(name, [y], [loss], **settings)


_BINARY, _CATEGORICAL = "binary_crossentropy", "categorical_crossentropy"
_ACCURACY = [["accuracy"]]


def _losses():
    yield _classifier("loss mean_squared_error", "mean_squared_error", None, 3)
    yield _classifier("loss mean_absolute_error", "mean_absolute_error", None, 3)
    yield _classifier("loss huber", Spec("huber", {"delta": 0.7}), None, 3)
    for name, loss, last in (
        ("binary", _BINARY, "sigmoid"),
        ("categorical", _CATEGORICAL, "softmax"),
    ):
        logits = Spec(loss, {"from_logits": 1})
        yield _classifier(
            f"loss {name}", Spec(loss, {"from_logits": 0}), last, 4, metrics=_ACCURACY
        )
        yield _classifier(f"loss {name} logits", logits, None, 4, metrics=_ACCURACY)
        yield _classifier(f"loss {name} weighted", loss, last, 3, metrics=_ACCURACY, weighted=True)
    graph = Graph()
    y = graph.add("dense", graph.floats(4), units=1, activation="sigmoid")
    yield graph.case("loss binary of a dense output", [y], [_BINARY], metrics=_ACCURACY)


def _shared(name, optimizer=OPTIMIZERS["sgd momentum"], **table):
    """One table looked up by an id, by three ids and by a bag of two."""
    graph = Graph()
    settings = {"input_dim": VOCABULARY, "output_dim": 3, **table}
    first = graph.add("embedding", graph.ids(), **settings)
    settings["table"] = graph.nodes[first].name
    several = graph.add("embedding", graph.ids(3), **settings)
    bag = graph.add("embedding_bag", graph.ids(2), mode="sum", **settings)
    y = graph.add("concatenate", first, graph.add("flatten", several), bag)
    return graph.case(name, [graph.add("dense", y, units=2)], optimizer=optimizer)


def _shared_tables():
    l2 = {"embeddings_l2": 0.03}
    yield _shared("a shared table")
    yield _shared("a shared table, dense", OPTIMIZERS["adagrad started"], sparse_update="dense")
    yield _shared("a shared table, exact", OPTIMIZERS["adamw"], sparse_update="exact")
    yield _shared("a shared table, clipped", OPTIMIZERS["sgd global_clipnorm"], **l2)
    yield _shared("a shared table, frozen", trainable=0)


def _joined():
    graph = Graph()
    x = graph.floats(4)
    h = graph.add("dense", x, units=4, activation="tanh")
    twice = graph.add("multiply", h, h)
    y = graph.add("add", h, twice, x)
    yield graph.case("a value used often", [graph.add("concatenate", y, h, y)])

    graph = Graph()
    x, z = graph.floats(4), graph.floats(2, 3)
    flat = graph.add("flatten", z)
    h = graph.add("dense", graph.add("concatenate", x, flat), units=6, activation="elu")
    a = graph.add("dense", h, units=2)
    b = graph.add("activation", graph.add("dense", h, units=3), activation="softmax")
    c = graph.add("dense", graph.add("concatenate", a, b), units=1, activation="sigmoid")
    yield graph.case(
        "several inputs and outputs", [a, b, c], ["mean_squared_error", _CATEGORICAL, _BINARY],
        loss_weights=[1.0, 0.5, 2.0], metrics=[["mean_absolute_error"], ["accuracy"], ["accuracy"]],
        weighted=True, optimizer=OPTIMIZERS["adam short"],
    )  # fmt: skip

    graph = Graph()
    probability = graph.add("dense", graph.floats(3), units=2, activation="sigmoid")
    y = graph.add("dense", probability, units=2)
    losses = [_BINARY, "mean_squared_error", "mean_absolute_error"]
    yield graph.case(
        "an output used inside", [probability, y, y], losses,
        loss_weights=[1.0, 1.0, 0.3], metrics=[[], [], []],
    )  # fmt: skip

    graph = Graph()
    h = graph.add("dense", graph.floats(6), units=13, activation="relu")
    h = graph.add("gaussian_noise", graph.add("dropout", h, rate=0.4), stddev=0.1)
    h = graph.add("dropout", graph.add("dense", h, units=9, activation="tanh"), rate=0.2)
    yield graph.case("dropout and noise", [graph.add("dense", h, units=2)], weighted=True)

    graph = Graph()
    x = graph.floats(5)
    code = graph.add("dense", x, units=3, activation="sigmoid")
    code = graph.add("activity_regularization", code, l1=0.05, l2=0.1)
    y = graph.add("dense", code, units=5)
    yield graph.case("autoencoder with a sparse code", [y], weighted=True)

    graph = Graph()
    h = graph.add("dense", graph.floats(130), units=65, activation="relu")
    h = graph.add("dense", h, units=129, activation="tanh", trainable=0)
    y = graph.add("dense", h, units=2)
    yield graph.case("wide, with a frozen layer", [y], n_rows=150, batch_size=64)


def _penalties():
    dense = {"kernel_l1": 0.02, "kernel_l2": 0.03, "bias_l1": 0.01, "bias_l2": 0.02}
    table = {"embeddings_l1": 0.02, "embeddings_l2": 0.03}
    every_row = {"sparse_update": "dense"}
    for name in ("sgd", "adagrad", "rmsprop", "adam"):
        optimizer = OPTIMIZERS[name]
        if name != "sgd":
            optimizer = Spec(name, {**optimizer.config, "epsilon": 1e-2})
        settings = {"optimizer": optimizer, "dense": dense}
        yield _recommender(f"penalties {name}", table=table, **settings)
        yield _recommender(f"penalties {name} dense", table={**table, **every_row}, **settings)
    for clip in ("clipvalue", "clipnorm", "global_clipnorm"):
        optimizer = OPTIMIZERS[f"sgd {clip}"]
        yield _recommender(f"penalties {clip}", optimizer, table=table, dense=dense, weighted=True)
    for name in ("adagrad rowwise", "ftrl sparse"):
        yield _recommender(f"penalties {name}", OPTIMIZERS[name], table=table, dense=dense)
    exact = {"sparse_update": "exact"}
    for name, factors in (
        ("sgd", table),
        ("sgd clipvalue", table),
        ("adagrad rowwise", {"embeddings_l1": 0.02}),
    ):
        yield _recommender(f"penalties {name} exact", OPTIMIZERS[name], table={**factors, **exact})
    frozen = {"trainable": 0, **table}
    yield _recommender("frozen tables", OPTIMIZERS["sgd global_clipnorm"], table=frozen)


def _sampled():
    """Users' vectors and a dense layer before scores, for each loss, sampler and setting."""
    for kind, rule in RANKING_LOSSES.items():
        for sampler in rule.samplers:
            yield _ranking(f"loss {kind} {sampler}", kind, {"sampler": sampler})
        for name in ("sgd momentum", "adagrad", "adam"):
            yield _ranking(f"loss {kind} {name}", kind, optimizer=OPTIMIZERS[name])
        yield _ranking(f"loss {kind} of features", kind, scores=FEATURES, weighted=True)
        adam, clip = OPTIMIZERS["adam short"], OPTIMIZERS["sgd global_clipnorm"]
        every = {"sparse_update": "dense", "embeddings_l1": 0.02, "embeddings_l2": 0.03}
        yield _ranking(f"loss {kind} dense", kind, scores={**every, **FEATURES}, optimizer=adam)
        touched = {"embeddings_l1": 0.02, "embeddings_l2": 0.03, "use_bias": 0, **FEATURES}
        yield _ranking(f"loss {kind} clipped", kind, scores=touched, optimizer=clip, weighted=True)
    yield _ranking("loss sampled_softmax plain", "sampled_softmax", {"correction": 0})
    yield _ranking("loss sampled_softmax with hits", "sampled_softmax", {"remove_hits": 0})
    yield _ranking("loss bpr frozen", "bpr", scores={"trainable": 0})

    graph = Graph()
    user, x = graph.ids(), graph.floats(4)
    scores = graph.add("scores", x, units=9)
    rating = graph.add("embedding", user, input_dim=VOCABULARY, output_dim=1)
    more = graph.add("scores", graph.add("dense", x, units=3, activation="tanh"), units=6)
    yield graph.case(
        "scores beside other outputs", [scores, rating, more],
        [Spec("warp", {"negatives": 5}), "mean_squared_error", Spec("sampled_softmax")],
        loss_weights=[0.5, 1.0, 2.0], metrics=[[], ["mean_absolute_error"], []],
    )  # fmt: skip


def _ranking(name, kind, settings=None, scores=None, **case):
    graph = Graph()
    user = graph.ids()
    u = graph.add("embedding", user, input_dim=VOCABULARY, output_dim=6)
    u = graph.add("dense", u, units=5, activation="tanh")
    y = graph.add("scores", u, **{"units": 12, **(scores or {})})
    return graph.case(name, [y], [Spec(kind, {"negatives": 6, **(settings or {})})], **case)


CASES = [
    *(_layer_case(layer) for layer in LAYERS),
    *_losses(),
    *(_recommender(f"optimizer {name}", spec) for name, spec in OPTIMIZERS.items()),
    *(
        _recommender(f"optimizer {name} dense", OPTIMIZERS[name], table={"sparse_update": "dense"})
        for name in ("sgd nesterov", "adagrad", "rmsprop both", "adamw")
    ),
    *(
        _recommender(f"optimizer {name} dense", OPTIMIZERS[name], table={"sparse_update": "dense"})
        for name in ("adagrad rowwise", "ftrl sparse")
    ),
    *(
        _recommender(f"optimizer {name} exact", OPTIMIZERS[name], table={"sparse_update": "exact"})
        for name in (
            "sgd decay",
            "adagrad rowwise",
            "rmsprop both",
            "ftrl sparse",
            "adam short",
            "adamw",
            "adam global_clipnorm",
        )
    ),
    *_penalties(),
    *_shared_tables(),
    *_joined(),
    *_sampled(),
    *image_nets(),
]


def data(case, n_rows=None, dtype="float64", seed=5):
    """Return inputs, targets and weights (or None) of a case, made from a seed."""
    random = np.random.default_rng(seed)
    n = case.n_rows if n_rows is None else n_rows
    inputs = [_input(node, n, random, dtype) for node in case.nodes if node.kind == "input"]
    shapes = _reference_shapes(case)
    targets = [
        _target(loss.kind, shapes[i], n, random, dtype)
        for loss, i in zip(case.losses, case.outputs, strict=True)
    ]
    weights = random.uniform(0.1, 2.0, n).astype(dtype) if case.weighted else None
    return inputs, targets, weights


def _input(node, n, random, dtype):
    shape = (n, *node.config["shape"])
    if node.config["dtype"] == "ids":
        return random.integers(0, node.config["vocabulary"], shape, dtype=np.int32)
    return random.normal(size=shape).astype(dtype)


def _target(loss, shape, n, random, dtype):
    if loss == "categorical_crossentropy" or loss in RANKING_LOSSES:
        return random.integers(0, shape[0], n, dtype=np.int32)
    values = random.normal(size=(n, *shape))
    return (values > 0 if loss == "binary_crossentropy" else values).astype(dtype)


def _reference_shapes(case):
    from fastnn.reference import Engine

    return Engine(case.nodes, case.outputs).shapes()


def compiled(engine_class, case, dtype="float64", seed=3):
    """Return an engine of a case, its parameters made from a seed, ready to train."""
    return prepare(engine_class(case.nodes, case.outputs, dtype), case, dtype, seed)


def prepare(engine, case, dtype="float64", seed=3):
    """Give an engine of a case parameters made from a seed, and compile it."""
    random = np.random.default_rng(seed)
    for name, shape in engine.parameters():
        scale = 0.5
        if len(shape) > 1 and shape[0] != VOCABULARY:
            scale = 1 / math.sqrt(math.prod(shape[:-1]))
        values = random.normal(size=shape) * scale
        if name.endswith("moving_variance"):
            values = 0.5 + np.abs(values)
        if name.endswith("/features"):
            values = random.integers(-1, FEATURES["n_features"], shape)
        engine.set(name, values.astype(dtype))
    engine.compile(case.losses, case.loss_weights, case.optimizer, case.metrics)
    return engine


def train(engine, case, n_steps, threads=1, dtype="float64", n_rows=None, seed=11):
    """Run steps over as many shuffled epochs as they take; return the result of each epoch."""
    inputs, targets, weights = data(case, n_rows, dtype)
    n = len(targets[0])
    per_epoch = -(-n // case.batch_size)
    results = []
    for epoch in range(-(-n_steps // per_epoch)):
        n_now = min(per_epoch, n_steps - epoch * per_epoch)
        rates = np.full(n_now, case.rate) / (1 + epoch)
        results.append(
            engine.train(
                inputs,
                targets,
                weights,
                case.batch_size,
                True,
                seed,
                epoch,
                0,
                rates,
                threads,
                None,
            )
        )
    return results
