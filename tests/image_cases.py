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


def _normal(kind, name, shape, **config):
    return Layer(f"{kind.replace('_', ' ')} {name}", kind, (shape,), config)


NORMALIZATIONS = [
    *(
        _normal(kind, name, shape, **config)
        for kind in ("batch_normalization", "layer_normalization")
        for name, shape, config in (
            ("of a row", (7,), {}),
            ("of an image", (3, 5, 6), {}),
            ("of an image of 19 channels", (4, 3, 19), {"epsilon": 1e-5}),
            ("of rank 2", (4, 3), {}),
            ("without center", (5,), {"center": 0}),
            ("without scale", (2, 2, 3), {"scale": 0}),
            ("of numbers alone", (5,), {"center": 0, "scale": 0}),
            ("frozen", (2, 2, 3), {"trainable": 0, "gamma_l2": 0.1}),
            ("with penalties", (6,), {"gamma_l1": 0.01, "gamma_l2": 0.1, "beta_l2": 0.2}),
        )
    ),
    _normal("batch_normalization", "in haste", (4,), momentum=0.5),
    _normal("batch_normalization", "of one channel", (3, 4, 1), momentum=0.9),
]

MOVES = [
    Layer("spatial dropout", "spatial_dropout2d", ((3, 2, 7),), {"rate": 0.4}),
    Layer("spatial dropout of none", "spatial_dropout2d", ((2, 2, 3),), {"rate": 0.0}),
    Layer("spatial dropout of all", "spatial_dropout2d", ((2, 3, 3),), {"rate": 1.0}),
    *(
        Layer(f"random flip {mode}", "random_flip", ((3, 4, 2),), {"mode": mode})
        for mode in ("horizontal", "vertical", "both")
    ),
    *(
        Layer(
            f"random translation {fill} by {rows} and {columns}",
            "random_translation",
            ((4, 5, 2),),
            {"height": rows, "width": columns, "fill": fill},
        )
        for fill in ("constant", "nearest")
        for rows, columns in ((1, 2), (0, 3), (6, 0))
    ),
    Layer("random crop", "random_crop", ((6, 5, 3),), {"height": 3, "width": 4}),
    Layer("random crop of everything", "random_crop", ((3, 4, 1),), {"height": 3, "width": 4}),
]

IMAGE_LAYERS = [*CONVOLUTIONS, *POOLINGS, *BORDERS, *NORMALIZATIONS, *MOVES]


def _small(least, setting, got):
    return f"an image of at least {least} for {setting}, got {got}"


_IMAGE, _SEQUENCE, _ROW = (5, 5, 6), (5, 3), (4,)
_CONV = {"filters": 8, "kernel_size": (3, 3)}
_CONV1D = {"filters": 8, "kernel_size": (3,)}

