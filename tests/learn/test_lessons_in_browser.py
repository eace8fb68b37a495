"""Every lesson as a learner meets it: marimo's app mode in a real browser."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest
from fastnn.learn import runner

LESSONS = list(runner.catalogue().values())


def shown(lesson):
    return f"{lesson.number}-{lesson.name}"


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


@pytest.fixture
def page(browser):
    pytest.importorskip("marimo")
    return browser()


@pytest.mark.parametrize("lesson", LESSONS, ids=shown)
def test_a_lesson_opens_without_an_error(lesson, page, tmp_path):
    with served(lesson.number, tmp_path) as address:
        page.goto(address)
        heading = page.get_by_role("heading", level=1)
        heading.wait_for()
        assert heading.inner_text() == f"{lesson.number}. {lesson.title}"
        # the facts come last: all cells have run
        page.get_by_role("cell", name="PASS").first.wait_for()
        assert page.get_by_text("Traceback").count() == 0
        assert page.locator(".marimo-error, [data-testid=marimo-error]").count() == 0
        assert page.complaints == []
        assert page.outside == []
