"""`fastnn playground`: how it begins, what it says, how it ends."""

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys

import pytest
from fastnn import cli

from tests.learn.client import Client

TABLE = "a,b,price\n" + "".join(f"{i % 7},{i % 5},{i % 3}.5\n" for i in range(40))
BEGUN = "fastnn: the playground is at this address; Ctrl-C ends it\n"
ENDED = "fastnn: the playground has ended\n"


def code_of(*arguments):
    try:
        return cli.main(["playground", "--no-browser", *arguments])
    except SystemExit as stop:
        return stop.code


@contextlib.contextmanager
def playground(*arguments, **environment):
    """A process of the command and a client of it; the process must end by itself."""
    command = [sys.executable, "-m", "fastnn", "playground", *arguments]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    try:
        client = Client(process.stdout.readline().strip())
        yield process, client
        client.connection.close()
    finally:
        process.kill()
        process.communicate()


def ended(process, number):
    process.send_signal(number)
    output, complaints = process.communicate(timeout=20)
    return process.returncode, output, complaints


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_in_the_middle_of_training(number):
    with playground("--no-browser") as (process, client):
        client.post("run", running=True)
        assert client.frame("boundary").state["status"] == "running"
        assert ended(process, number) == (0, "", BEGUN + ENDED)


def test_a_signal_ends_steps_on_their_way():
    with playground("--no-browser", "--link", "#layers=256,256,256&batch_size=280") as (
        process,
        client,
    ):
        step = b'{"n": 100000}'
        head = f"POST {client.root}step HTTP/1.1\r\nHost: {client.host}\r\n"
        head += f"X-Fastnn-Token: {client.token}\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(step)}\r\n\r\n"
        host, port = client.host.split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head.encode() + step)
            while client.frame().step == 0:
                pass
            assert ended(process, signal.SIGINT) == (0, "", BEGUN + ENDED)


def test_it_opens_the_browser_at_its_address(tmp_path):
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/address\n')
    program.chmod(0o755)
    with playground(BROWSER=str(program)) as (process, client):
        client.get()
        assert ended(process, signal.SIGINT) == (0, "", BEGUN + ENDED)
    assert (tmp_path / "address").read_text() == f"http://{client.host}{client.root}\n"


def test_without_a_browser_it_says_so():
    with playground(BROWSER="/absent", PATH="", DISPLAY="") as (process, _):
        _, _, complaints = ended(process, signal.SIGINT)
        assert "no browser was found; open the address yourself" in complaints


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        (["--preset", "vanish"], {"data": "circles", "activations": ["sigmoid"] * 8}),
        (["--link", "#data=moons&layers=3"], {"data": "moons", "layers": [3]}),
        (["--data", "own.csv"], {"data": "csv", "task": "regression"}),
        (["--data", "own.csv", "--target", "b"], {"data": "csv", "task": "multiclass"}),
        (["--data", "own.csv", "--link", "#layers=3"], {"data": "csv", "layers": [3]}),
    ],
)
def test_it_begins_as_it_is_told(arguments, settings, tmp_path):
    path = tmp_path / "own.csv"
    path.write_text(TABLE)
    given = [str(path) if word == "own.csv" else word for word in arguments]
    with playground("--no-browser", *given) as (process, client):
        found = client.json("settings")
        assert {name: found[name] for name in settings} == settings
        if "--data" in arguments:
            assert f"read_csv({str(path)!r}" in client.get("script").decode()
        assert ended(process, signal.SIGINT)[0] == 0


def test_a_port_is_taken_as_given_and_said_when_in_use(capfd):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert code_of("--port", str(port)) == 1
    expected = (
        f"fastnn: port: expected a free one, got {port}, which is in use; end the program that "
    )
    assert capfd.readouterr() == ("", expected + "holds it, or take --port 0: any free one\n")
    with playground("--no-browser", "--port", str(port)) as (process, client):
        assert client.host == f"127.0.0.1:{port}"
        assert ended(process, signal.SIGINT)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--port", "65536"], 2, "port: expected an integer in [0, 65535], got '65536'"),
        (["--port", "http"], 2, "port: expected an integer in [0, 65535], got 'http'"),
        (["--preset", "melt"], 2, "preset: expected one of explode, vanish, dead-relu, overfit"),
        (["--preset", "zeros", "--link", "#"], 2, "not allowed with argument --preset"),
        (["--link", "#data=mars"], 1, "data: expected one of circles, moons"),
        (["--link", "#data=csv"], 1, "data: expected a CSV file to be given first, got none"),
        (["--target", "price"], 1, "--target: expected --data FILE beside it, got none"),
        (["--data", "absent.csv"], 1, "--data: expected a file that can be read, got absent.csv"),
        (["--data", "."], 1, f"got . ({os.strerror(errno.EISDIR)})"),
        (["--data", "own.csv", "--target", "cost"], 1, "expected one of a, b, price, got 'cost'"),
        (
            ["--data", "latin.csv"],
            1,
            "--data: expected text in UTF-8, got other bytes in latin.csv",
        ),
    ],
)
def test_wrong_arguments_are_said(arguments, code, message, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.csv").write_text(TABLE)
    (tmp_path / "latin.csv").write_bytes("a,größe\n1,2\n".encode("latin-1"))
    assert code_of(*arguments) == code
    output, complaints = capfd.readouterr()
    assert output == ""
    assert message in complaints
    assert "Traceback" not in complaints


def test_handlers_of_signals_are_given_back(capfd):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert code_of("--link", "#data=mars") == 1
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


USED = """
import sys
from tests.learn.client import serving

with serving(layers=[16, 16]) as client:
    client.post("run", running=True)
    for _ in range(30):
        client.frame("boundary,neurons,edges")
    client.get("script"), client.get(), client.get("data")
heavy = {"sklearn", "scipy", "pandas", "matplotlib", "narwhals", "tqdm", "marimo"}
print(*heavy & {name.split(".")[0] for name in sys.modules})
"""


def test_made_data_load_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", USED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")
