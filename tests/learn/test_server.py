"""The playground's server as HTTP: what it answers, what it refuses, how it ends."""

import json
import socket
import threading

import pytest
from fastnn.learn.playground import routes, schema
from fastnn.learn.playground.server import MOST_CONNECTIONS, Handler, Server
from fastnn.learn.playground.trainer import Trainer

from tests.learn.client import Client, serving

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
BINARY = "application/octet-stream"
STRICT = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
READ = {
    "": "text/html; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "schema": JSON,
    "settings": JSON,
    "data": JSON,
    "script": TEXT,
    "frame?views=boundary": BINARY,
}


@pytest.fixture(scope="module")
def client():
    with serving(points=40) as found:
        yield found


def raw(client, text):
    """Send these bytes over a connection of their own; return the status of the answer."""
    host, port = client.host.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(text.encode("latin-1"))
        with connection.makefile("rb") as stream:
            line, rest = stream.readline(), stream.read()
    assert b"Content-Security-Policy" in rest
    return int(line.split()[1])


@pytest.mark.parametrize("name", READ)
def test_what_can_be_read_says_what_it_is(client, name):
    answer = client.ask("GET", name)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == READ[name]
    assert int(answer.headers["Content-Length"]) == len(answer.body) > 0
    head = client.ask("HEAD", name)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Type"] == READ[name]


@pytest.mark.parametrize(
    ("method", "name", "status"),
    [("GET", name, 200) for name in READ]
    + [("POST", "reset", 200), ("POST", "set", 200), ("POST", "", 405), ("GET", "absent", 404)],
)
def test_every_answer_has_the_strict_headers(client, method, name, status):
    answer = client.ask(method, name, {} if method == "POST" else None)
    assert answer.status == status
    assert {header: answer.headers[header] for header in STRICT} == STRICT
    assert answer.headers["Server"] is None
    assert answer.headers["Access-Control-Allow-Origin"] is None


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_wrong_method_is_told_which_is_right(client, method):
    for name, allowed in ({"": "GET, HEAD", "frame": "GET, HEAD", "set": "POST"}).items():
        if method not in allowed:
            answer = client.ask(method, name)
            assert (answer.status, answer.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize(
    "name",
    [
        *("index.html", "absent", "server.py", "static/page.js", "page.js/", "/", "frame/"),
        *("../routes.py", "%2e%2e/routes.py", "..%2froutes.py", "page.js%00", "PAGE.JS", "."),
    ],
)
def test_an_unknown_path_is_404(client, name):
    assert client.ask("GET", name).status == 404


def test_only_the_page_is_read_from_the_disk():
    suffixes = (".html", ".css", ".js", ".svg")
    assert all(name.endswith(suffixes) for name in routes.page() if name)


@pytest.mark.parametrize(
    "root", ["/", "/wrong/", "/%00/", "/\xff/", "//", "/{token}", "/{token}x/"]
)
def test_without_the_token_nothing_is_said(client, root):
    target = root.format(token=client.token)
    assert raw(client, f"GET {target} HTTP/1.1\r\nHost: {client.host}\r\n\r\n") == 403
    assert raw(client, f"POST {target}set HTTP/1.1\r\nHost: {client.host}\r\n\r\n") == 403


def test_each_start_has_a_token_of_its_own():
    servers = [Server(Trainer(schema.DEFAULTS)) for _ in range(2)]
    for server in servers:
        server.server_close()
    assert servers[0].token != servers[1].token
    assert len(servers[0].token) >= 22  # 128 bits


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "rebound.example:{port}"}, 403),
        ({"Host": "127.0.0.1"}, 403),
        ({"Host": "localhost:{port}"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://{host}"}, 403),
        ({"Origin": "http://{host}"}, 200),
    ],
)
def test_another_site_is_refused(client, headers, status):
    port = client.host.split(":")[1]
    sent = {name: text.format(host=client.host, port=port) for name, text in headers.items()}
    assert client.ask("GET", "settings", headers=sent).status == status
    assert client.ask("POST", "set", {}, headers=sent).status == status


