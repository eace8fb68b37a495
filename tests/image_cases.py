"""Layers over images and sequences one by one, and small networks of them; see cases.py."""

from fastnn.graph import Spec

from tests.graphs import ELEMENTWISE, Graph, Layer


def _conv(name, shape, filters, size, **config):
    size = (size, size) if isinstance(size, int) else size
    return Layer(
        f"conv2d {name}", "conv2d", (shape,), {"filters": filters, "kernel_size": size, **config}
    )


def _sequence(name, shape, filters, size, **config):
    config = {"filters": filters, "kernel_size": (size,), **config}
    return Layer(f"conv1d {name}", "conv1d", (shape,), config)


def _pools(name, shape, size, **config):
    config = {"pool_size": (size, size) if isinstance(size, int) else size, **config}
    for kind in ("max_pooling2d", "average_pooling2d"):
        yield Layer(f"{kind} {name}", kind, (shape,), config)


_SAME = {"padding": "same"}

CONVOLUTIONS = [
    _conv("3x3", (6, 5, 2), 3, 3),
    _conv("3x3 same", (5, 7, 3), 4, 3, **_SAME),
    *(_conv(f"3x3 {a}", (4, 5, 2), 3, 3, activation=a, **_SAME) for a in ELEMENTWISE[1:]),
    _conv("without bias", (5, 5, 2), 3, 3, use_bias=0),
    _conv("1x1", (5, 3, 4), 5, 1),
    _conv("1x1 with stride", (5, 6, 4), 3, 1, strides=(2, 3)),
    _conv("2x2 same", (5, 4, 3), 2, 2, **_SAME),
    _conv("5x5 with stride", (9, 8, 1), 4, 5, strides=(2, 2), **_SAME),
    _conv("5x3 with border", (7, 6, 2), 3, (5, 3), padding=(2, 1, 0, 3), activation="tanh"),
    _conv("border wider than the window", (3, 4, 2), 3, 2, padding=(3, 2, 4, 0)),
    _conv("stride past the window", (8, 7, 2), 3, 2, strides=(3, 4)),
    _conv("stride past the window same", (8, 7, 2), 3, (2, 1), strides=(3, 3), **_SAME),
    _conv("dilated", (8, 7, 2), 3, (3, 2), dilation_rate=(2, 3)),
    _conv("dilated same", (5, 6, 2), 3, 3, dilation_rate=(2, 2), **_SAME),
    _conv("dilated with stride", (9, 8, 2), 3, 3, dilation_rate=(2, 1), strides=(2, 1), **_SAME),
    _conv("of the whole image", (4, 5, 3), 6, (4, 5)),
    _conv("of one pixel", (1, 1, 3), 4, 3, **_SAME),
    _conv("of one row", (1, 9, 2), 3, (1, 3)),
    _conv("groups", (5, 6, 6), 4, 3, groups=2, **_SAME),
    _conv("groups 1x1", (3, 4, 6), 9, 1, groups=3),
    _conv("depthwise", (6, 5, 5), 5, 3, groups=5, **_SAME),
    _conv("depthwise doubled", (6, 7, 4), 8, 3, groups=4, strides=(2, 2)),
    _conv("depthwise of 19", (7, 6, 19), 19, (5, 3), groups=19, activation="relu", **_SAME),
    _conv("first layer", (9, 11, 1), 8, 3, activation="relu"),
    _conv("first layer in colour", (10, 8, 3), 16, 3, activation="relu", **_SAME),
    _conv("wide", (8, 8, 16), 16, 3, **_SAME),
    _conv("wide and ragged", (7, 9, 17), 19, 3, activation="relu", **_SAME),
    _conv("wide valid", (11, 6, 16), 33, 3, activation="tanh"),
    _conv("wide with border", (5, 6, 20), 16, 3, padding=(2, 0, 1, 2)),
    _conv("wide of 3x3 pixels", (3, 3, 18), 16, 3),
    _conv("wide of one pixel", (1, 2, 16), 16, 3, **_SAME),
    _conv("wide with stride", (7, 6, 16), 16, 3, strides=(2, 2), **_SAME),
    _conv("wide 1x1", (5, 4, 33), 17, 1, activation="relu"),
    _sequence("3", (8, 2), 3, 3),
    _sequence("same", (7, 3), 4, 4, activation="relu", **_SAME),
    _sequence("with stride", (9, 2), 3, 3, strides=(2,), padding=(2, 1)),
    _sequence("dilated", (10, 2), 3, 3, dilation_rate=(3,), use_bias=0),
    _sequence("depthwise", (6, 4), 4, 3, groups=4, **_SAME),
    _sequence("wide", (13, 16), 18, 3, activation="tanh", **_SAME),
    _sequence("of the whole sequence", (5, 2), 3, 5),
]