# kind, row shape of the input, settings, and what every engine says after the node's name.
BAD_IMAGE_NODES = [
    *(
        (kind, _ROW, config, "expected an input of shape (rows, columns, channels), got (4,)")
        for kind, config in (
            ("conv2d", _CONV),
            ("max_pooling2d", {"pool_size": (2, 2)}),
            ("average_pooling2d", {"pool_size": (2, 2)}),
            ("global_max_pooling2d", {}),
            ("global_average_pooling2d", {}),
            ("zero_padding2d", {"padding": (1, 1, 1, 1)}),
            ("spatial_dropout2d", {"rate": 0.5}),
            ("random_flip", {"mode": "both"}),
            ("random_translation", {"height": 1, "width": 1}),
            ("random_crop", {"height": 1, "width": 1}),
        )
    ),
    *(
        ("conv2d", _IMAGE, {**_CONV, **config}, f"expected {message}")
        for config, message in (
            (
                {"kernel_size": (7, 7)},
                _small("(7, 7)", "kernel_size (7, 7)", "(5, 5)"),
            ),
            (
                {"dilation_rate": (1, 3)},
                _small("(3, 7)", "kernel_size (3, 3)", "(5, 5)"),
            ),
            (
                {"kernel_size": (3, 9), "padding": (0, 0, 1, 2)},
                _small("(3, 9)", "kernel_size (3, 9)", "(5, 5), with its border (5, 8)"),
            ),
            ({"groups": 4}, "groups to divide 6 channels and 8 filters, got 4"),
            ({"groups": 3}, "groups to divide 6 channels and 8 filters, got 3"),
            ({"kernel_size": (3,)}, "kernel_size of 2 whole numbers in [1, 2**31), got (3,)"),
            ({"strides": (1, 0)}, "strides of 2 whole numbers in [1, 2**31), got (1, 0)"),
            ({"padding": (1, 1)}, "padding of 4 whole numbers in [0, 2**31), got (1, 1)"),
            ({"padding": "full"}, "padding to be valid, same or 4 numbers, got full"),
        )
    ),
    *(
        ("conv1d", shape, {**_CONV1D, **config}, f"expected {message}")
        for shape, config, message in (
            (_IMAGE, {}, "an input of shape (length, channels), got (5, 5, 6)"),
            (
                _SEQUENCE,
                {"kernel_size": (6,)},
                _small("(6,)", "kernel_size (6,)", "(5,)"),
            ),
            (_SEQUENCE, {"groups": 2}, "groups to divide 3 channels and 8 filters, got 2"),
            (
                _SEQUENCE,
                {"dilation_rate": (0,)},
                "dilation_rate of 1 whole number in [1, 2**31), got (0,)",
            ),
            (_SEQUENCE, {"padding": "full"}, "padding to be valid, same or 2 numbers, got full"),
        )
    ),
    *(
        (kind, _IMAGE, config, f"expected {message}")
        for kind in ("max_pooling2d", "average_pooling2d")
        for config, message in (
            ({"pool_size": (2, 6)}, _small("(2, 6)", "pool_size (2, 6)", "(5, 5)")),
            (
                {"pool_size": (2, 2), "padding": (2, 0, 0, 0)},
                "padding smaller than pool_size (2, 2), got 2 and 0",
            ),
            (
                {"pool_size": (3, 1), "padding": (2, 2, 0, 1)},
                "padding smaller than pool_size (3, 1), got 0 and 1",
            ),
            ({"pool_size": (0, 2)}, "pool_size of 2 whole numbers in [1, 2**31), got (0, 2)"),
        )
    ),
    *(
        (kind, shape, config, f"expected {message}")
        for kind, shape, config, message in (
            (
                "random_crop",
                (8, 8, 3),
                {"height": 9, "width": 4},
                "a crop of at most (8, 8), got (9, 4)",
            ),
            (
                "zero_padding2d",
                _IMAGE,
                {"padding": (0, 0, 0, -1)},
                "padding of 4 whole numbers in [0, 2**31), got (0, 0, 0, -1)",
            ),
            (
                "random_flip",
                _IMAGE,
                {"mode": "none"},
                "mode to be one of horizontal, vertical, both, got none",
            ),
            (
                "random_translation",
                _IMAGE,
                {"fill": "wrap"},
                "fill to be one of constant, nearest, got wrap",
            ),
            ("batch_normalization", _ROW, {"momentum": 1.5}, "momentum in [0, 1], got 1.5"),
            ("batch_normalization", (), {}, "an input with a last axis, got shape ()"),
            ("layer_normalization", (), {}, "an input with a last axis, got shape ()"),
        )
    ),
]

_ACCURACY = [["accuracy"]]
_CATEGORICAL = "categorical_crossentropy"
_ADAM = Spec("adam", {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-3})


def _classes(graph, x, n_classes=3):
    """End in class probabilities, whose loss starts from the logits."""
    return graph.add("activation", graph.add("dense", x, units=n_classes), activation="softmax")


def image_nets():
    """Yield networks as people build them."""
    yield from _convolutional()
    yield from _normalized()


