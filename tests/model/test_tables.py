"""Tables held in half the memory, or in a file; and what a table's memory costs on the way."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from fastnn import Input, Model, initializers, layers, load, optimizers

from tests import tolerance

V, D, N = 40, 6, 200
untyped: Any = layers


def model(backend="core", optimizer=None, seed=3, vocabulary=V, **settings):
    ids = Input(dtype="int32", name="ids")
    e = layers.Embedding(vocabulary, D, name="table", **settings)(ids)
    made = Model(ids, layers.Dense(1)(e), seed=seed, backend=backend)
    made.compile(optimizer or optimizers.Adagrad(0.1), "mse")
    return made


def data(seed=0, n=N):
    random = np.random.default_rng(seed)
    return random.integers(0, V, n), random.normal(size=(n, 1)).astype("f4")


def table(made):
    return made.get_weights()[0]


def halves(w):
    return (np.ascontiguousarray(w, np.float32).view(np.uint32) & 0xFFFF) == 0


OPTIMIZERS = {
    "sgd": optimizers.SGD(0.1),
    "momentum": optimizers.SGD(0.05, momentum=0.9),
    "adagrad": optimizers.Adagrad(0.1, weight_decay=0.01),
    "rowwise": optimizers.Adagrad(0.1, rowwise=True),
    "adam": optimizers.Adam(0.01),
    "clipped": optimizers.AdamW(0.01, global_clipnorm=0.1),
    "ftrl": optimizers.FTRL(0.1, l1=0.001),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_table_of_bfloat16_follows_the_reference(name):
    """Where the last bit of a float differs, a number may go to the other neighbour."""
    core, twin = (model(b, OPTIMIZERS[name], storage="bfloat16") for b in ("core", "numpy"))
    for made in (core, twin):
        made.train_steps(3, *data(), batch_size=20)
    found, expected = table(core), table(twin)
    assert halves(found).all()
    assert halves(expected).all()
    assert (found == expected).mean() > 0.98
    assert tolerance.close(found, expected, 2.0**-6)


def test_a_table_of_bfloat16_learns_as_one_of_floats():
    x, y = data(n=2000)
    y = (x[:, None] % 5).astype("f4")
    losses = []
    for storage in ("float32", "bfloat16"):
        made = model(optimizer=optimizers.Adagrad(0.1), storage=storage)
        history = made.fit(x, y, epochs=20, batch_size=50, verbose=0).history
        losses.append(history["loss"][-1])
    assert losses[1] == pytest.approx(losses[0], rel=0.1, abs=0.01)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_bit_of_a_table_of_bfloat16(threads):
    one, many = (model(storage="bfloat16", embeddings_regularizer="l2") for _ in range(2))
    one.train_steps(5, *data(), batch_size=64, n_jobs=1)
    many.train_steps(5, *data(), batch_size=64, n_jobs=threads)
    assert all(map(np.array_equal, one.get_weights(), many.get_weights()))


def test_a_table_of_bfloat16_is_saved_and_loaded(tmp_path):
    made = model(storage="bfloat16")
    made.train_steps(3, *data(), batch_size=20)
    made.save(tmp_path / "model.fnn")
    again = load(tmp_path / "model.fnn")
    assert np.array_equal(table(again), table(made))
    for each in (made, again):
        each.train_steps(3, *data(), batch_size=20)
    assert np.array_equal(table(again), table(made))


@pytest.mark.parametrize("backend", ["core", "numpy"])
def test_values_that_are_set_are_rounded_to_the_nearest_half(backend):
    made = model(backend, storage="bfloat16")
    w = np.full((V, D), 1.0 + 0.4 / 128, np.float32)
    w[0] = 1.0 + 0.6 / 128
    made.set_weights({"table/embeddings": w})
    assert (table(made)[0] == 1.0078125).all()
    assert (table(made)[1:] == 1.0).all()


@pytest.mark.parametrize("backend", ["core", "numpy"])
def test_bfloat16_wants_floats_and_touched_rows(backend):
    with pytest.raises(ValueError, match="sparse_update: expected 'touched' for storage"):
        layers.Embedding(V, D, storage="bfloat16", sparse_update="exact")
    with pytest.raises(ValueError, match="storage: expected one of"):
        layers.Embedding(V, D, storage="float16")
    ids = Input(dtype="int32")
    y = layers.Dense(1)(layers.Embedding(V, D, storage="bfloat16", name="table")(ids))
    with pytest.raises(ValueError, match="table: expected storage float32 for dtype float64"):
        Model(ids, y, dtype="float64", backend=backend)


@pytest.mark.parametrize("storage", ["float32", "bfloat16"])
def test_a_table_in_a_file_is_one_in_memory(tmp_path, storage):
    file = tmp_path / "table"
    mapped, plain = model(storage=storage, file=file), model(storage=storage)
    for made in (mapped, plain):
        made.train_steps(3, *data(), batch_size=20)
    assert np.array_equal(table(mapped), table(plain))
    stored = np.fromfile(file, np.uint16 if storage == "bfloat16" else np.float32)
    if storage == "bfloat16":
        stored = (stored.astype(np.uint32) << 16).view(np.float32)
    assert np.array_equal(stored.reshape(V, D), table(plain))


def test_values_in_a_file_are_taken_up_again(tmp_path):
    first = model(file=tmp_path / "table")
    first.train_steps(3, *data(), batch_size=20)
    trained = table(first)
    del first
    assert np.array_equal(table(model(file=tmp_path / "table", seed=8)), trained)


def test_a_bag_may_lie_in_a_file(tmp_path):
    ids = Input((3,), dtype="int32")
    bag = layers.EmbeddingBag(V, D, file=str(tmp_path / "bag"))(ids)
    made = Model(ids, layers.Dense(1)(bag), seed=0)
    assert np.array_equal(np.fromfile(tmp_path / "bag", "f4").reshape(V, D), table(made))


def test_a_loaded_model_leaves_the_file_alone(tmp_path):
    made = model(file=tmp_path / "table")
    made.train_steps(3, *data(), batch_size=20)
    made.save(tmp_path / "model.fnn")
    (tmp_path / "table").write_bytes(b"mine")
    again = load(tmp_path / "model.fnn")
    again.train_steps(3, *data(), batch_size=20)
    assert (tmp_path / "table").read_bytes() == b"mine"


def test_a_file_of_another_size_is_refused_and_kept(tmp_path):
    (tmp_path / "table").write_bytes(b"text")
    with pytest.raises(ValueError, match=f"file: expected {V * D * 4} bytes for this table, got 4"):
        model(file=tmp_path / "table")
    assert (tmp_path / "table").read_bytes() == b"text"


def test_a_file_that_cannot_be_made_is_refused(tmp_path):
    with pytest.raises(ValueError, match="file: expected one that can be read and written, got"):
        model(file=tmp_path / "missing" / "table")


def test_a_file_is_a_path(tmp_path):
    with pytest.raises(TypeError, match="file: expected a path or None, got int"):
        untyped.Embedding(V, D, file=3)
    with pytest.raises(ValueError, match="table: expected no file with the NumPy backend"):
        model("numpy", file=tmp_path / "table")


@pytest.mark.parametrize("name", ["uniform", "normal", "glorot_uniform", "he_normal", "ones"])
def test_initial_values_drawn_in_pieces_are_those_drawn_at_once(name):
    from fastnn import _core

    v = 200_001
    made = model(vocabulary=v, embeddings_initializer=name)
    draws = (lambda n: _core.random_uniform(3, 0, n)), (lambda n: _core.random_normal(3, 0, n))
    expected = initializers.get("", name).values((v, D), *draws).astype("f4")
    assert np.array_equal(table(made), expected)


PEAK = """
import resource, sys
import numpy as np
from fastnn import Input, Model, layers, optimizers

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

v, d, n = 10_000_000, 32, 200_000
rng = np.random.default_rng(0)
x, y = rng.integers(0, v, n, dtype=np.int32), rng.normal(size=(n, d)).astype("f4")
before = peak()
ids = Input(dtype="int32")
model = Model(ids, layers.Embedding(v, d, **eval(sys.argv[1]))(ids), seed=0)
model.compile(optimizers.Adagrad(0.1, rowwise=sys.argv[2] == "rowwise"), "mse")
model.train_steps(12, x, y, batch_size=16_384)
model.predict(x[:1000])
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "kind", "bytes_per_row"),
    [
        ({}, "elements", 2 * 4 * 32),
        ({}, "rowwise", 4 * 32 + 4),
        ({"storage": "bfloat16"}, "rowwise", 2 * 32 + 4),
        ({"sparse_update": "exact"}, "elements", 2 * 4 * 32),
    ],
)
def test_ten_million_rows_take_the_memory_of_the_table_and_its_slots(settings, kind, bytes_per_row):
    run = subprocess.run(
        [sys.executable, "-c", PEAK, repr(settings), kind],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(run.stdout) < bytes_per_row * 10_000_000 + 100e6
