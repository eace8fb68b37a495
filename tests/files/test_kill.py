"""A process killed while it saves: the file is whole, and no save that returned is lost."""

import os
import subprocess
import sys

SCRIPT = """if True:
    import os, random, signal, sys, time
    from pathlib import Path
    import numpy as np
    from fastnn.files import read, write
    import safetensors.numpy

    path, kills = Path(sys.argv[1]) / "m.fnn", int(sys.argv[2])
    values = np.zeros(50_000, np.float32)
    random.seed(0)
    last = torn = 0
    for _ in range(kills):
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            while True:
                last += 1
                values[:] = last
                write(path, {"count": last}, {"values": values})
                os.write(tell, last.to_bytes(8, "little"))
        os.close(tell)
        last = int.from_bytes(os.read(told, 8), "little")
        time.sleep(random.random() * 0.01)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while said := os.read(told, 8):
            last = int.from_bytes(said, "little")
        os.close(told)
        torn += len(list(path.parent.iterdir())) > 1
        description, arrays = read(path)
        assert description["count"] in (last, last + 1), (description, last)
        assert (arrays["values"] == description["count"]).all()
        last = description["count"]
    write(path, {}, {})
    assert len(list(path.parent.iterdir())) == 1
    print(torn)
"""


def test_kill_in_mid_save_loses_nothing(tmp_path):
    # One thread in the forking process: a fork beside the threads of a BLAS is not the subject.
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), "200"]
    done = subprocess.run(command, env=one_thread, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 5, "the kills came between the saves, not inside"