def test_a_request_names_its_host_once(client):
    start, host = f"GET {client.root} HTTP/1.1\r\n", f"Host: {client.host}\r\n"
    assert raw(client, f"{start}\r\n") == 403
    assert raw(client, f"{start}{host}{host}\r\n") == 403
    assert raw(client, f"{start}{host}Connection: close\r\n\r\n") == 200


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("junk\r\n\r\n", 400),
        ("GET {root}\r\n\r\n", 400),  # HTTP/0.9
        ("GET {root} HTTP/2.0\r\n\r\n", 505),
        ("GET {root} SPDY/1\r\n\r\n", 400),
        ("FETCH {root} HTTP/1.1\r\nHost: {host}\r\n\r\n", 501),
        ("GET {root}?" + 3000 * "x" + " HTTP/1.1\r\nHost: {host}\r\n\r\n", 414),
        ("GET {root}" + 70_000 * "x" + " HTTP/1.1\r\n\r\n", 414),
        ("GET {root} HTTP/1.1\r\nHost: {host}\r\nX: " + 70_000 * "x" + "\r\n\r\n", 431),
        ("GET {root} HTTP/1.1\r\nHost: {host}\r\n" + 101 * "X: y\r\n" + "\r\n", 431),
        ("GET {root} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\n\r\nx", 400),
        ("GET http://{host}{root} HTTP/1.1\r\nHost: {host}\r\n\r\n", 403),
    ],
)
def test_what_is_no_proper_request_is_refused(client, text, status):
    assert raw(client, text.format(root=client.root, host=client.host)) == status


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({"X-Fastnn-Token": None}, 403, "wrong X-Fastnn-Token"),
        ({"X-Fastnn-Token": "wrong"}, 403, "wrong X-Fastnn-Token"),
        ({"X-Fastnn-Token": "\xe9"}, 403, "wrong X-Fastnn-Token"),
        ({"Content-Type": None}, 415, "expected application/json"),
        ({"Content-Type": "text/plain"}, 415, "expected application/json"),
        ({"Content-Type": "application/json; charset=utf-8"}, 200, ""),
        ({"Content-Length": "-1"}, 400, "expected one Content-Length, a whole number"),
        ({"Content-Length": "two"}, 400, "expected one Content-Length, a whole number"),
        ({"Content-Length": 5000 * "1"}, 400, "expected one Content-Length, a whole number"),
        ({"Transfer-Encoding": "chunked"}, 411, "expected a Content-Length"),
        ({"Expect": "100-continue"}, 200, ""),
    ],
)
def test_headers_of_a_post_are_checked(client, headers, status, message):
    answer = client.ask("POST", "set", {}, headers)
    assert answer.status == status
    assert answer.json.get("error", "") == message
    assert (answer.headers["Connection"] == "close") == (status != 200)


def test_a_post_says_how_long_it_is(client):
    head = f"POST {client.root}set HTTP/1.1\r\nHost: {client.host}\r\nContent-Type: {JSON}\r\n"
    head += f"X-Fastnn-Token: {client.token}\r\n"
    assert raw(client, f"{head}\r\n") == 411
    assert raw(client, f"{head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}") == 400


@pytest.mark.parametrize(
    ("name", "largest"), [("set", 64 << 10), ("points", 2 << 20), ("csv", 2 << 20)]
)
def test_a_body_has_a_largest_size(client, name, largest):
    token = {"X-Fastnn-Token": client.token, "Content-Type": JSON}
    fits = client.ask("POST", name, largest * b" ", token)
    assert (fits.status, fits.json["error"][:20]) == (400, "body: expected JSON,")
    larger = client.ask("POST", name, (largest + 1) * b" ", token)
    assert larger.status == 413
    assert larger.json["error"] == f"body: expected at most {largest:,} bytes, got {largest + 1:,}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "body: expected JSON, got Expecting value at character 0"),
        ("{", "body: expected JSON, got Expecting property name"),
        ('{"seed": 1} {}', "body: expected JSON, got Extra data"),
        ("[1]", "body: expected a JSON object, got list"),
        ("null", "body: expected a JSON object, got None"),
        ('{"noise": NaN}', "body: expected finite numbers, got NaN"),
        ('{"noise": -Infinity}', "body: expected finite numbers, got -Infinity"),
        ('{"noise": 1e999}', "body: expected finite numbers, got 1e999"),
        ('{"seed": 1, "seed": 2}', "seed: expected one value, got two of them"),
        ('{"layers": ' + 30_000 * "[" + "}", "body: expected JSON, got lists within lists"),
        ('{"seed": ' + 5000 * "9" + "}", ""),
        ('{"noise": "\xff"}', "body: expected JSON in UTF-8, got other bytes"),
    ],
)
def test_a_body_is_strict_json(client, body, message):
    before = client.json("settings")
    headers = {"X-Fastnn-Token": client.token, "Content-Type": JSON}
    answer = client.ask("POST", "set", body.encode("latin-1"), headers)
    assert answer.status == 400
    assert message in answer.json["error"]
    assert client.json("settings") == before


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("side=64&side=64", "side: expected one value, got two of them"),
        ("depth=1", "query: expected one of views, since, side, edges, rows, got 'depth'"),
        ("side", "bad query field"),
        ("&", "bad query field"),
        ("since=-1", "since: expected a whole number, got '-1'"),
        ("since=²", "since: expected a whole number"),
        ("side=9999999999999999999", "side: expected a whole number"),
        ("side=1000000", "side: expected"),
        ("side=0", "side: expected"),
        ("views=walls", "view"),
        ("edges=heavy", "edges: expected one of"),
        ("rows=all", "rows: expected one of"),
        ("&".join(f"side{i}=1" for i in range(20)), "Max number of fields exceeded"),
    ],
)
def test_a_wrong_query_says_what_is_expected(client, query, message):
    answer = client.ask("GET", "frame?" + query.replace("²", "%C2%B2"))
    assert answer.status == 400
    assert message in answer.json["error"]


