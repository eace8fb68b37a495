"""Every array argument of every bound function, in twelve odd shapes of memory."""

import inspect

import numpy as np
import pytest
from fastnn import _core
from fastnn._core import kernels

from tests.robustness.jobs import bits, dense
from tests.robustness.odd import KINDS, odd

M, K, N = 6, 5, 4
ROWS = np.arange(M * K, dtype=np.float32).reshape(M, K) / 8 + 0.25
OTHER = ROWS[:, ::-1].copy()
WEIGHTS = np.linspace(-1, 1, K * N, dtype=np.float32).reshape(K, N)
GRADIENT = np.linspace(1, 2, M * N, dtype=np.float32).reshape(M, N)
PER_ROW = np.linspace(1, 2, M, dtype=np.float32)
TABLE = np.linspace(-1, 1, 7 * K, dtype=np.float32).reshape(7, K)
IDS = np.array([6, 0, 3, 3, 1, 0], np.int32)
HALVES = (TABLE.view(np.uint32) >> 16).astype(np.uint16)
SEEN = np.array([0, 1, 2, 0, 1, 2, 0], np.int32)
BAGS = IDS.reshape(M // 2, 2)
PER_BAG = PER_ROW.reshape(M // 2, 2)
CHOSEN = np.array([[0, 1, 1, 0, 1]] * 3, np.int32)
OUT = np.zeros_like(ROWS)
TILES = np.linspace(-1, 1, 2 * 5 * 6 * 16, dtype=np.float32).reshape(2, 5, 6, 16)
BORDER = (1, 1, 1, 1)
FILTERS = np.linspace(-1, 2, 9 * 16 * 16, dtype=np.float32).reshape(3, 3, 16, 16)
TRANSFORMED = kernels.winograd_transform(_core.instruction_sets()[0], FILTERS)[0]
PIXELS = np.arange(7 * K, dtype=np.uint8).reshape(7, K)
IMAGES = (np.arange(36, dtype=np.float32) / 8 + 0.25).reshape(2, 3, 3, 2)
KERNEL = np.linspace(-1, 1, 2 * 2 * 2 * 3, dtype=np.float32).reshape(2, 2, 2, 3)
WINDOW = (3, 3, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0)
PLACES = np.linspace(1, 2, 2 * 2 * 2 * 3, dtype=np.float32).reshape(2, 2, 2, 3)
CHOSEN_PIXELS = np.resize(np.array([0, 4, 3], np.int32), PLACES.shape)
KEPT = np.linspace(-1, 1, 2 * M, dtype=np.float32).reshape(M, 2)
BEST = _core.instruction_sets()[0]
ROW_PAIRS = kernels.bf16_pair_columns(BEST, ROWS)
WEIGHT_PAIRS = kernels.bf16_pair_rows(BEST, WEIGHTS)
PAIRED_ROWS = kernels.bf16_pair_rows(BEST, ROWS)
PAIRED_GRADIENT = kernels.bf16_pair_rows(BEST, GRADIENT)
SETTINGS = {"rate": 0.1, "decay_1": 0.9, "decay_2": 0.99, "correction_1": 1.0, "correction_2": 1.0}
SETTINGS |= {"epsilon": 1e-7}

# One call of each kernel: its arguments after isa; arrays that it writes to have WRITTEN's names.
CALLS = {
    "dense_forward": (ROWS, WEIGHTS, WEIGHTS[0].copy(), "relu"),
    "dense_backward_inputs": (GRADIENT, WEIGHTS),
    "dense_backward_weights": (ROWS, GRADIENT),
    "column_sums": (ROWS,),
    "bf16_round": (ROWS,),
    "bf16_pair_columns": (ROWS,),
    "bf16_pair_rows": (ROWS,),
    "bf16_pair_transposed": (ROWS,),
    "bf16_forward": (ROW_PAIRS, WEIGHT_PAIRS, WEIGHTS[0].copy(), K, N, True),
    "bf16_backward_weights": (PAIRED_ROWS, PAIRED_GRADIENT, 0, K, N),
    "conv_forward": (IMAGES, KERNEL, KERNEL[0, 0, 0].copy(), WINDOW),
    "conv_backward_inputs": (PLACES, KERNEL, WINDOW),
    "conv_backward_weights": (IMAGES, PLACES, WINDOW),
    "activation_forward": (ROWS, OUT, "tanh"),
    "activation_backward": (ROWS, OTHER, ROWS, OUT, "sigmoid"),
    "softmax_forward": (ROWS,),
    "softmax_backward": (ROWS, OTHER),
    "loss": ("mean_squared_error", ROWS, OTHER, PER_ROW),
    "metric": ("squared", ROWS, OTHER, PER_ROW),
    "sum": (ROWS,),
    "sum_squares": (ROWS,),
    "activity_penalty": (ROWS, 0.1, 0.2, PER_ROW, 1.0, OTHER),
    "update": ("adam", SETTINGS, ROWS, [OTHER, ROWS, None], OTHER),
    "update_rows": ("sgd", SETTINGS, IDS[:2].copy(), TABLE, [None, None, None], TABLE[:2].copy()),
    "update_rows_bf16": (
        *("sgd", SETTINGS, IDS[:2].copy(), HALVES, [None, None, None], TABLE[:2].copy()),
        (1, 2, 3),
    ),
    "gather_bf16": (HALVES, IDS),
    "catch_up_rows": (
        *("sgd", {"weight_decay": 0.1}, (0.1, 0.2), 1, (0.0, 0.0), IDS[:2].copy(), SEEN),
        *(TABLE, [None, None, None]),
    ),
    "random_rows": (TABLE, IDS),
    "regularize": (ROWS, 0.1, 0.0, OTHER),
    "embedding_forward": (TABLE, IDS),
    "sort_ids": (IDS, 7),
    "embedding_sums": (np.array([0, 2, 6], np.int32), IDS - IDS.min(), TABLE),
    "bag_forward": ("mean", TABLE, BAGS, -1, PER_BAG),
    "bag_backward": ("mean", TABLE, BAGS, -1, PER_BAG, CHOSEN, ROWS[:3].copy(), OTHER[:3].copy()),
    "gather_rows": (TABLE, IDS),
    "gather_bytes": (PIXELS, IDS, OUT),
    "dot_forward": (ROWS, OTHER),
    "dot_backward": (ROWS, OTHER, PER_ROW),
    "copy_columns": (ROWS, OUT),
    "add": (ROWS, OTHER, OUT),
    "multiply": (ROWS, OTHER, OUT),
    "scale": (ROWS, 2.0, 1.0, OUT),
    "dropout": (ROWS, 0.5, 1, 2, 3),
    "gaussian_noise": (ROWS, 0.5, 1, 2, 3),
    "winograd_transform": (FILTERS,),
    "winograd_forward": (TILES, TRANSFORMED, FILTERS[0, 0, 0].copy(), 16, BORDER, "relu"),
    "winograd_backward_inputs": (TILES, TRANSFORMED, 16, BORDER),
    "winograd_backward_weights": (TILES, TILES[:, ::-1].copy(), BORDER),
    "max_pool_forward": (IMAGES, WINDOW),
    "max_pool_backward": (CHOSEN_PIXELS, PLACES, WINDOW),
    "average_pool_forward": (IMAGES, WINDOW),
    "average_pool_backward": (PLACES, WINDOW),
    "column_moments": (ROWS,),
    "scale_columns": (ROWS, WEIGHTS[:, 0].copy(), WEIGHTS[:, 1].copy(), OUT, "relu"),
    "batch_norm_sums": (ROWS, OTHER, WEIGHTS[:, 0].copy(), WEIGHTS[:, 1].copy()),
    "batch_norm_backward": (ROWS, OTHER, *WEIGHTS[:, [0, 1, 2, 3, 0]].T.copy(), OUT),
    "layer_norm_forward": (ROWS, WEIGHTS[:, 0].copy(), WEIGHTS[:, 1].copy(), 1e-3),
    "layer_norm_backward": (ROWS, OTHER, WEIGHTS[:, 0].copy(), KEPT),
    "layer_norm_gamma": (ROWS, OTHER, KEPT),
    "move_images": (IMAGES, (2, 2), (1, 1), "both", True, (1, 2, 3)),
    "move_images_backward": (IMAGES, IMAGES, (1, 1), "both", True, (1, 2, 3)),
    "channel_dropout": (IMAGES[0], 0.5, 1, 2, 3),
    "select": (ROWS.ravel(), 1.0, 3, 90),
    "count_scores": (ROWS.ravel(), 1.25),
    "distances": (ROWS, OTHER),
}
GIVEN = np.array([[0, 2], [1, -1], [2, 2], [-1, 0], [1, 1], [0, 0], [2, 1]], np.int32)
SHARES = np.linspace(0.5, 1.5, 14, dtype=np.float32).reshape(7, 2)
FEATURES = (GIVEN, SHARES, TABLE[:3].copy())
ALIAS = np.array([[2**31, 1], [2**32 - 1, 1], [2**30, 0]], np.uint32)
DRAWN = np.array([[6, 0, 3], [1, 1, 2], [0, 5, 4], [3, 3, 3], [2, 1, 0], [5, 6, 6]], np.int32)
CALLS |= {
    "draw_classes": (3, 5, 3, ALIAS, 7, 1, 2),
    "class_rows": (IDS, TABLE, FEATURES),
    "ranking": ("bpr", ROWS, DRAWN, TABLE, TABLE[:, 0].copy(), FEATURES, 1.0, PER_ROW),
    "sampled_softmax": (OTHER, WEIGHTS[:, 0].copy(), PER_ROW + 1, PER_ROW),
    "add_scaled_rows": (PER_ROW, ROWS, OUT),
    "weighted_sums": (
        np.array([0, 2, 6], np.int32),
        IDS - IDS // 6,
        PER_ROW[:6].reshape(3, 2),
        ROWS[:3].copy(),
    ),
    "feature_coefficients": (IDS, PER_ROW, TABLE, FEATURES),
    "feature_scores": (ROWS[:, :3].copy(), TABLE, FEATURES, np.zeros((M, 7), np.float32)),
    "feature_scores_backward": (np.ones((M, 7), np.float32), TABLE, FEATURES),
}
NO_ARRAYS = {"epoch_order", "multiply_adds", "random_uniform", "random_normal"}


def private_copies(arguments):
    """Return arguments of which a call may change any."""
    return [
        [None if slot is None else slot.copy() for slot in value]
        if isinstance(value, list)
        else value.copy()
        if isinstance(value, np.ndarray)
        else value
        for value in arguments
    ]


def outcome(name, arguments):
    """Return what a call gives back and what it leaves in its arguments, as one row of numbers."""
    given = getattr(kernels, name)(BEST, *arguments)
    arrays = [value for value in arguments if isinstance(value, np.ndarray)]
    results = given if isinstance(given, tuple) else (given,)
    numbers = [value for value in (*results, *arrays) if value is not None]
    return np.concatenate([np.ravel(value).astype(np.float64) for value in numbers])


def test_every_kernel_has_a_call():
    functions = {name for name, _ in inspect.getmembers(kernels, inspect.isbuiltin)}
    assert functions == CALLS.keys() | NO_ARRAYS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CALLS)
def test_an_odd_array_gives_the_result_of_a_plain_one_or_is_refused(name, kind, tmp_path):
    expected = outcome(name, private_copies(CALLS[name]))
    for at, value in enumerate(CALLS[name]):
        if isinstance(value, np.ndarray):
            arguments = private_copies(CALLS[name])
            arguments[at] = array = odd(kind, arguments[at], tmp_path)
            base = array.base if isinstance(array, np.ndarray) else None
            around = np.array(base) if isinstance(base, np.ndarray) else None
            message = refusal(lambda: assert_close(outcome(name, arguments), expected))  # noqa: B023
            if message is not None:
                assert explains(message)
                assert around is None or np.array_equal(np.array(base), around)


def assert_close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def refusal(call):
    """Return the message of the error that a call raises, or None."""
    try:
        call()
    except (ValueError, TypeError) as error:
        return str(error)
    return None


def explains(message):
    return "expected" in message or "incompatible function arguments" in message


BAD_IDS = [-1, 7, 2**31 - 1, -(2**31)]


@pytest.mark.parametrize("bad", BAD_IDS)
@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("update_rows", 2),
        ("embedding_forward", 1),
        ("sort_ids", 0),
        ("embedding_sums", 0),
        ("embedding_sums", 1),
        ("bag_forward", 2),
        ("bag_backward", 2),
        ("gather_rows", 1),
        ("gather_bytes", 1),
        ("class_rows", 0),
        ("ranking", 2),
        ("weighted_sums", 0),
        ("weighted_sums", 1),
        ("feature_coefficients", 0),
    ],
)
def test_an_id_outside_its_table_is_refused_before_any_write(name, at, bad):
    arguments = private_copies(CALLS[name])
    arguments[at].flat[-1] = bad
    with pytest.raises(ValueError, match="expected"):
        getattr(kernels, name)(BEST, *arguments)


@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_an_engine_refuses_what_it_does_not_take(kind, at, tmp_path):
    model, _, _ = dense()
    engine = model.network.engine
    before = bits(model)
    x, labels = np.ones((4, 20), np.float32), np.zeros(4, np.int32)
    arrays = [x, labels, np.ones(4, np.float32)]
    plain = engine.evaluate([arrays[0]], [arrays[1]], arrays[2])
    arrays[at] = odd(kind, arrays[at], tmp_path)
    found = []
    message = refusal(lambda: found.append(engine.evaluate([arrays[0]], [arrays[1]], arrays[2])))
    assert found == [plain] if message is None else explains(message)
    assert bits(model) == before
