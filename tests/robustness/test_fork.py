"""A forked child computes instead of hanging, whatever the parent's threads do."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

SCRIPT = """if True:
    import os, select, signal, sys, threading, warnings
    import numpy as np
    import fastnn
    from tests.robustness.jobs import bits, dense, wide

    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of any fork
    forks = int(sys.argv[1])
    busy = [wide(), wide()]
    stop = threading.Event()

    def keep_busy(model, x, y):
        while not stop.is_set():
            model.fit(x, y, n_jobs=2)

    for model, x, y in busy:
        model.fit(x, y, n_jobs=2)
    model, x, y = dense()
    twin, _, _ = dense()
    for job in (model, twin):
        job.fit(x[:64], y[:64], n_jobs=2)
    prediction = model.predict(x[:64])
    twin.train_steps(2, x[:64], y[:64], n_jobs=2)
    expected = bits(twin)

    def child():
        predicted = (model.predict(x[:64]) == prediction).all()
        model.train_steps(2, x[:64], y[:64], n_jobs=2)
        shared, some, _ = busy[0]
        answered = shared.predict(some[:4]).shape == (4, 4)
        return predicted and bits(model) == expected and answered and fastnn.get_num_threads() == 1

    threads = [threading.Thread(target=keep_busy, args=job) for job in busy]
    for thread in threads:
        thread.start()
    def fork():
        told, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            right = False
            try:
                right = bool(child())
            finally:
                os.write(tell, b"right" if right else b"wrong")
                os._exit(0)
        os.close(tell)
        return told, pid

    hung = wrong = begun = 0
    children = {}
    while hung + wrong == 0 and (begun < forks or children):
        while begun < forks and len(children) < 8:
            children.update([fork()])
            begun += 1
        ready = select.select(list(children), [], [], 30)[0]
        for told in ready or list(children):
            pid = children.pop(told)
            if ready:
                wrong += os.read(told, 5) != b"right"
            else:
                hung += 1
                os.kill(pid, signal.SIGKILL)
            os.close(told)
            os.waitpid(pid, 0)
    stop.set()
    for thread in threads:
        thread.join()
    print(hung, wrong)
"""


def test_forks_beside_training_threads_neither_hang_nor_err():
    command = [sys.executable, "-c", SCRIPT, "500"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", "0"], done.stderr
