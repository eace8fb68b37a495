"""A browser's part of the protocol of docs/playground.md, for tests; and its exported script."""

import http.client
import json
import struct
import subprocess
import sys
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import numpy as np
from fastnn.learn.playground import schema
from fastnn.learn.playground.server import Server
from fastnn.learn.playground.trainer import Trainer

SECTIONS = {1: "state", 2: "boundary", 3: "neurons", 4: "edges", 5: "curve"}
FLAGS = {1: "running", 2: "diverged", 4: "waiting"}


class Frame(NamedTuple):
    """A frame: its header, and arrays by section; edges is a list, one per layer."""

    flags: set
    step: int
    loss: float
    val_loss: float
    speed: float
    state: dict
    sections: dict


def decoded(body):
    """Return the frame of these bytes; AssertionError where they are no frame."""
    head = struct.unpack_from("<4sHHIQfff", body)
    magic, version, count, flags, step, loss, val_loss, speed = head
    assert (magic, version) == (b"FNNF", 1)
    found: dict = {"edges": []}
    at = 32
    for _ in range(count):
        kind, dtype, length, *shape = struct.unpack_from("<HHI4I", body, at)
        held = body[at + 24 : at + 24 + length]
        assert len(held) == length
        at += 24 + -(-length // 8) * 8
        name = SECTIONS[kind]
        if dtype == 2:
            found[name] = json.loads(held, parse_constant=lambda word: 1 / 0)
            continue
        array = np.frombuffer(held, "<f4" if dtype else np.uint8)
        if name == "edges":
            layer, rows, columns, _ = shape
            assert layer == len(found[name])
            found[name].append(array.reshape(rows, columns))
        else:
            found[name] = array.reshape([size for size in shape if size])
    assert at == len(body)
    named = {name for bit, name in FLAGS.items() if flags & bit}
    return Frame(named, step, loss, val_loss, speed, found.pop("state"), found)


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    """Asks a server over one connection that is kept."""

    def __init__(self, url):
        parts = urlsplit(url)
        self.host, self.root = parts.netloc, parts.path
        self.token = parts.path.strip("/")
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)

    def ask(self, method, name="", body=None, headers=None):
        """Return the answer to any request; a dict is sent as JSON, with the headers it needs."""
        given = {}
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            given = {"X-Fastnn-Token": self.token, "Content-Type": "application/json"}
        given = {k: v for k, v in {**given, **(headers or {})}.items() if v is not None}
        self.connection.request(method, self.root + name, body, given)
        answer = self.connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    def get(self, name=""):
        """Return the body of what can be read."""
        answer = self.ask("GET", name)
        assert answer.status == 200, answer.body
        return answer.body

    def json(self, name):
        """Return what can be read, decoded."""
        return json.loads(self.get(name))

    def post(self, name, /, **body):
        """Return what came of it."""
        answer = self.ask("POST", name, body)
        assert answer.status == 200, answer.body
        return answer.json

    def frame(self, views="", **query):
        """Return a frame with these views."""
        return decoded(self.get("frame?" + urlencode({"views": views, **query})))


@contextmanager
def serving(trainer=None, **settings):
    """Give a client of a playground that begins with these settings, or of a trainer."""
    server = Server(trainer or Trainer(schema.changed(schema.DEFAULTS, settings)))
    server.start()
    client = Client(server.url)
    try:
        yield client
    finally:
        client.connection.close()
        server.close()


def printed(script, folder):
    """Run a script in a process of its own; return the losses that it prints."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}
