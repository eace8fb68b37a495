"""Threads, forks, interrupts: a model is never half-changed, and says who is in the way."""

import os
import signal
import threading
import time

import fastnn
import numpy as np
import pytest
from fastnn import Sequential, callbacks, layers, threads

from .conftest import same


class Pause(callbacks.Callback):
    """Holds a fit after its first epoch until `go` is set."""

    def __init__(self):
        self.reached, self.go = threading.Event(), threading.Event()

    def on_epoch_end(self, model, epoch, logs):
        self.reached.set()
        assert self.go.wait(20)


@pytest.fixture
def busy(chain, table):
    """A model that another thread is training."""
    model, pause = chain(), Pause()
    thread = threading.Thread(target=model.fit, args=table, kwargs={"callbacks": pause})
    thread.start()
    assert pause.reached.wait(20)
    yield model
    pause.go.set()
    thread.join(20)
    assert not thread.is_alive()


def test_a_second_thread_is_refused_at_once(busy, table):
    message = "model: expected one thread at a time to change it, got a call while another one"
    for call in (
        lambda: busy.fit(*table),
        lambda: busy.train_steps(1, *table),
        lambda: busy.compile("sgd", "mse"),
        lambda: busy.set_weights(busy.get_weights()),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_model_in_training_still_predicts(busy, table):
    assert busy.predict(table[0]).shape == (90, 1)


def test_two_models_train_in_two_threads(chain, table):
    alone, models = chain(), [chain(), chain()]
    alone.fit(*table, epochs=20)
    workers = [threading.Thread(target=m.fit, args=table, kwargs={"epochs": 20}) for m in models]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert all(same(alone, model) for model in models)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_is_not_held_up_by_its_parent(busy, table):
    child = os.fork()
    if child == 0:
        try:
            busy.train_steps(1, *table, n_jobs=1)
            os._exit(0)
        finally:
            os._exit(1)
    deadline = time.monotonic() + 20
    done = 0
    while not done and time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
    if not done:
        os.kill(child, signal.SIGKILL)
    assert done
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.fixture
def large(backend, random):
    """A model and data whose fit takes far longer than a test."""
    x = random.normal(size=(20_000, 30)).astype(np.float32)
    model = Sequential([layers.Dense(64, "relu"), layers.Dense(1)], backend=backend, seed=0)
    return model.compile("adam", "mse"), x, x[:, :1].copy()


@pytest.fixture
def interruptible():
    """Take SIGINT as a program in a terminal does; shells let background jobs ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_leaves_a_usable_model(large):
    model, x, y = large
    before = signal.getsignal(signal.SIGINT)
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, epochs=100_000)
    timer.join()
    assert signal.getsignal(signal.SIGINT) is before
    state = model.network.engine.state()
    assert int(state["step"]) == model.progress.step
    assert all(np.isfinite(weights).all() for weights in model.get_weights())
    model.fit(x[:100], y[:100])


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_model_goes_on_as_a_stepped_one(large, chain):
    model, x, y = large
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, epochs=100_000, batch_size=500)
    timer.join()
    twin = Sequential(model.layers, backend=model.backend, seed=0).compile("adam", "mse")
    if model.progress.step:
        twin.train_steps(model.progress.step, x, y, batch_size=500)
        assert same(model, twin)


def test_a_failing_callback_still_ends_training(chain, table):
    ended = []
    broken = callbacks.LambdaCallback(
        on_epoch_end=lambda model, epoch, logs: 1 // 0,
        on_train_end=lambda model: ended.append(True),
    )
    model = chain()
    with pytest.raises(ZeroDivisionError):
        model.fit(*table, callbacks=broken)
    assert ended == [True]
    model.fit(*table)


def test_the_number_of_threads_is_set_and_reset():
    granted = fastnn.get_num_threads()
    fastnn.set_num_threads(3)
    assert fastnn.get_num_threads() == 3
    assert threads.resolve(None) == 0
    fastnn.set_num_threads(None)
    assert fastnn.get_num_threads() == granted
    assert threads.resolve(5) == 5
    assert threads.resolve(-1) == len(os.sched_getaffinity(0))
    assert threads.resolve(-1000) == 1
    with pytest.raises(ValueError, match="n: expected an integer in"):
        fastnn.set_num_threads(0)
    with pytest.raises(TypeError, match="n_jobs: expected an integer"):
        threads.resolve(1.5)  # type: ignore[arg-type]


def test_the_public_names_are_there():
    assert "Sequential" in dir(fastnn)
    with pytest.raises(AttributeError, match="module 'fastnn' has no attribute 'Sequentia'"):
        fastnn.Sequentia  # noqa: B018
    assert fastnn.show_config().startswith("fastnn ")
