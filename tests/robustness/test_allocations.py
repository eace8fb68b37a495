import os
import shutil
import subprocess
import sys

import pytest

# Counts every allocation of the process; `count` is found by ctypes.
COUNTER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_memalign(size_t, size_t);
static long counted;
long count(void) { return __atomic_load_n(&counted, __ATOMIC_RELAXED); }
static void one(void) { __atomic_fetch_add(&counted, 1, __ATOMIC_RELAXED); }
void* malloc(size_t n) { one(); return __libc_malloc(n); }
void* calloc(size_t n, size_t size) { one(); return __libc_calloc(n, size); }
void* aligned_alloc(size_t a, size_t n) { one(); return __libc_memalign(a, n); }
"""

IMAGES = """
import ctypes
import numpy as np
from fastnn import Sequential, layers

count = ctypes.CDLL(None).count
model = Sequential([
    layers.Rescaling(1 / 255), layers.RandomTranslation(1, 1),
    layers.Conv2D(16, 3, activation="relu"), layers.Conv2D(18, 3, use_bias=False),
    layers.BatchNormalization(), layers.Activation("relu"), layers.MaxPooling2D(),
    layers.Conv2D(18, 3, groups=18, strides=2), layers.LayerNormalization(),
    layers.SpatialDropout2D(0.1), layers.GlobalAveragePooling2D(),
    layers.Dense(3, activation="softmax"),
], seed=0)
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
rng = np.random.default_rng(0)
n = 4000
data = [rng.integers(0, 255, (n, 10, 10, 1), dtype=np.uint8), rng.integers(0, 3, n)]
"""

TABLES = """
import ctypes, sys
import numpy as np
from fastnn import Input, Model, layers, optimizers

count = ctypes.CDLL(None).count
ids, x = Input((3,), dtype="int32", vocabulary=50), Input((5,))
bag = layers.EmbeddingBag(50, 4)(ids)
hidden = layers.Dropout(0.2)(layers.Dense(16, activation="gelu")(layers.Concatenate()([bag, x])))
model = Model([ids, x], layers.Dense(3, activation="softmax")(hidden), seed=0)
clipping = {"global_clipnorm": 1.0} if sys.argv[1] == "clipped" else {}
model.compile(optimizers.Adam(**clipping), "categorical_crossentropy", metrics=["accuracy"])
rng = np.random.default_rng(0)
n = 4000
data = [rng.integers(0, 50, (n, 3)), rng.normal(size=(n, 5)).astype("f4")], rng.integers(0, 3, n)
"""

SAMPLED = """
import ctypes, sys
import numpy as np
from fastnn import Input, Model, layers, losses

count = ctypes.CDLL(None).count
user = Input((), dtype="int32")
u = layers.Embedding(50, 8)(user)
ends = [layers.Scores(300, n_features=5, features_per_unit=2)(u) for _ in range(3)]
model = Model(user, ends, seed=0)
model.compile("adagrad", [losses.BPR(3), losses.WARP(), losses.SampledSoftmax(20)])
rng = np.random.default_rng(0)
n = 4000
data = rng.integers(0, 50, n), [rng.integers(0, 300, n) for _ in range(3)]
"""

COUNT = """
def allocations(steps):
    before = count()
    model.train_steps(steps, *data, batch_size=4, n_jobs=2)
    return count() - before

allocations(1)
print(allocations(10), allocations(900))
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs LD_PRELOAD and glibc")
@pytest.mark.parametrize(
    ("model", "how"),
    [(TABLES, "plain"), (TABLES, "clipped"), (IMAGES, "plain"), (SAMPLED, "plain")],
    ids=["tables", "clipped", "images", "sampled"],
)  # fmt: skip
def test_a_step_allocates_nothing(tmp_path, model, how):
    source, library = tmp_path / "counter.c", tmp_path / "counter.so"
    source.write_text(COUNTER)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", source, "-o", library], check=True)
    run = subprocess.run(
        [sys.executable, "-c", model + COUNT, how],
        env={**os.environ, "LD_PRELOAD": str(library), "PYTHONMALLOC": "pymalloc"},
        capture_output=True,
        text=True,
        check=True,
    )
    few, many = map(int, run.stdout.split())
    assert few > 0  # the counter works: the call itself converts arrays
    assert many - few < 20  # 890 more steps