POOLINGS = [
    *_pools("2x2", (6, 4, 3), 2),
    *_pools("2x2 ragged", (7, 5, 3), 2),
    *_pools("2x2 ragged same", (7, 5, 19), 2, **_SAME),
    *_pools("3x3 overlapping", (7, 8, 2), 3, strides=(2, 2), **_SAME),
    *_pools("3x3 with stride 1", (5, 6, 3), 3, strides=(1, 1), **_SAME),
    *_pools("2x3 with border", (5, 7, 2), (2, 3), strides=(1, 2), padding=(1, 0, 2, 1)),
    *_pools("stride past the window", (8, 7, 2), 2, strides=(3, 4)),
    *_pools("of the whole image", (4, 5, 3), (4, 5)),
    *_pools("of one pixel", (3, 2, 5), 1),
    *(
        Layer(f"{kind} {name}", kind, (shape,))
        for kind in ("global_max_pooling2d", "global_average_pooling2d")
        for name, shape in (("odd", (3, 5, 7)), ("of one pixel", (1, 1, 4)))
    ),
]

BORDERS = [
    Layer("zero padding", "zero_padding2d", ((3, 4, 2),), {"padding": (1, 1, 1, 1)}),
    Layer("zero padding of one side", "zero_padding2d", ((3, 2, 3),), {"padding": (0, 2, 3, 0)}),
    Layer("zero padding of none", "zero_padding2d", ((2, 3, 1),), {"padding": (0, 0, 0, 0)}),
]

IMAGE_LAYERS = [*CONVOLUTIONS, *POOLINGS, *BORDERS]

_CATEGORICAL = "categorical_crossentropy"
_ADAM = Spec("adam", {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-3})


def _classes(graph, x, n_classes=3):
    """End in class probabilities, whose loss starts from the logits."""
    return graph.add("activation", graph.add("dense", x, units=n_classes), activation="softmax")


def image_nets():
    """Yield networks as people build them."""
    accuracy = [["accuracy"]]
    graph = Graph()
    x = graph.add("rescaling", graph.floats(9, 7, 1), scale=0.5, offset=-0.1)
    h = graph.add("conv2d", x, filters=8, kernel_size=(3, 3), activation="relu", **_SAME)
    h = graph.add("max_pooling2d", h, pool_size=(2, 2))
    h = graph.add("conv2d", h, filters=5, kernel_size=(3, 3), activation="relu", kernel_l2=1e-3)
    h = graph.add("dropout", graph.add("flatten", h), rate=0.3)
    yield graph.case("images: conv, pool, dropout, dense", [_classes(graph, h)], [_CATEGORICAL],
                     metrics=accuracy, weighted=True)  # fmt: skip

    graph = Graph()
    wide = {"kernel_size": (3, 3), "activation": "relu", **_SAME}
    h = graph.add("conv2d", graph.floats(10, 9, 3), filters=16, **wide)
    h = graph.add("conv2d", h, filters=18, **wide)
    h = graph.add("average_pooling2d", h, pool_size=(2, 2), **_SAME)
    h = graph.add("conv2d", h, filters=16, kernel_l1=1e-3, bias_l2=1e-2, **wide)
    h = graph.add("global_average_pooling2d", h)
    yield graph.case("images: wide convolutions", [_classes(graph, h)], [_CATEGORICAL],
                     metrics=accuracy, optimizer=_ADAM, rate=0.01)  # fmt: skip

    graph = Graph()
    x = graph.floats(6, 6, 4)
    h = graph.add("conv2d", x, filters=4, kernel_size=(3, 3), groups=4, **_SAME)
    h = graph.add("conv2d", h, filters=4, kernel_size=(1, 1), activation="elu")
    h = graph.add("add", h, x)
    y = graph.add("global_max_pooling2d", graph.add("concatenate", h, x))
    yield graph.case("images: depthwise with a way around", [graph.add("dense", y, units=2)])

    graph = Graph()
    h = graph.add("conv1d", graph.floats(12, 3), filters=6, kernel_size=(5,), strides=(2,), **_SAME)
    h = graph.add("activation", h, activation="gelu")
    h = graph.add("conv1d", h, filters=4, kernel_size=(3,), dilation_rate=(2,), activation="tanh")
    y = graph.add("dense", graph.add("flatten", h), units=1)
    yield graph.case("sequences: conv1d", [y], optimizer=_ADAM, rate=0.01, weighted=True)

    graph = Graph()
    frozen = {"trainable": 0, "kernel_l2": 0.1}
    h = graph.add("conv2d", graph.floats(5, 5, 2), filters=4, kernel_size=(3, 3), **frozen)
    y = graph.add("conv2d", h, filters=2, kernel_size=(3, 3), activation="sigmoid")
    clipped = Spec("sgd", {"global_clipnorm": 0.1})
    yield graph.case("images: a frozen convolution, a loss at the last one", [y],
                     ["binary_crossentropy"], metrics=accuracy, optimizer=clipped)  # fmt: skip
