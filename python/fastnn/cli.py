"""The program `fastnn`. Exit codes: 0 done, 1 failed, 2 wrong use."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from fastnn import __version__

EXAMPLES = """\
examples:
  fastnn playground                 watch a network learn, in the browser
  fastnn demo                       train four kinds of model on real data
  fastnn tutorial                   lessons, with minutes and ticks
  fastnn tutorial 1                 open one in the browser
  fastnn info                       version, instruction set, threads, optional parts
  fastnn data list                  data sets that can be fetched, and their licences
  fastnn data get movielens-small   fetch one, with a checksum
"""

PLAYGROUND_EXAMPLES = """\
examples:
  fastnn playground
  fastnn playground --preset dead-relu
  fastnn playground --data my.csv --target price
"""

TUTORIAL_EXAMPLES = """\
examples:
  fastnn tutorial              list the lessons
  fastnn tutorial 1            open one in the browser: pip install "fastnn[tutorial]"
  fastnn tutorial 1 --plain    print one as text
  fastnn tutorial --check      run all and print each fact, PASS or FAIL
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with these arguments; returns its exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.run is None:
        parser.print_help()
        return 0
    try:
        code = int(arguments.run(arguments))
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("fastnn: interrupted", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # who read the output has left, as `head` does; what is not written yet has no place to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError) as error:
        print(f"fastnn: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    """Arguments of every command; each sets `run` to its function."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="fastnn",
        description="Neural networks, recommenders and autoencoders, trained fast on a CPU.",
        epilog=EXAMPLES,
        formatter_class=form,
    )
    parser.add_argument("--version", action="version", version=f"fastnn {__version__}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    _add_playground(commands)

    demo = commands.add_parser(
        "demo",
        help="train four kinds of model on real data",
        description="Train a regressor, a classifier, a recommender and an autoencoder on real "
        "data, beside scikit-learn's equivalents.",
        epilog="example:\n  fastnn demo --picture demo.png",
        formatter_class=form,
    )
    demo.add_argument(
        "--picture",
        type=Path,
        default=Path("fastnn-demo.png"),
        metavar="FILE",
        help="where to write the picture, with matplotlib installed (default: %(default)s)",
    )
    demo.add_argument("--seed", type=_seed, default=0, help="seed of all jobs (default: 0)")
    demo.set_defaults(run=_demo)

    _add_tutorial(commands)

    info = commands.add_parser("info", help="version, instruction set, threads, optional parts")
    info.set_defaults(run=_info)

    data = commands.add_parser("data", help="list or fetch data sets")
    actions = data.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="data sets that can be fetched")
    listing.set_defaults(run=_data_list)
    get = actions.add_parser(
        "get",
        help="fetch data sets, with checksums",
        epilog="example:\n  fastnn data get mnist movielens-small",
        formatter_class=form,
    )
    get.add_argument("names", nargs="+", metavar="NAME", type=_dataset)
    get.add_argument("--folder", type=Path, help="where to keep them (default: $FASTNN_DATA)")
    get.set_defaults(run=_data_get)
    return parser


def _add_playground(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    playground = commands.add_parser(
        "playground",
        help="watch a network learn, break it and mend it, in the browser",
        description="Serve a page, on this machine alone, that shows a network while it learns. "
        "Prints the address of the page; Ctrl-C ends it.",
        epilog=PLAYGROUND_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    playground.add_argument(
        "--port", type=_port, default=0, help="port on 127.0.0.1 (default: any free one)"
    )
    playground.add_argument(
        "--no-browser", action="store_true", help="print the address without opening it"
    )
    playground.add_argument(
        "--data", type=Path, metavar="FILE", help="comma-separated values to learn from"
    )
    playground.add_argument(
        "--target", metavar="COLUMN", help="the column to learn (default: the last one)"
    )
    start = playground.add_mutually_exclusive_group()
    start.add_argument(
        "--preset", type=_preset, metavar="NAME", help="begin with a network that breaks"
    )
    start.add_argument("--link", metavar="LINK", help="begin with the settings of a shared link")
    playground.set_defaults(run=_playground)


def _add_tutorial(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    tutorial = commands.add_parser(
        "tutorial",
        help="lessons that run the library",
        description="List the lessons, or open one in the browser.",
        epilog=TUTORIAL_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tutorial.add_argument("lesson", nargs="?", type=_lesson, metavar="N", help="number of a lesson")
    way = tutorial.add_mutually_exclusive_group()
    way.add_argument("--check", action="store_true", help="run without a browser, print the facts")
    way.add_argument("--plain", action="store_true", help="print as text")
    way.add_argument("--copy", type=Path, metavar="DIR", help="copy into a folder, to edit")
    way.add_argument("--no-browser", action="store_true", help="serve, and only print the address")
    tutorial.add_argument(
        "--port", type=_port, default=0, help="of 127.0.0.1 (default: a free one)"
    )
    tutorial.set_defaults(run=_tutorial)


def _seed(text: str) -> int:
    """Seed given on the command line: an integer from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected an integer from 0, got {text!r}")
    return int(text)


def _port(text: str) -> int:
    """Port given on the command line: 0 is a free one."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected an integer in [0, 65535], got {text!r}")
    return int(text)


def _lesson(text: str) -> int:
    """Lesson given on the command line."""
    from fastnn.learn.tutorial import numbers

    known = numbers()
    if not text.isdecimal() or int(text) not in known:
        raise argparse.ArgumentTypeError(
            f"expected one of {', '.join(map(str, known))}, got {text!r}"
        )
    return int(text)


def _preset(name: str) -> str:
    """Name of a preset given on the command line."""
    from fastnn.learn.playground.breaking import PRESETS

    known = [preset.name for preset in PRESETS]
    if name not in known:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(known)}, got {name!r}")
    return name


def _dataset(name: str) -> str:
    """Name of a data set given on the command line."""
    from fastnn.datasets import CATALOGUE

    if name not in CATALOGUE:
        known = ", ".join(CATALOGUE)
        raise argparse.ArgumentTypeError(f"expected one of {known}, got {name!r}")
    return name


def _playground(arguments: argparse.Namespace) -> int:
    from fastnn.learn.playground.command import run

    return run(arguments)


def _demo(arguments: argparse.Namespace) -> int:
    from fastnn.demo import run

    run(picture=arguments.picture, seed=arguments.seed)
    return 0


def _tutorial(arguments: argparse.Namespace) -> int:
    from fastnn.learn import tutorial

    return tutorial.main(
        arguments.lesson,
        check=arguments.check,
        plain=arguments.plain,
        copy=arguments.copy,
        port=arguments.port,
        browser=not arguments.no_browser,
    )


def _info(arguments: argparse.Namespace) -> int:
    from fastnn import show_config

    print(show_config())
    return 0


def _data_list(arguments: argparse.Namespace) -> int:
    from fastnn.datasets import CATALOGUE, data_folder, is_here

    for name, entry in CATALOGUE.items():
        print(f"{name:<20} {'here' if is_here(name) else '-':<5} {entry.title}")
        print(f"{'':<26} {entry.licence}")
    print(f"kept in {data_folder()}", file=sys.stderr)
    return 0


def _data_get(arguments: argparse.Namespace) -> int:
    from fastnn.datasets import fetch

    for name in arguments.names:
        for path in fetch(name, folder=arguments.folder):
            print(path)
    return 0
