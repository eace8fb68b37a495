"""The command `fastnn playground`: serves the page until it is told to stop."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastnn import check
from fastnn.learn.playground import schema
from fastnn.learn.playground.server import Server
from fastnn.learn.playground.trainer import Trainer


def run(arguments: argparse.Namespace) -> int:
    """Serve the playground until Ctrl-C or SIGTERM; returns the exit code."""
    if arguments.target is not None and arguments.data is None:
        raise check.wrong_value("--target", "--data FILE beside it", "none")
    text = None if arguments.data is None else table(arguments.data)
    with told_to_stop() as stop:
        trainer = Trainer(schema.DEFAULTS)
        server = Server(trainer, arguments.port)
        server.start()
        try:
            if arguments.link is not None:
                trainer.link(arguments.link)
            if arguments.preset is not None:
                trainer.preset(arguments.preset)
            if text is not None:
                trainer.csv(text, str(arguments.data), arguments.target)
            print(server.url, flush=True)
            say("the playground is at this address; Ctrl-C ends it")
            if not arguments.no_browser and not webbrowser.open(server.url):
                say("no browser was found; open the address yourself")
            stop.wait()
        finally:
            server.close()
    say("the playground has ended")
    return 0


def table(path: Path) -> str:
    """Return the text of a file given on the command line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return file.read()
    except OSError as error:
        got = f"{path} ({error.strerror})"
        raise OSError(check.message("--data", "a file that can be read", got)) from None
    except UnicodeDecodeError:
        raise check.wrong_value("--data", "text in UTF-8", f"other bytes in {path}") from None


def say(text: str) -> None:
    """Talk on stderr: stdout holds the address alone."""
    print(f"fastnn: {text}", file=sys.stderr, flush=True)


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """Give an event that SIGINT (Ctrl-C) and SIGTERM set, instead of what they do otherwise."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
