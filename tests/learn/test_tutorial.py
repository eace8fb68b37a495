"""The command `fastnn tutorial`."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from fastnn import cli
from fastnn.learn import progress, runner, tutorial
from fastnn.learn.text import plain

SMALL = '''"""Does it hold? 3 minutes. After: -."""

import marimo

app = marimo.App()


@app.cell
def setup():
    import marimo as mo
    from fastnn.learn import lesson

    return lesson, mo


@app.cell
def title(mo):
    mo.md("# 5. Does it hold?")
    return


@app.cell
def picture_of_it(lesson):
    lesson.figure(lambda axes: None, alt="nothing. And a number: {}.")
    return


@app.cell
def facts(lesson):
    facts = [lesson.Fact("one and one", 1 + 1, "==", SUM), lesson.Fact("one", 1, "==", 1)]
    lesson.check(facts)
    return (facts,)
'''


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def lesson_with(tmp_path, monkeypatch):
    """Make lesson 5 the only one, with this in the place of SUM, and more cells."""

    def write(total, more=""):
        (tmp_path / "05_hold.py").write_text(SMALL.replace("SUM", total) + more)
        monkeypatch.setattr(runner, "FOLDER", tmp_path)

    return write


def code_of(*arguments):
    try:
        return cli.main(["tutorial", *arguments])
    except SystemExit as stop:
        return stop.code


def test_lessons_are_listed_with_minutes_and_ticks(capsys):
    progress.record("1.1")
    progress.record("1.2")
    assert code_of() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["[x]", "1", "What", "is", "learning?", "8", "min"]
    assert lines[1].startswith("[ ]  2  How big a step?")
    assert lines[1].endswith("10 min   after 1")
    assert lines[-1].endswith("1 done")


def test_check_prints_each_fact(capsys, lesson_with):
    lesson_with("2")
    assert code_of("--check") == 0
    assert "  PASS  one and one: 2 == 2\n  PASS  one: 1 == 1\n" in capsys.readouterr().out


def test_check_exits_with_1_if_a_fact_fails_and_shows_the_others(capsys, lesson_with):
    lesson_with("3")
    assert code_of("5", "--check") == 1
    assert "  FAIL  one and one: 2 == 3\n  PASS  one: 1 == 1\n" in capsys.readouterr().out


def test_a_lesson_that_breaks_off_fails(capsys, lesson_with):
    lesson_with("1 / 0")
    assert code_of("--check") == 1
    assert "FAIL  the lesson runs to its end: ZeroDivisionError" in capsys.readouterr().out


def test_a_cell_needs_what_cells_before_it_make(capsys, lesson_with):
    lesson_with("2", more="\n\n@app.cell\ndef late(view):\n    view\n    return\n")
    assert code_of("--check") == 1
    assert "late: expected view from a cell before it, got none" in capsys.readouterr().out


def test_check_of_one_lesson_shows_its_answers(capsys):
    assert code_of("1", "--check") == 0
    assert "  answer 1.1: 25\n" in capsys.readouterr().out
    assert not progress.path().exists()


def test_plain_prints_the_lesson(capsys, lesson_with):
    lesson_with("2")
    assert code_of("5", "--plain") == 0
    found = capsys.readouterr().out
    assert found.startswith("5. Does it hold?\n================\n\n[picture: nothing.")
    assert found.endswith("PASS  one: 1 == 1\n")


def test_a_copy_can_be_edited_and_is_never_overwritten(capsys, tmp_path):
    folder = tmp_path / "mine"
    assert code_of("1", "--copy", str(folder)) == 0
    copied = folder / runner.find(1).path.name
    said = capsys.readouterr()
    assert said.out == f"{copied}\n"
    assert f"marimo edit {copied}" in said.err
    assert copied.read_bytes() == runner.find(1).path.read_bytes()
    copied.write_text("mine")
    assert code_of("1", "--copy", str(folder)) == 1
    assert "exists" in capsys.readouterr().err
    assert copied.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["99"], "expected one of 1, 2"),
        (["one"], "expected one of 1, 2"),
        (["--plain"], "expected the number of a lesson"),
        (["--copy", "x"], "expected the number of a lesson"),
        (["--no-browser"], "expected the number of a lesson"),
        (["1", "--plain", "--check"], "not allowed with argument"),
        (["1", "--port", "70000"], r"expected an integer in [0, 65535], got '70000'"),
    ],
)
def test_wrong_use_exits_with_2(arguments, message, capsys):
    assert code_of(*arguments) == 2
    assert message in capsys.readouterr().err


def test_opening_without_the_extra_says_what_to_install():
    script = """
import sys
from importlib.machinery import PathFinder
class Hidden:
    def find_spec(name, path=None, target=None):
        return None if name == "marimo" else PathFinder.find_spec(name, path, target)
sys.meta_path = [f for f in sys.meta_path if f is not PathFinder] + [Hidden]
from fastnn import cli
sys.exit(cli.main(["tutorial", "1"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert 'opening a lesson needs marimo: pip install "fastnn[tutorial]"' in done.stderr
    assert "fastnn tutorial 1 --plain" in done.stderr
    assert done.stdout == ""


@contextlib.contextmanager
def opened():
    """The command with a lesson open, and its address."""
    pytest.importorskip("marimo")
    command = [sys.executable, "-m", "fastnn", "tutorial", "1", "--no-browser"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            yield process, process.stdout.readline().strip()
        finally:
            process.terminate()


def answers(address):
    """Text at an address, for a visitor who keeps cookies."""
    visitor = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with visitor.open(address, timeout=10) as answer:
        return answer.read().decode()


def test_a_lesson_is_served_to_those_who_have_the_token_until_ctrl_c():
    with opened() as (process, address):
        assert address.startswith("http://127.0.0.1:")
        assert "What is learning?" in answers(address)
        assert "What is learning?" not in answers(address.split("?")[0])
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=20)
        assert (process.returncode, complaints) == (0, "")
        with pytest.raises(urllib.error.URLError):
            answers(address)


def test_the_server_ends_with_the_command():
    with opened() as (process, address):
        os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=20)
        with pytest.raises(urllib.error.URLError):
            answers(address)


def test_a_port_in_use_is_said_clearly():
    pytest.importorskip("marimo")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"port: {port} cannot be used .*in use"):
            tutorial.serve(1, port=port, browser=False)


def test_live_pictures_are_described_by_what_they_show():
    text = plain(2)
    assert "[live picture of a network in training: loss, boundary]" in text
    assert "[picture: live" not in text
