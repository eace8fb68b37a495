"""Random numbers by counter: Philox4x32-10, and what training draws from it.

A number depends on its counter alone (docs/design.md, section 4), so masks, noise, weights and
orders are the same in every engine and for any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]
Array = NDArray[Any]

N_ROUNDS = 10
N_ORDER_ROUNDS = 8
_LOW = np.uint64(0xFFFFFFFF)
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_KEY_STEPS = 0x9E3779B9, 0xBB67AE85

# The last counter word says what the numbers are for; nodes of a graph follow in steps of four.
ARRAYS, SHUFFLE, NODES = 0, 1, 2


def philox(counter: Array, seed: int) -> Words:
    """Four random words per counter.

    Parameters
    ----------
    counter : array of shape (..., 4)
        Words of 32 bits.
    seed : int
        The key, 64 bits.

    Returns
    -------
    array of uint32 and shape (..., 4)
        ``Philox4x32-10`` of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
    """
    c0, c1, c2, c3 = (counter[..., i].astype(np.uint64) for i in range(4))
    k0, k1 = seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF
    for _ in range(N_ROUNDS):
        a, b = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1 = (b >> np.uint64(32)) ^ c1 ^ np.uint64(k0), b & _LOW
        c2, c3 = (a >> np.uint64(32)) ^ c3 ^ np.uint64(k1), a & _LOW
        k0, k1 = (k0 + _KEY_STEPS[0]) & 0xFFFFFFFF, (k1 + _KEY_STEPS[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def to_uniform(words: Words) -> Array:
    """Words to numbers in [0, 1): multiples of 2^-24, exact in float32 and float64."""
    return (words >> np.uint32(8)).astype(np.float64) * 2.0**-24


def to_normal(words: Words) -> Array:
    """Pairs of words (2i, 2i + 1) of the last axis to pairs of normal numbers (Box and Muller)."""
    mantissa = (words >> np.uint32(8)).astype(np.float64)
    radius = np.sqrt(-2.0 * np.log((mantissa[..., 0::2] + 1.0) * 2.0**-24))
    angle = 2.0 * np.pi * (mantissa[..., 1::2] * 2.0**-24)
    normal = np.empty(words.shape)
    normal[..., 0::2], normal[..., 1::2] = radius * np.cos(angle), radius * np.sin(angle)
    return normal


def _array_words(seed: int, stream: int, n: int, first: int) -> Words:
    counter = np.zeros((-(-n // 4), 4), np.uint64)
    counter[:, 0] = first // 4 + np.arange(len(counter))
    counter[:, 2], counter[:, 3] = stream, ARRAYS
    return philox(counter, seed).reshape(-1)


def uniform(seed: int, stream: int, n: int, first: int = 0) -> Array:
    """Give ``n`` numbers in [0, 1) of one stream; parameter i of a model draws from stream i.

    ``first``, a multiple of 4, leaves out as many numbers before them.
    """
    return to_uniform(_array_words(seed, stream, n, first))[:n]


def normal(seed: int, stream: int, n: int, first: int = 0) -> Array:
    """Give ``n`` normal numbers (mean 0, deviation 1) of one stream, as `uniform` does."""
    return to_normal(_array_words(seed, stream, n, first))[:n]


def noise_words(seed: int, node: int, step: int, n_rows: int, n_columns: int) -> Words:
    """Words of shape (n_rows, a multiple of 4 not below n_columns) for one node at one step."""
    n_blocks = -(-n_columns // 4)
    counter = np.empty((n_rows, n_blocks, 4), np.uint64)
    counter[..., 0] = np.arange(n_blocks)
    counter[..., 1] = np.arange(n_rows)[:, None]
    counter[..., 2], counter[..., 3] = step & 0xFFFFFFFF, NODES + 4 * node
    return philox(counter, seed).reshape(n_rows, 4 * n_blocks)


def row_words(seed: int, node: int, step: int, rows: Array, n_columns: int) -> Words:
    """Words of shape (n_rows, n_columns) that round these rows of a table held as bfloat16."""
    n_blocks = -(-n_columns // 4)
    counter = np.empty((len(rows), n_blocks, 4), np.uint64)
    counter[..., 0] = np.arange(n_blocks)
    counter[..., 1] = np.asarray(rows)[:, None]
    counter[..., 2], counter[..., 3] = step & 0xFFFFFFFF, NODES + 1 + 4 * node
    return philox(counter, seed).reshape(len(rows), 4 * n_blocks)[:, :n_columns]


def noise_uniform(seed: int, node: int, step: int, n_rows: int, n_columns: int) -> Array:
    """Draw uniform numbers of shape (n_rows, n_columns) for one node at one step: dropout."""
    return to_uniform(noise_words(seed, node, step, n_rows, n_columns))[:, :n_columns]


def noise_normal(seed: int, node: int, step: int, n_rows: int, n_columns: int) -> Array:
    """Draw normal numbers of shape (n_rows, n_columns) for one node at one step: Gaussian noise."""
    return to_normal(noise_words(seed, node, step, n_rows, n_columns))[:, :n_columns]


def mix(x: Array) -> Array:
    """Scramble 32-bit words held in uint64."""
    x = x ^ (x >> np.uint64(16))
    x = (x * np.uint64(0x7FEB352D)) & _LOW
    x = x ^ (x >> np.uint64(15))
    x = (x * np.uint64(0x846CA68B)) & _LOW
    return x ^ (x >> np.uint64(16))


def epoch_order(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    """Order of the rows in one epoch: a permutation of [0, n).

    A Feistel network shuffles [0, 2^bits), 2^bits >= n; what falls outside [0, n) is left out.
    """
    bits = max(2, (n - 1).bit_length())
    low = bits // 2
    counter = np.zeros((N_ORDER_ROUNDS, 4), np.uint64)
    counter[:, 0] = np.arange(N_ORDER_ROUNDS)
    counter[:, 2], counter[:, 3] = epoch & 0xFFFFFFFF, SHUFFLE
    keys = philox(counter, seed)[:, 0].astype(np.uint64)
    position = np.arange(1 << bits, dtype=np.uint64)
    right_mask, left_mask = np.uint64((1 << low) - 1), np.uint64((1 << (bits - low)) - 1)
    left, right = position >> np.uint64(low), position & right_mask
    for i, key in enumerate(keys):
        if i % 2 == 0:
            left = left ^ (mix(right ^ key) & left_mask)
        else:
            right = right ^ (mix(left ^ key) & right_mask)
    order = ((left << np.uint64(low)) | right).astype(np.int64)
    return order[order < n]
