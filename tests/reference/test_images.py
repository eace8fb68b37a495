"""Images moved at random: the counter of the design, all places reached, the middle at rest."""

import numpy as np
import pytest
from fastnn.graph import Node
from fastnn.reference import rng
from fastnn.reference.layer import Run
from fastnn.reference.plan import plan

SEED, STEP, N_IMAGES = 21, 17, 60


def layer(kind, shape, **config):
    nodes = [Node("input", "x", (), {"shape": shape}), Node(kind, "y", (0,), config)]
    return plan(nodes, np.dtype("float64"))[0][-1]


def moved(kind, image, training=True, **config):
    """Return what becomes of copies of an image (h, w) of one channel."""
    x = np.tile(np.asarray(image, float)[None, :, :, None], (N_IMAGES, 1, 1, 1))
    run = Run(N_IMAGES, training, SEED, STEP)
    return layer(kind, x.shape[1:], **config).forward([x], run)[0][..., 0]


def draws():
    """Four numbers an image: counter (0, row, step, 2 + 4 * node), node 1."""
    rows = np.arange(N_IMAGES)
    counter = np.stack([0 * rows, rows, 0 * rows + STEP, 0 * rows + 6], axis=1)
    return (rng.philox(counter.astype(np.uint64), SEED) >> 8) * 2.0**-24


def test_flips_follow_the_counter_of_the_design():
    image = np.arange(6).reshape(2, 3)
    for y, u in zip(moved("random_flip", image, mode="both"), draws(), strict=True):
        expected = image[:, ::-1] if u[0] < 0.5 else image
        expected = expected[::-1] if u[1] < 0.5 else expected
        assert y.tolist() == expected.tolist()


def test_a_mode_flips_its_axis_alone():
    image = np.arange(6).reshape(2, 3)
    for mode, flipped in (("horizontal", image[:, ::-1]), ("vertical", image[::-1])):
        found = {str(y.astype(int).tolist()) for y in moved("random_flip", image, mode=mode)}
        assert found == {str(image.tolist()), str(flipped.tolist())}


def test_shifts_follow_the_counter_of_the_design():
    """A shift of s shows x[i - s] at i: down and to the right when positive."""
    image = np.zeros((7, 7))
    image[3, 3] = 1
    y = moved("random_translation", image, height=2, width=1)
    for one, u in zip(y, draws(), strict=True):
        shift = np.floor(u[2] * 5) - 2, np.floor(u[3] * 3) - 1
        assert np.argwhere(one).tolist() == [[3 + shift[0], 3 + shift[1]]]


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        ("constant", [[0, 1, 2], [1, 2, 3], [2, 3, 0]]),
        ("nearest", [[1, 1, 2], [1, 2, 3], [2, 3, 3]]),
    ],
)
def test_what_a_shift_uncovers_is_filled(fill, expected):
    y = moved("random_translation", [[1, 2, 3]], height=0, width=1, fill=fill)
    assert np.unique(y[:, 0], axis=0).tolist() == expected


def test_crops_follow_the_counter_of_the_design():
    image = np.arange(30).reshape(5, 6)
    y = moved("random_crop", image, height=3, width=4)
    for one, u in zip(y, draws(), strict=True):
        top, left = int(u[2] * 3), int(u[3] * 3)
        assert one.tolist() == image[top : top + 3, left : left + 4].tolist()


def test_at_rest_a_crop_is_the_middle():
    image = np.arange(30).reshape(5, 6)
    y = moved("random_crop", image, training=False, height=2, width=3)
    assert (y == image[1:3, 1:4]).all()


def test_spatial_dropout_drops_whole_channels():
    x = np.ones((N_IMAGES, 4, 5, 9))
    run = Run(N_IMAGES, True, SEED, STEP)
    y, _ = layer("spatial_dropout2d", x.shape[1:], rate=0.5).forward([x], run)
    kept = rng.noise_uniform(SEED, 1, STEP, N_IMAGES, 9) >= 0.5
    assert (y == 2.0 * kept[:, None, None, :]).all()
