"""A fit takes the memory of its arrays, weights and one batch."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SCRIPT = """if True:
    import sys
    import numpy as np
    import fastnn
    from fastnn import _core, layers

    def memory(name):
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith(name))

    def forget_peak():
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")

    def dense():
        x = np.ones((100_000, 256), np.float32)
        stack = [layers.Dense(2048, activation="relu"), layers.Dense(1024), layers.Dense(1)]
        model = fastnn.Sequential(stack, input_shape=256)
        return model, x, np.zeros((len(x), 1), np.float32), 256 + 2048 + 1024 + 1

    def table():
        ids = np.random.default_rng(0).integers(500_000, size=(200_000, 4), dtype=np.int32)
        value = fastnn.Input((4,), dtype="int32")
        out = layers.Dense(1)(layers.EmbeddingBag(500_000, 32)(value))
        return fastnn.Model(value, out), ids, np.zeros((len(ids), 1), np.float32), 4 * 32 + 32 + 1

    batch, slots = 256, 2
    base = memory("VmRSS")
    model, x, y, widths = {"dense": dense, "table": table}[sys.argv[1]]()
    model.compile("adam", "mse")
    weights = 4 * model.count_params()
    arena = 2 * 4 * batch * widths  # values and gradients
    forget_peak()
    model.train_steps(20, x, y, batch_size=batch)
    limit = x.nbytes + y.nbytes + weights * (1 + slots) + arena
    print(memory("VmHWM") - base - limit)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("job", ["dense", "table"])
def test_a_fit_takes_little_more_than_its_arrays_and_weights(job):
    command = [sys.executable, "-c", SCRIPT, job]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 60e6


SCARCE = """if True:
    import resource
    import numpy as np
    import fastnn
    from fastnn import layers

    def attempt(call):
        try:
            call()
        except MemoryError:
            return True
        return False

    # One row takes 80 MB on its way, more than malloc keeps for later.
    x, y = np.ones((5000, 1), np.float32), np.zeros((5000, 1), np.float32)
    wide = layers.Dense(20_000_000, use_bias=False, kernel_initializer="zeros")
    stack = [wide, layers.Dense(1, kernel_initializer="zeros")]
    model = fastnn.Sequential(stack, input_shape=1, seed=0).compile("sgd", "mse")
    fastnn.Sequential([layers.Dense(256)], input_shape=8).predict(np.ones((100_000, 8)))
    with open("/proc/self/statm") as sizes:
        used = int(sizes.read().split()[0]) * resource.getpagesize()
    unlimited = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 40 * 2**20, unlimited[1]))
    calls = [
        lambda: model.predict(x),
        lambda: model.evaluate(x, y),
        lambda: model.fit(x, y, batch_size=1000),
    ]
    print(*map(attempt, calls))
    resource.setrlimit(resource.RLIMIT_AS, unlimited)
    print(model.predict(x[:2]).shape)
"""


def test_too_little_memory_is_a_memory_error_and_the_model_lives():
    command = [sys.executable, "-c", SCARCE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "True True True\n(2, 1)\n", done.stderr


REPEATED = """if True:
    import resource
    from tests.robustness.jobs import tables

    def resident():
        with open("/proc/self/statm") as sizes:
            return int(sizes.read().split()[1]) * resource.getpagesize()

    def refuse(call):
        try:
            call()
        except ValueError:
            return
        raise SystemExit("not refused")

    model, ids, y = tables()
    ids, y = [column[:50] for column in ids], y[:50]
    wild = [ids[0], ids[1] + 1000]

    def calls():
        model.predict(ids)
        model.evaluate(ids, y)
        model.train_steps(1, ids, y)
        model.set_weights(model.get_weights())
        refuse(lambda: model.predict(wild))
        refuse(lambda: model.train_steps(1, wild, y))

    for _ in range(300):
        calls()
    start = resident()
    for _ in range(1500):
        calls()
    print((resident() - start) / 1500)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_calls_leave_nothing_behind():
    command = [sys.executable, "-c", REPEATED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 200, "bytes a round of calls"
