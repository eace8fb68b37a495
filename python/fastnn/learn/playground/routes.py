"""What a request asks of the trainer: a table of what is read, one of what is done."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl

from fastnn import __version__, check
from fastnn.learn.playground import breaking, schema

if TYPE_CHECKING:
    from fastnn.learn.playground.trainer import Trainer

Content = tuple[str, bytes]  # media type and body

JSON = "application/json"
SMALL, LARGE = 2**16, 2**21  # bytes of a body: settings; points or a table
PAGE_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
TEXTS = {"link", "name", "finding", "text", "target"}
FRAME = {"views": "", "since": "0", "side": "128", "edges": "weight", "rows": "validation"}


def page() -> dict[str, Content]:
    """Return the page's files by the word a request names them with; "" is the page itself."""
    found = {}
    for entry in files(__package__).joinpath("static").iterdir():
        stem, dot, suffix = entry.name.rpartition(".")
        if stem and dot + suffix in PAGE_TYPES:
            name = "" if entry.name == "index.html" else entry.name
            found[name] = (PAGE_TYPES[dot + suffix], entry.read_bytes())
    return found


def as_json(value: object) -> Content:
    """Return a value as an answer."""
    return JSON, json.dumps(value, allow_nan=False).encode()


def about() -> str:
    """Return what the page makes its form and its presets of."""
    presets = [asdict(preset) for preset in breaking.PRESETS]
    fields = json.loads(schema.as_json())
    return json.dumps({"fields": fields, "presets": presets, "version": __version__})


def frame(trainer: Trainer, query: Mapping[str, str]) -> Content:
    """Return the picture of the moment."""
    asked = {**FRAME, **query}
    body = trainer.frame(
        views=set(filter(None, asked["views"].split(","))),
        since=_whole("since", asked["since"]),
        side=_whole("side", asked["side"]),
        edges=asked["edges"],
        rows=asked["rows"],
    )
    return "application/octet-stream", body


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise check.wrong_value(name, "a whole number", repr(text))
    return int(text)


@dataclass(frozen=True)
class Get:
    """What is read: how it is answered, and the names that a query may have."""

    answer: Callable[[Trainer, Mapping[str, str]], Content]
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Post:
    """What is done: the call, the names that a body must and may have, and its largest size."""

    call: Callable[[Trainer, dict[str, Any]], Any]
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    largest: int = SMALL


GETS = {
    "schema": Get(lambda trainer, query: (JSON, about().encode())),
    "settings": Get(lambda trainer, query: as_json(trainer.settings())),
    "data": Get(lambda trainer, query: as_json(trainer.data())),
    "script": Get(lambda trainer, query: ("text/plain; charset=utf-8", trainer.script().encode())),
    "frame": Get(frame, tuple(FRAME)),
}
POSTS = {
    "set": Post(lambda trainer, body: trainer.set(body), may=tuple(schema.BY_NAME)),
    "link": Post(lambda trainer, body: trainer.link(body["link"]), ("link",)),
    "preset": Post(lambda trainer, body: trainer.preset(body["name"]), ("name",)),
    "run": Post(lambda trainer, body: trainer.run(body["running"]), ("running",)),
    "step": Post(lambda trainer, body: trainer.step(body["n"]), ("n",)),
    "reset": Post(lambda trainer, body: trainer.reset()),
    "rewind": Post(lambda trainer, body: {"step": trainer.rewind(body["step"])}, ("step",)),
    "fix": Post(lambda trainer, body: trainer.fix(body["finding"]), ("finding",)),
    "points": Post(lambda trainer, body: trainer.points(body["points"]), ("points",), (), LARGE),
    "csv": Post(
        lambda trainer, body: trainer.csv(body["text"], body["name"], body.get("target")),
        ("name", "text"),
        ("target",),
        LARGE,
    ),
}


def read(trainer: Trainer, name: str, query: str) -> Content:
    """Answer a GET of `GETS`; ValueError or TypeError where the query is wrong."""
    return GETS[name].answer(trainer, parsed_query(query, GETS[name].names))


def done(trainer: Trainer, name: str, body: bytes) -> Content:
    """Do what a POST of `POSTS` asks; ValueError or TypeError, and nothing done, if it is wrong."""
    post = POSTS[name]
    found = parsed(body)
    for word in post.needs:
        if word not in found:
            raise check.wrong_value("body", f"an object with {' and '.join(post.needs)}", "none")
    for word in found:
        if not (post.needs or post.may):
            raise check.wrong_value("body", "an empty object", f"one with {word!r}")
        check.choice("body", word, (*post.needs, *post.may))
    for word in TEXTS & found.keys():
        if not isinstance(found[word], str):
            raise check.wrong_type(word, "text", found[word])
    return as_json(post.call(trainer, found) or {})


def parsed_query(text: str, names: tuple[str, ...]) -> dict[str, str]:
    """Return the values of a query, each of them named once."""
    pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=16)
    for name, _ in pairs:
        if name not in names:
            expected = f"one of {', '.join(names)}" if names else "none"
            raise check.wrong_value("query", expected, repr(name))
    return _distinct(pairs)


def parsed(body: bytes) -> dict[str, Any]:
    """Return the object that a body holds: strict JSON, finite numbers, no name twice."""
    try:
        found = json.loads(
            body.decode(),
            parse_constant=_not_finite,
            parse_float=_finite,
            object_pairs_hook=_distinct,
        )
    except RecursionError:
        raise check.wrong_value("body", "JSON", "lists within lists too deep") from None
    except UnicodeDecodeError:
        raise check.wrong_value("body", "JSON in UTF-8", "other bytes") from None
    except json.JSONDecodeError as error:
        raise check.wrong_value("body", "JSON", f"{error.msg} at character {error.pos}") from None
    if not isinstance(found, dict):
        raise check.wrong_type("body", "a JSON object", found)
    return found


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise check.wrong_value(name, "one value", "two of them")
        found[name] = value
    return found


def _not_finite(text: str) -> NoReturn:
    raise check.wrong_value("body", "finite numbers", text)


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        _not_finite(text)
    return float(text)