def _convolutional():
    graph = Graph()
    x = graph.add("rescaling", graph.floats(9, 7, 1), scale=0.5, offset=-0.1)
    h = graph.add("conv2d", x, filters=8, kernel_size=(3, 3), activation="relu", **_SAME)
    h = graph.add("max_pooling2d", h, pool_size=(2, 2))
    h = graph.add("conv2d", h, filters=5, kernel_size=(3, 3), activation="relu", kernel_l2=1e-3)
    h = graph.add("dropout", graph.add("flatten", h), rate=0.3)
    yield graph.case("images: conv, pool, dropout, dense", [_classes(graph, h)], [_CATEGORICAL],
                     metrics=_ACCURACY, weighted=True)  # fmt: skip

    graph = Graph()
    wide = {"kernel_size": (3, 3), "activation": "relu", **_SAME}
    h = graph.add("conv2d", graph.floats(10, 9, 3), filters=16, **wide)
    h = graph.add("conv2d", h, filters=18, **wide)
    h = graph.add("average_pooling2d", h, pool_size=(2, 2), **_SAME)
    h = graph.add("conv2d", h, filters=16, kernel_l1=1e-3, bias_l2=1e-2, **wide)
    h = graph.add("global_average_pooling2d", h)
    yield graph.case("images: wide convolutions", [_classes(graph, h)], [_CATEGORICAL],
                     metrics=_ACCURACY, optimizer=_ADAM, rate=0.01)  # fmt: skip

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
                     ["binary_crossentropy"], metrics=_ACCURACY, optimizer=clipped)  # fmt: skip


def _normalized():
    graph = Graph()
    h = graph.floats(9, 8, 2)
    for filters, strides in ((16, (1, 1)), (17, (2, 2)), (18, (1, 1))):
        h = graph.add("conv2d", h, filters=filters, kernel_size=(3, 3), use_bias=0,
                      strides=strides, **_SAME)  # fmt: skip
        h = graph.add("batch_normalization", h, momentum=0.9, gamma_l2=1e-3)
        h = graph.add("activation", h, activation="relu")
    h = graph.add("dropout", graph.add("global_average_pooling2d", h), rate=0.2)
    yield graph.case("images: conv, batch normalization, activation", [_classes(graph, h)],
                     [_CATEGORICAL], metrics=_ACCURACY, rate=0.02, weighted=True)  # fmt: skip

    graph = Graph()
    x = graph.add("zero_padding2d", graph.floats(7, 6, 3), padding=(1, 0, 1, 2))
    x = graph.add("random_crop", graph.add("random_flip", x, mode="both"), height=7, width=8)
    x = graph.add("random_translation", x, height=2, width=1, fill="nearest")
    h = graph.add("conv2d", x, filters=5, kernel_size=(3, 3), activation="leaky_relu")
    h = graph.add("spatial_dropout2d", graph.add("max_pooling2d", h, pool_size=(2, 2)), rate=0.3)
    y = graph.add("dense", graph.add("flatten", h), units=2)
    yield graph.case("images: moved at random", [y], optimizer=_ADAM, rate=0.01)

    graph = Graph()
    h = graph.add("dense", graph.floats(6), units=9, use_bias=0)
    h = graph.add("activation", graph.add("batch_normalization", h), activation="tanh")
    h = graph.add("layer_normalization", graph.add("dense", h, units=7), epsilon=1e-5)
    h = graph.add("batch_normalization", h, trainable=0)
    y = graph.add("dense", h, units=1, activation="sigmoid")
    yield graph.case("normalizations after dense layers", [y], ["binary_crossentropy"],
                     metrics=_ACCURACY, optimizer=_ADAM, rate=0.01, weighted=True)  # fmt: skip

    graph = Graph()
    h = graph.add("batch_normalization", graph.floats(10, 3), momentum=0.8)
    h = graph.add("conv1d", h, filters=6, kernel_size=(3,), groups=3, activation="softplus")
    h = graph.add("layer_normalization", graph.add("batch_normalization", h))
    y = graph.add("dense", graph.add("flatten", h), units=2)
    yield graph.case("sequences: normalized", [y], rate=0.02)