def test_a_connection_is_kept_until_a_request_is_refused(client):
    one = Client(f"http://{client.host}{client.root}")
    one.get("settings")
    kept = one.connection.sock
    one.get("data")
    one.ask("POST", "set", {"noise": 7})  # a wrong value alone ends no connection
    one.get("settings")
    assert one.connection.sock is kept
    one.ask("GET", "absent")
    assert one.connection.sock is None


def test_what_follows_a_refused_request_is_not_served(client):
    hidden = f"POST {client.root}reset HTTP/1.1\r\nHost: {client.host}\r\n\r\n"
    text = f"POST {client.root}set HTTP/1.1\r\nHost: {client.host}\r\n\r\n{hidden}"
    host, port = client.host.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as stream:
            assert stream.read().count(b"HTTP/1.1 ") == 1


def test_connections_are_limited_and_come_back():
    with serving(points=20) as client:
        others = [Client(f"http://{client.host}{client.root}") for _ in range(MOST_CONNECTIONS)]
        for other in others:
            other.get("settings")
        with pytest.raises(ConnectionError):
            client.get("settings")
        for other in others:
            other.connection.close()


def test_a_browser_that_goes_away_is_no_error(capfd):
    with serving() as client:
        frame = f"GET {client.root}frame?views=boundary,neurons,edges&side=256 HTTP/1.1\r\n"
        host, port = client.host.split(":")
        for _ in range(5):
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(8 * f"{frame}Host: {client.host}\r\n\r\n".encode())
                connection.recv(1)
                # to linger for no second is to reset: what is on its way is lost
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.get()
    assert capfd.readouterr().err == ""


def test_a_server_that_closes_leaves_no_thread():
    before = set(threading.enumerate())
    with serving(points=20) as client:
        client.post("run", running=True)
        client.frame("boundary")
        idle = Client(f"http://{client.host}{client.root}")
        idle.get("settings")
        assert set(threading.enumerate()) > before
    assert set(threading.enumerate()) == before
    assert idle.connection.sock.recv(1) == b""
    idle.connection.close()


def test_a_server_that_never_started_closes():
    server = Server(Trainer(schema.DEFAULTS))
    server.close()
    assert server.socket.fileno() == -1


def test_a_silent_connection_ends(client, monkeypatch):
    monkeypatch.setattr(Handler, "timeout", 0.05)
    host, port = client.host.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        assert connection.recv(1) == b""
    head = f"POST {client.root}set HTTP/1.1\r\nHost: {client.host}\r\nContent-Type: {JSON}\r\n"
    head += f"X-Fastnn-Token: {client.token}\r\nContent-Length: 9\r\n\r\nshort"
    assert raw(client, head) == 408


class Broken(Trainer):
    def settings(self):
        raise RuntimeError("out of order")


def test_a_failure_of_our_own_is_said_and_shown(capfd):
    with serving(Broken(schema.DEFAULTS)) as client:
        answer = client.ask("GET", "settings")
        assert client.json("data")
    assert (answer.status, answer.json) == (500, {"error": "fastnn failed: out of order"})
    assert "RuntimeError: out of order" in capfd.readouterr().err


def test_a_port_in_use_is_said(client):
    port = int(client.host.split(":")[1])
    expected = f"port: expected a free one, got {port}, which is in use; end the program"
    with pytest.raises(OSError, match=expected):
        Server(Trainer(schema.DEFAULTS), port)


def test_schema_names_fields_presets_and_version(client):
    found = client.json("schema")
    assert [entry["name"] for entry in found["fields"]] == list(schema.BY_NAME)
    assert {"name", "title", "help", "settings"} == set(found["presets"][0])
    assert json.dumps(found).isascii()
