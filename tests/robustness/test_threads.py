"""Threads change the time a call takes and nothing else; limits from outside are kept."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fastnn
import numpy as np
import pytest
from fastnn.callbacks import Callback

from tests.robustness.jobs import JOBS, bits, dense, wide

ROOT = Path(__file__).parents[2]


def trained(job, n_jobs=None, epochs=2):
    model, x, y = JOBS[job]()
    model.fit(x, y, batch_size=100, epochs=epochs, n_jobs=n_jobs)
    return model, x, y


@pytest.mark.parametrize("job", JOBS)
def test_bits_do_not_depend_on_threads(job):
    model, x, y = trained(job, n_jobs=1)
    prediction, logs = model.predict(x, n_jobs=1), model.evaluate(x, y, n_jobs=1)
    for n_jobs in (2, 3, 7):
        other, _, _ = trained(job, n_jobs=n_jobs)
        assert bits(other) == bits(model)
        np.testing.assert_array_equal(other.predict(x, n_jobs=n_jobs), prediction)
        assert other.evaluate(x, y, n_jobs=n_jobs) == logs


@pytest.mark.parametrize("job", JOBS)
def test_a_row_is_predicted_alike_in_any_batch(job):
    model, x, _ = trained(job, epochs=1)
    whole = model.predict(x)
    for batch_size in (1, 7, 100):
        np.testing.assert_array_equal(model.predict(x, batch_size=batch_size), whole)


def test_training_leaves_the_interpreter_free():
    model, x, y = wide()
    x, y = np.tile(x, (10, 1)), np.tile(y, 10)
    model.fit(x[:1000], y[:1000])
    done, ticks = threading.Event(), []

    def tick():
        while not done.wait(0.001):
            ticks.append(time.perf_counter())

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.perf_counter()
    model.fit(x, y)
    end = time.perf_counter()
    done.set()
    thread.join()
    times = np.array([start, *(tick for tick in ticks if start < tick < end), end])
    assert np.diff(times).max() < (end - start) / 2


def test_predictions_of_many_threads_are_the_serial_ones():
    model, x, _ = trained("wide", epochs=1)
    expected = model.predict(x)
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: model.predict(x, batch_size=64), range(40)):
            np.testing.assert_array_equal(found, expected)


def test_models_trained_in_many_threads_are_the_serial_ones():
    names = [*JOBS, *JOBS]
    expected = {name: bits(trained(name)[0]) for name in JOBS}
    with ThreadPoolExecutor(len(names)) as pool:
        found = pool.map(lambda name: bits(trained(name)[0]), names)
    assert list(found) == [expected[name] for name in names]


class Meanwhile(Callback):
    """Lets another thread try something between two epochs."""

    def __init__(self, action):
        self.action = action
        self.result = None

    def on_epoch_end(self, model, epoch, logs):
        with ThreadPoolExecutor(1) as pool:
            self.result = pool.submit(self.action, model).exception()
        model.stop_training = True


@pytest.mark.parametrize(
    "action",
    [
        lambda model, x, y: model.fit(x, y),
        lambda model, x, y: model.train_steps(1, x, y),
        lambda model, x, y: model.compile("sgd", "categorical_crossentropy"),
        lambda model, x, y: model.set_weights(model.get_weights()),
    ],
    ids=["fit", "train_steps", "compile", "set_weights"],
)
def test_a_model_in_training_is_not_changed_by_another_thread(action):
    model, x, y = dense()
    meanwhile = Meanwhile(lambda model: action(model, x, y))
    model.fit(x, y, epochs=3, callbacks=meanwhile)
    assert isinstance(meanwhile.result, ValueError)
    assert "one thread at a time" in str(meanwhile.result)
    assert model.progress.epoch == 1
    assert bits(model) == bits(trained_alone(x, y))


def trained_alone(x, y):
    model, _, _ = dense()
    model.fit(x, y)
    return model


def test_predict_works_while_another_thread_trains():
    model, x, y = wide()
    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(model.fit, x, y, epochs=20)
        while not training.done():
            assert np.isfinite(model.predict(x)).all()
        training.result()


GROWTH = """if True:
    import os, sys
    import fastnn
    from tests.robustness.jobs import wide
    {before}
    model, x, y = wide()
    model.predict(x[:1], n_jobs=1)
    def threads():
        return len(os.listdir("/proc/self/task"))
    start = threads()
    with {limit}:
        model.fit(x, y{argument})
        print(fastnn.get_num_threads(), threads() - start)
"""


def growth(before="", limit="open(os.devnull)", argument="", **environment):
    """Return the threads a process means to use, and those that a fit started."""
    script = GROWTH.format(before=before, limit=limit, argument=argument)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    means, started = map(int, done.stdout.split())
    return means, started


needs_cores = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")


@needs_cores
def test_all_granted_cores_are_used():
    cores = len(os.sched_getaffinity(0))
    environment = {"OMP_NUM_THREADS": str(cores)}
    assert growth(**environment) == (cores, cores - 1)


def test_omp_num_threads_is_kept():
    assert growth(OMP_NUM_THREADS="1") == (1, 0)


@needs_cores
def test_affinity_is_kept():
    before = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    assert growth(before=before) == (1, 0)


def test_set_num_threads_is_kept():
    assert growth(before="fastnn.set_num_threads(1)") == (1, 0)


@needs_cores
def test_n_jobs_is_kept():
    assert growth(argument=", n_jobs=1")[1] == 0


def test_limits_of_threadpoolctl_are_kept():
    pytest.importorskip("threadpoolctl")
    before = "from threadpoolctl import threadpool_limits; import fastnn._core"
    assert growth(before=before, limit="threadpool_limits(1)") == (1, 0)


def test_limits_of_joblib_are_kept():
    joblib = pytest.importorskip("joblib")
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        found = joblib.Parallel()(joblib.delayed(fastnn.get_num_threads)() for _ in range(4))
    assert found == [1] * 4
