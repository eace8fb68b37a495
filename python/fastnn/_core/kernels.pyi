"""
One function per kernel; isa names its table.
"""

import collections.abc
import typing

import numpy
import numpy.typing

__all__: list[str] = [
    "activation_backward",
    "activation_forward",
    "activity_penalty",
    "add",
    "add_scaled_rows",
    "average_pool_backward",
    "average_pool_forward",
    "bag_backward",
    "bag_forward",
    "batch_norm_backward",
    "batch_norm_sums",
    "bf16_backward_weights",
    "bf16_forward",
    "bf16_pair_columns",
    "bf16_pair_rows",
    "bf16_pair_transposed",
    "bf16_round",
    "catch_up_rows",
    "channel_dropout",
    "class_rows",
    "column_moments",
    "column_sums",
    "conv_backward_inputs",
    "conv_backward_weights",
    "conv_forward",
    "copy_columns",
    "count_scores",
    "dense_backward_inputs",
    "dense_backward_weights",
    "dense_forward",
    "distances",
    "dot_backward",
    "dot_forward",
    "draw_classes",
    "dropout",
    "embedding_forward",
    "embedding_sums",
    "epoch_order",
    "feature_coefficients",
    "feature_scores",
    "feature_scores_backward",
    "gather_bf16",
    "gather_bytes",
    "gather_rows",
    "gaussian_noise",
    "layer_norm_backward",
    "layer_norm_forward",
    "layer_norm_gamma",
    "loss",
    "max_pool_backward",
    "max_pool_forward",
    "metric",
    "move_images",
    "move_images_backward",
    "multiply",
    "multiply_adds",
    "random_normal",
    "random_rows",
    "random_uniform",
    "ranking",
    "regularize",
    "sampled_softmax",
    "scale",
    "scale_columns",
    "select",
    "softmax_backward",
    "softmax_forward",
    "sort_ids",
    "sum",
    "sum_squares",
    "update",
    "update_rows",
    "update_rows_bf16",
    "weighted_sums",
    "winograd_backward_inputs",
    "winograd_backward_weights",
    "winograd_forward",
    "winograd_transform",
]

