"""`fastnn tutorial`: list, open, copy, check and print lessons."""

from __future__ import annotations

import contextlib
import importlib.util
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from pathlib import Path

from fastnn.learn import progress
from fastnn.learn.facts import Fact, shown
from fastnn.learn.lesson import Exercise
from fastnn.learn.runner import Lesson, catalogue, find, play

NEEDED = ("marimo", "anywidget", "matplotlib")


def main(
    lesson: int | None,
    *,
    check: bool = False,
    plain: bool = False,
    copy: Path | None = None,
    port: int = 0,
    browser: bool = True,
) -> int:
    """Do what the command says; returns its exit code."""
    if check:
        return check_facts(lesson)
    if lesson is None:
        if plain or copy is not None or not browser:
            return _refuse("tutorial: expected the number of a lesson")
        sys.stdout.write(listing() + "\n")
        return 0
    if plain:
        from fastnn.learn.text import plain as text_of

        sys.stdout.write(text_of(lesson))
    elif copy is not None:
        place = copy_lesson(lesson, copy)
        sys.stdout.write(f"{place}\n")
        sys.stderr.write(f"edit it with: marimo edit {place}\n")
    elif missing():
        return _refuse(
            f'opening a lesson needs {", ".join(missing())}: pip install "fastnn[tutorial]"; '
            f"without it: fastnn tutorial {lesson} --plain"
        )
    else:
        serve(lesson, port=port, browser=browser)
    return 0


def _refuse(reason: str) -> int:
    """Say what is missing; returns the exit code of wrong use."""
    sys.stderr.write(f"fastnn: {reason}\n")
    return 2


def numbers() -> list[int]:
    """Return the numbers of the lessons."""
    return list(catalogue())


def listing() -> str:
    """Return the lessons with their minutes, those done with a tick."""
    done = progress.done()
    lines = [_line(lesson, lesson.number in done) for lesson in catalogue().values()]
    minutes = sum(lesson.minutes for lesson in catalogue().values())
    return "\n".join([*lines, f"{len(lines)} lessons, {minutes} minutes; {len(done)} done"])


def _line(lesson: Lesson, is_done: bool) -> str:
    tick = "[x]" if is_done else "[ ]"
    after = "" if lesson.after == "-" else f"   after {lesson.after}"
    return f"{tick} {lesson.number:>2}  {lesson.title:<36} {lesson.minutes:>2} min{after}"


def check_facts(chosen: int | None = None) -> int:
    """Run one lesson or all, print each fact; a lesson alone shows the answers of its exercises.

    Returns
    -------
    int
        1 if a fact fails, else 0.
    """
    lessons = list(catalogue().values()) if chosen is None else [find(chosen)]
    failed = 0
    for lesson in lessons:
        start = time.perf_counter()
        facts, answers = _results(lesson)
        seconds = time.perf_counter() - start
        sys.stdout.write(f"{lesson.number}. {lesson.title}  {seconds:.1f} s\n")
        sys.stdout.writelines(f"  {fact}\n" for fact in facts)
        if chosen is not None:
            sys.stdout.writelines(f"  answer {name}: {answer}\n" for name, answer in answers)
        failed += sum(not fact.holds for fact in facts)
    return 1 if failed else 0


def _results(lesson: Lesson) -> tuple[list[Fact], list[tuple[str, str]]]:
    """Return facts and answers of a lesson; one that breaks off has one fact, which fails."""
    try:
        names = play(lesson).names
    except Exception as error:
        broken = f"{type(error).__name__}: {error}"
        return [Fact("the lesson runs to its end", broken, "==", "no error")], []
    exercises = [found for found in names.values() if isinstance(found, Exercise)]
    return names["facts"], [(found.name, shown(found.answer)) for found in exercises]


def copy_lesson(number: int, folder: Path) -> Path:
    """Copy a lesson into a folder, where it may be edited; a file that is there stays.

    Returns
    -------
    Path
        The new file.

    Raises
    ------
    FileExistsError
        If the folder has a file of this name.
    """
    lesson = find(number)
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / lesson.path.name
    with lesson.path.open("rb") as source, place.open("xb") as target:
        shutil.copyfileobj(source, target)
    return place


def missing() -> list[str]:
    """Return what opening a lesson needs and is not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def serve(number: int, *, port: int = 0, browser: bool = True) -> None:
    """Serve a lesson to this machine's browsers until Ctrl-C.

    Parameters
    ----------
    number : int
        Of the lesson.
    port : int
        Of 127.0.0.1; 0 takes a free one.
    browser : bool
        Whether to open a browser; the address is printed anyway.

    Raises
    ------
    OSError
        If the port is taken.
    """
    lesson = find(number)
    port = _free_port(port)
    token = secrets.token_urlsafe(16)
    address = f"http://127.0.0.1:{port}/?access_token={token}"
    command = [sys.executable, "-m", "marimo", "--quiet", "run", str(lesson.path), "--headless"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--token-password-file", "-"]
    # a session of its own: Ctrl-C reaches this process alone, which then ends the server
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as server:
        previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        try:
            assert server.stdin is not None
            server.stdin.write(token.encode())
            server.stdin.close()
            _wait(server, port)
            sys.stdout.write(f"{lesson.number}. {lesson.title}\n{address}\nCtrl-C ends it.\n")
            sys.stdout.flush()
            if browser:
                webbrowser.open(address)
            server.wait()
        except KeyboardInterrupt:
            pass  # the way to end a lesson
        finally:
            signal.signal(signal.SIGTERM, previous)
            _end(server)


def _free_port(port: int) -> int:
    """Return the port, or a free one for 0, after it was found to be free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            text = f"port: {port} cannot be used ({error.strerror}); without --port a free one is"
            raise OSError(text) from error
        return int(probe.getsockname()[1])


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the server answers."""
    while server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise OSError(f"marimo: ended with exit code {server.returncode}")


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server, by force if it takes longer than a moment."""
    server.terminate()
    try:
        server.wait(3)
    except subprocess.TimeoutExpired:
        server.kill()
