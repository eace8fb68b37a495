"""A lesson that the command serves, for tests."""

import contextlib
import os
import signal
import subprocess
import sys


@contextlib.contextmanager
def served(number, state):
    """Address of a lesson, served by the command until the block ends, cleanly."""
    command = [sys.executable, "-m", "fastnn", "tutorial", str(number), "--no-browser"]
    server = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_STATE_HOME": str(state)},
    )
    assert server.stdout is not None
    try:
        lines = [server.stdout.readline() for _ in range(2)]
        yield lines[1].strip()
        server.send_signal(signal.SIGINT)
        _, complaints = server.communicate(timeout=20)
        assert (server.returncode, complaints) == (0, "")
    finally:
        server.kill()
        server.communicate()