def activation_backward(
    isa: str,
    x: numpy.ndarray,
    y: numpy.ndarray,
    dy: numpy.ndarray,
    out: numpy.ndarray,
    activation: str,
) -> None: ...
def activation_forward(isa: str, x: numpy.ndarray, out: numpy.ndarray, activation: str) -> None: ...
def activity_penalty(
    isa: str,
    x: numpy.ndarray,
    l1: typing.SupportsFloat | typing.SupportsIndex,
    l2: typing.SupportsFloat | typing.SupportsIndex,
    weights: numpy.ndarray | None,
    scale: typing.SupportsFloat | typing.SupportsIndex,
    dy: numpy.ndarray,
) -> tuple[numpy.ndarray, numpy.ndarray]: ...
def add(isa: str, a: numpy.ndarray, b: numpy.ndarray, out: numpy.ndarray) -> None: ...
def add_scaled_rows(
    isa: str, factors: numpy.ndarray, x: numpy.ndarray, out: numpy.ndarray
) -> None: ...
def average_pool_backward(
    isa: str,
    dy: numpy.ndarray,
    window: typing.Annotated[
        collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(12)"
    ],
) -> numpy.ndarray: ...
def average_pool_forward(
    isa: str,
    x: numpy.ndarray,
    window: typing.Annotated[
        collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(12)"
    ],
) -> numpy.ndarray: ...
def bag_backward(
    isa: str,
    mode: str,
    v: numpy.ndarray,
    ids: numpy.ndarray,
    padding: typing.SupportsInt | typing.SupportsIndex,
    weights: numpy.ndarray | None,
    chosen: numpy.ndarray,
    y: numpy.ndarray,
    dy: numpy.ndarray,
) -> tuple[numpy.ndarray, numpy.ndarray]: ...
def bag_forward(
    isa: str,
    mode: str,
    v: numpy.ndarray,
    ids: numpy.ndarray,
    padding: typing.SupportsInt | typing.SupportsIndex,
    weights: numpy.ndarray | None,
) -> tuple[numpy.ndarray, numpy.ndarray]: ...
def batch_norm_backward(
    isa: str,
    x: numpy.ndarray,
    dy: numpy.ndarray,
    mean: numpy.ndarray,
    inverse: numpy.ndarray,
    a: numpy.ndarray,
    b: numpy.ndarray,
    factor: numpy.ndarray,
    out: numpy.ndarray,
) -> None: ...
def batch_norm_sums(
    isa: str, x: numpy.ndarray, dy: numpy.ndarray, mean: numpy.ndarray, inverse: numpy.ndarray
) -> tuple[numpy.ndarray, numpy.ndarray]: ...
def bf16_backward_weights(
    isa: str,
    x: numpy.ndarray,
    dy: numpy.ndarray,
    begin: typing.SupportsInt | typing.SupportsIndex,
    end: typing.SupportsInt | typing.SupportsIndex,
    n: typing.SupportsInt | typing.SupportsIndex,
) -> numpy.ndarray: ...
def bf16_forward(
    isa: str,
    x: numpy.ndarray,
    w: numpy.ndarray,
    b: numpy.ndarray | None,
    k: typing.SupportsInt | typing.SupportsIndex,
    n: typing.SupportsInt | typing.SupportsIndex,
    relu: bool = False,
) -> numpy.ndarray: ...
def bf16_pair_columns(isa: str, x: numpy.ndarray) -> numpy.ndarray: ...
def bf16_pair_rows(isa: str, x: numpy.ndarray) -> numpy.ndarray: ...
def bf16_pair_transposed(isa: str, x: numpy.ndarray) -> numpy.ndarray: ...
def bf16_round(isa: str, x: numpy.ndarray) -> numpy.ndarray: ...
def catch_up_rows(
    isa: str,
    optimizer: str,
    settings: collections.abc.Mapping[str, typing.SupportsFloat | typing.SupportsIndex],
    rates: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex],
    t: typing.SupportsInt | typing.SupportsIndex,
    penalties: tuple[
        typing.SupportsFloat | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex
    ],
    rows: numpy.ndarray,
    last: numpy.ndarray,
    w: numpy.ndarray,
    slots: collections.abc.Sequence[numpy.ndarray | None],
) -> None: ...
def channel_dropout(
    isa: str,
    x: numpy.ndarray,
    rate: typing.SupportsFloat | typing.SupportsIndex,
    seed: typing.SupportsInt | typing.SupportsIndex,
    step: typing.SupportsInt | typing.SupportsIndex,
    stream: typing.SupportsInt | typing.SupportsIndex,
    first: typing.SupportsInt | typing.SupportsIndex = 0,
) -> numpy.ndarray: ...
def class_rows(
    isa: str,
    ids: numpy.ndarray,
    v: numpy.ndarray,
    features: tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray] | None = None,
) -> numpy.ndarray: ...
def column_moments(isa: str, x: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]: ...
def column_sums(isa: str, x: numpy.ndarray) -> numpy.ndarray: ...
def conv_backward_inputs(
    isa: str,
    dy: numpy.ndarray,
    w: numpy.ndarray,
    window: typing.Annotated[
        collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(12)"
    ],
    groups: typing.SupportsInt | typing.SupportsIndex = 1,
) -> numpy.ndarray: ...
def conv_backward_weights(
    isa: str,
    x: numpy.ndarray,
    dy: numpy.ndarray,
    window: typing.Annotated[
        collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(12)"
    ],
    groups: typing.SupportsInt | typing.SupportsIndex = 1,
    begin: typing.SupportsInt | typing.SupportsIndex = 0,
    end: typing.SupportsInt | typing.SupportsIndex | None = None,
) -> numpy.ndarray: ...
def conv_forward(
    isa: str,
    x: numpy.ndarray,
    w: numpy.ndarray,
    b: numpy.ndarray | None,
    window: typing.Annotated[
        collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(12)"
    ],
    groups: typing.SupportsInt | typing.SupportsIndex = 1,
    activation: str = "identity",
) -> numpy.ndarray: ...
def copy_columns(isa: str, x: numpy.ndarray, out: numpy.ndarray) -> None: ...
def count_scores(
    isa: str, x: numpy.ndarray, score: typing.SupportsFloat | typing.SupportsIndex
) -> tuple[int, int]: ...
def dense_backward_inputs(
    isa: str,
    dy: numpy.ndarray,
    w: numpy.ndarray,
    repeat: typing.SupportsInt | typing.SupportsIndex = 1,
) -> numpy.ndarray: ...
def dense_backward_weights(
    isa: str,
    x: numpy.ndarray,
    dy: numpy.ndarray,
    begin: typing.SupportsInt | typing.SupportsIndex = 0,
    end: typing.SupportsInt | typing.SupportsIndex | None = None,
    repeat: typing.SupportsInt | typing.SupportsIndex = 1,
) -> numpy.ndarray: ...
def dense_forward(
    isa: str,
    x: numpy.ndarray,
    w: numpy.ndarray,
    b: numpy.ndarray | None,
    activation: str = "identity",
    repeat: typing.SupportsInt | typing.SupportsIndex = 1,
) -> numpy.ndarray: ...
def distances(isa: str, q: numpy.ndarray, v: numpy.ndarray) -> numpy.ndarray: ...
def dot_backward(
    isa: str, a: numpy.ndarray, b: numpy.ndarray, dy: numpy.ndarray
) -> tuple[numpy.ndarray, numpy.ndarray]: ...
def dot_forward(isa: str, a: numpy.ndarray, b: numpy.ndarray) -> numpy.ndarray: ...
def draw_classes(
    isa: str,
    m: typing.SupportsInt | typing.SupportsIndex,
    n: typing.SupportsInt | typing.SupportsIndex,
    units: typing.SupportsInt | typing.SupportsIndex,
    alias: numpy.ndarray | None,
    seed: typing.SupportsInt | typing.SupportsIndex,
    step: typing.SupportsInt | typing.SupportsIndex,
    stream: typing.SupportsInt | typing.SupportsIndex,
    first: typing.SupportsInt | typing.SupportsIndex = 0,
) -> numpy.ndarray: ...
def dropout(
    isa: str,
    x: numpy.ndarray,
    amount: typing.SupportsFloat | typing.SupportsIndex,
    seed: typing.SupportsInt | typing.SupportsIndex,
    step: typing.SupportsInt | typing.SupportsIndex,
    stream: typing.SupportsInt | typing.SupportsIndex,
    first: typing.SupportsInt | typing.SupportsIndex = 0,
) -> numpy.ndarray: ...
def embedding_forward(isa: str, v: numpy.ndarray, ids: numpy.ndarray) -> numpy.ndarray: ...
def embedding_sums(
    isa: str, starts: numpy.ndarray, order: numpy.ndarray, dy: numpy.ndarray
) -> numpy.ndarray: ...
def epoch_order(
    isa: str,
    seed: typing.SupportsInt | typing.SupportsIndex,
    epoch: typing.SupportsInt | typing.SupportsIndex,
    n: typing.SupportsInt | typing.SupportsIndex,
) -> numpy.typing.NDArray[numpy.int32]: ...
def feature_coefficients(
    isa: str,
    ids: numpy.ndarray,
    factors: numpy.ndarray,
    v: numpy.ndarray,
    features: tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray],
) -> numpy.ndarray: ...
def feature_scores(
    isa: str,
    z: numpy.ndarray,
    v: numpy.ndarray,
    features: tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray],
    out: numpy.ndarray,
) -> None: ...
def feature_scores_backward(
    isa: str,
    dy: numpy.ndarray,
    v: numpy.ndarray,
    features: tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray],
) -> numpy.ndarray: ...
def gather_bf16(isa: str, table: numpy.ndarray, ids: numpy.ndarray) -> numpy.ndarray: ...
def gather_bytes(
    isa: str, x: numpy.ndarray, rows: numpy.ndarray | None, out: numpy.ndarray
) -> None: ...
def gather_rows(isa: str, x: numpy.ndarray, rows: numpy.ndarray | None) -> numpy.ndarray: ...
def gaussian_noise(
    isa: str,
    x: numpy.ndarray,
    amount: typing.SupportsFloat | typing.SupportsIndex,
    seed: typing.SupportsInt | typing.SupportsIndex,
    step: typing.SupportsInt | typing.SupportsIndex,
    stream: typing.SupportsInt | typing.SupportsIndex,
    first: typing.SupportsInt | typing.SupportsIndex = 0,
) -> numpy.ndarray: ...
def layer_norm_backward(
    isa: str, x: numpy.ndarray, dy: numpy.ndarray, gamma: numpy.ndarray | None, kept: numpy.ndarray
) -> numpy.ndarray: ...
def layer_norm_forward(
    isa: str,
    x: numpy.ndarray,
    gamma: numpy.ndarray | None,
    beta: numpy.ndarray | None,
    epsilon: typing.SupportsFloat | typing.SupportsIndex,
) -> tuple[numpy.ndarray, numpy.ndarray]: ...
def layer_norm_gamma(
    isa: str, x: numpy.ndarray, dy: numpy.ndarray, kept: numpy.ndarray
) -> numpy.ndarray: ...
def loss(
    isa: str,
    kind: str,
    z: numpy.ndarray,
    target: numpy.ndarray,
    weights: numpy.ndarray | None,
    scale: typing.SupportsFloat | typing.SupportsIndex = 1.0,
    delta: typing.SupportsFloat | typing.SupportsIndex = 1.0,
) -> tuple[numpy.ndarray, numpy.ndarray]: ...
def max_pool_backward(
    isa: str,
    chosen: numpy.ndarray,
    dy: numpy.ndarray,
    window: typing.Annotated[
        collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(12)"
    ],
) -> numpy.ndarray: ...
def max_pool_forward(
    isa: str,
    x: numpy.ndarray,
    window: typing.Annotated[
        collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(12)"
    ],
) -> tuple[numpy.ndarray, numpy.ndarray]: ...
def metric(
    isa: str,
    kind: str,
    z: numpy.ndarray,
    target: numpy.ndarray,
    weights: numpy.ndarray | None,
    threshold: typing.SupportsFloat | typing.SupportsIndex = 0.0,
) -> numpy.ndarray: ...
def move_images(
    isa: str,
    x: numpy.ndarray,
    size: tuple[
        typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex
    ],
    shift: tuple[
        typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex
    ],
    flip: str,
    nearest: bool,
    key: tuple[
        typing.SupportsInt | typing.SupportsIndex,
        typing.SupportsInt | typing.SupportsIndex,
        typing.SupportsInt | typing.SupportsIndex,
    ]
    | None,
    first: typing.SupportsInt | typing.SupportsIndex = 0,
) -> numpy.ndarray: ...
def move_images_backward(
    isa: str,
    x: numpy.ndarray,
    dy: numpy.ndarray,
    shift: tuple[
        typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex
    ],
    flip: str,
    nearest: bool,
    key: tuple[
        typing.SupportsInt | typing.SupportsIndex,
        typing.SupportsInt | typing.SupportsIndex,
        typing.SupportsInt | typing.SupportsIndex,
    ]
    | None,
    first: typing.SupportsInt | typing.SupportsIndex = 0,
) -> numpy.ndarray: ...
def multiply(isa: str, a: numpy.ndarray, b: numpy.ndarray, out: numpy.ndarray) -> None: ...
def multiply_adds(
    isa: str, rounds: typing.SupportsInt | typing.SupportsIndex
) -> tuple[float, float]: ...
def random_normal(
    isa: str,
    seed: typing.SupportsInt | typing.SupportsIndex,
    stream: typing.SupportsInt | typing.SupportsIndex,
    n: typing.SupportsInt | typing.SupportsIndex,
) -> numpy.typing.NDArray[numpy.float64]: ...
def random_rows(isa: str, w: numpy.ndarray, rows: numpy.ndarray) -> None: ...
def random_uniform(
    isa: str,
    seed: typing.SupportsInt | typing.SupportsIndex,
    stream: typing.SupportsInt | typing.SupportsIndex,
    n: typing.SupportsInt | typing.SupportsIndex,
) -> numpy.typing.NDArray[numpy.float64]: ...
def ranking(
    isa: str,
    kind: str,
    u: numpy.ndarray,
    ids: numpy.ndarray,
    v: numpy.ndarray,
    bias: numpy.ndarray | None,
    features: tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray] | None = None,
    margin: typing.SupportsFloat | typing.SupportsIndex = 1.0,
    weights: numpy.ndarray | None = None,
    scale: typing.SupportsFloat | typing.SupportsIndex = 1.0,
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray, numpy.ndarray]: ...
def regularize(
    isa: str,
    w: numpy.ndarray,
    l2: typing.SupportsFloat | typing.SupportsIndex,
    clip_value: typing.SupportsFloat | typing.SupportsIndex,
    g: numpy.ndarray,
) -> None: ...
def sampled_softmax(
    isa: str,
    z: numpy.ndarray,
    added: numpy.ndarray,
    label: numpy.ndarray,
    weights: numpy.ndarray | None = None,
    scale: typing.SupportsFloat | typing.SupportsIndex = 1.0,
) -> numpy.ndarray: ...
def scale(
    isa: str,
    x: numpy.ndarray,
    factor: typing.SupportsFloat | typing.SupportsIndex,
    offset: typing.SupportsFloat | typing.SupportsIndex,
    out: numpy.ndarray,
) -> None: ...
def scale_columns(
    isa: str,
    x: numpy.ndarray,
    factor: numpy.ndarray,
    offset: numpy.ndarray,
    out: numpy.ndarray,
    activation: str = "identity",
) -> None: ...
def select(
    isa: str,
    x: numpy.ndarray,
    threshold: typing.SupportsFloat | typing.SupportsIndex,
    first: typing.SupportsInt | typing.SupportsIndex,
    room: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[numpy.ndarray, numpy.ndarray, int]: ...
def softmax_backward(isa: str, y: numpy.ndarray, dy: numpy.ndarray) -> numpy.ndarray: ...
def softmax_forward(isa: str, x: numpy.ndarray) -> numpy.ndarray: ...
def sort_ids(
    isa: str, ids: numpy.ndarray, v: typing.SupportsInt | typing.SupportsIndex
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]: ...
def sum(isa: str, x: numpy.ndarray) -> float: ...
def sum_squares(isa: str, x: numpy.ndarray) -> float: ...
def update(
    isa: str,
    optimizer: str,
    settings: collections.abc.Mapping[str, typing.SupportsFloat | typing.SupportsIndex],
    w: numpy.ndarray,
    slots: collections.abc.Sequence[numpy.ndarray | None],
    g: numpy.ndarray,
    stream: bool = False,
) -> None: ...
def update_rows(
    isa: str,
    optimizer: str,
    settings: collections.abc.Mapping[str, typing.SupportsFloat | typing.SupportsIndex],
    rows: numpy.ndarray,
    w: numpy.ndarray,
    slots: collections.abc.Sequence[numpy.ndarray | None],
    g: numpy.ndarray,
) -> None: ...
def update_rows_bf16(
    isa: str,
    optimizer: str,
    settings: collections.abc.Mapping[str, typing.SupportsFloat | typing.SupportsIndex],
    rows: numpy.ndarray,
    w: numpy.ndarray,
    slots: collections.abc.Sequence[numpy.ndarray | None],
    g: numpy.ndarray,
    noise: tuple[
        typing.SupportsInt | typing.SupportsIndex,
        typing.SupportsInt | typing.SupportsIndex,
        typing.SupportsInt | typing.SupportsIndex,
    ],
) -> None: ...
def weighted_sums(
    isa: str,
    starts: numpy.ndarray,
    order: numpy.ndarray,
    coefficients: numpy.ndarray,
    x: numpy.ndarray,
) -> numpy.ndarray: ...
def winograd_backward_inputs(
    isa: str,
    dy: numpy.ndarray,
    ut: numpy.ndarray,
    channels: typing.SupportsInt | typing.SupportsIndex,
    border: typing.Annotated[
        collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(4)"
    ],
    precision: str = "float32",
) -> numpy.ndarray: ...
def winograd_backward_weights(
    isa: str,
    x: numpy.ndarray,
    dy: numpy.ndarray,
    border: typing.Annotated[
        collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(4)"
    ],
    begin: typing.SupportsInt | typing.SupportsIndex = 0,
    end: typing.SupportsInt | typing.SupportsIndex | None = None,
    precision: str = "float32",
) -> numpy.ndarray: ...
def winograd_forward(
    isa: str,
    x: numpy.ndarray,
    u: numpy.ndarray,
    b: numpy.ndarray | None,
    filters: typing.SupportsInt | typing.SupportsIndex,
    border: typing.Annotated[
        collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(4)"
    ],
    activation: str = "identity",
    precision: str = "float32",
) -> numpy.ndarray: ...
def winograd_transform(
    isa: str,
    w: numpy.ndarray,
    begin: typing.SupportsInt | typing.SupportsIndex = 0,
    end: typing.SupportsInt | typing.SupportsIndex | None = None,
    precision: str = "float32",
) -> tuple[numpy.ndarray, numpy.ndarray]: ...
