import numpy as np
import pytest
from fastnn import _core
from fastnn.reference import images, rng

kernels = _core.kernels
SEED = 0xFEDCBA9876543210
STEP = 12345
NODE = 3
STREAM = rng.NODES + 4 * NODE  # as docs/design.md, section 4, has it
KEY = (SEED, STEP, STREAM)
N_IMAGES = 40  # enough for every draw of the small images below

# (h, w, channels), (oh, ow), (rows, columns), flip: images, cut to a size, shifted, flipped.
MOVES = [
    ((5, 4, 1), (5, 4), (0, 0), "horizontal"),
    ((5, 4, 3), (5, 4), (0, 0), "vertical"),
    ((1, 6, 2), (1, 6), (0, 0), "both"),
    ((5, 4, 3), (5, 4), (2, 1), "none"),
    ((3, 2, 17), (3, 2), (4, 5), "none"),
    ((4, 33, 1), (4, 33), (0, 3), "none"),
    ((6, 5, 2), (4, 3), (0, 0), "none"),
    ((5, 6, 1), (1, 6), (0, 0), "none"),
    ((7, 6, 2), (5, 6), (1, 2), "both"),
]


def drawn(shape, size, shift, flip, nearest):
    """Return the moves, and the rows and columns of the pixels that they show of each image."""
    (h, w, _), (oh, ow), (down, right) = shape, size, shift
    across, over = flip in ("both", "horizontal"), flip in ("both", "vertical")
    moves = images.Moves(h, w, oh, ow, down, right, across, over, nearest)
    u = rng.noise_uniform(SEED, NODE, STEP, N_IMAGES, 4)
    return moves, *images.draw_pixels(moves, u, N_IMAGES)


@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize(("shape", "size", "shift", "flip"), MOVES)
def test_images_are_moved_as_the_reference_moves_them(
    isa, dtype, shape, size, shift, flip, nearest, random
):
    x = random.normal(size=(N_IMAGES, *shape)).astype(dtype)
    y = kernels.move_images(isa, x, size, shift, flip, nearest, KEY)
    _, rows, columns = drawn(shape, size, shift, flip, nearest)
    assert y.tobytes() == images.move_images(x, rows, columns).tobytes()


@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize(("shape", "size", "shift", "flip"), MOVES)
def test_gradients_return_to_the_pixels_shown(
    isa, dtype, shape, size, shift, flip, nearest, random
):
    x = np.zeros((N_IMAGES, *shape), dtype)
    dy = random.normal(size=(N_IMAGES, *size, shape[2])).astype(dtype)
    dx = kernels.move_images_backward(isa, x, dy, shift, flip, nearest, KEY)
    moves, rows, columns = drawn(shape, size, shift, flip, nearest)
    # Both add up in the order of the output, so that sums agree to the bit.
    assert np.array_equal(dx, images.move_images_backward(dy, rows, columns, moves))


def test_shifts_and_cuts_take_every_value(isa):
    x = np.arange(5.0).reshape(1, 1, 5, 1).repeat(N_IMAGES, axis=0)
    cut = kernels.move_images(isa, x, (1, 3), (0, 0), "none", False, KEY)[:, 0, :, 0]
    assert np.unique(cut, axis=0).tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    shifted = kernels.move_images(isa, x, (1, 5), (0, 1), "none", True, KEY)[:, 0, :, 0]
    expected = [[0, 0, 1, 2, 3], [0, 1, 2, 3, 4], [1, 2, 3, 4, 4]]
    assert np.unique(shifted, axis=0).tolist() == expected


def test_without_a_key_the_middle_is_cut(isa, dtype, random):
    x = random.normal(size=(3, 6, 5, 2)).astype(dtype)
    y = kernels.move_images(isa, x, (3, 3), (2, 2), "both", True, None)
    assert y.tobytes() == x[:, 1:4, 1:4].tobytes()
    dx = kernels.move_images_backward(isa, x, y, (2, 2), "both", True, None)
    expected = np.zeros_like(x)
    expected[:, 1:4, 1:4] = y
    assert dx.tobytes() == expected.tobytes()


def test_images_may_be_cut_into_calls_anywhere(isa, dtype, random):
    x = random.normal(size=(20, 5, 4, 3)).astype(dtype)
    settings = ((4, 4), (1, 1), "both", True, KEY)
    whole = kernels.move_images(isa, x, *settings)
    gradient = kernels.move_images_backward(isa, x, whole, *settings[1:])
    dropped = kernels.channel_dropout(isa, x.reshape(20, 20, 3), 0.5, *KEY)
    for a, b in ((0, 1), (1, 14), (14, 20)):
        part = kernels.move_images(isa, x[a:b], *settings, first=a)
        assert part.tobytes() == whole[a:b].tobytes()
        part = kernels.move_images_backward(isa, x[a:b], whole[a:b], *settings[1:], first=a)
        assert part.tobytes() == gradient[a:b].tobytes()
        part = kernels.channel_dropout(isa, x[a:b].reshape(b - a, 20, 3), 0.5, *KEY, first=a)
        assert part.tobytes() == dropped[a:b].tobytes()


@pytest.mark.parametrize("channels", [1, 3, 4, 16, 17, 64, 67, 130])
@pytest.mark.parametrize("rate", [0.0, 0.4, 1.0])
def test_channels_are_dropped_as_the_reference_draws(isa, dtype, channels, rate, random):
    x = random.normal(size=(6, 5, channels)).astype(dtype)
    y = kernels.channel_dropout(isa, x, rate, *KEY)
    kept = rng.noise_uniform(SEED, NODE, STEP, 6, channels) >= rate
    expected = images.channel_dropout(x.astype(np.float64)[:, None], kept, rate)[:, 0]
    np.testing.assert_allclose(y, expected, rtol=3e-7 if dtype == np.float32 else 1e-15)


@pytest.mark.parametrize(
    ("size", "shift", "flip", "message"),
    [
        ((6, 2), (0, 0), "none", r"size: expected at most \(5, 4\), got \(6, 2\)"),
        ((5, 4), (0, -1), "none", "shift: expected 0 or more, got -1"),
        ((5, 4), (0, 0), "up", "flip: expected one of none, horizontal, vertical, both, got up"),
    ],
)
def test_moves_that_make_no_sense_are_refused(size, shift, flip, message):
    with pytest.raises(ValueError, match=message):
        kernels.move_images("baseline", np.zeros((1, 5, 4, 1)), size, shift, flip, False, None)
