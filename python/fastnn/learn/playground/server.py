"""HTTP on loopback: the page and its trainer, for the one browser that knows a random word."""

from __future__ import annotations

import errno
import secrets
import socketserver
import sys
import threading
from concurrent.futures import CancelledError
from contextlib import suppress
from hmac import compare_digest
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RD, SHUT_WR
from typing import TYPE_CHECKING, Any

from fastnn import check
from fastnn.learn.playground import routes

if TYPE_CHECKING:
    from socket import socket

    from fastnn.learn.playground.trainer import Trainer

ADDRESS = "127.0.0.1"
MOST_CONNECTIONS = 64
LONGEST_TARGET = 2048
MOST_UNREAD = 2**23  # bytes of a refused request that are read and thrown away
HEADERS = "".join(
    f"{name}: {value}\r\n"
    for name, value in {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; object-src 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }.items()
)


class Server(ThreadingHTTPServer):
    """Serves a playground until it is closed.

    Parameters
    ----------
    trainer : Trainer
        What it shows; `start` starts it too, `close` closes it.
    port : int
        Port on 127.0.0.1; 0 takes any that is free.

    Attributes
    ----------
    token : str
        Random word that every path begins with: who does not know it is refused.
    url : str
        Address of the page.

    Raises
    ------
    OSError
        Where the port is not to be had, with a message that says why.
    """

    request_queue_size = 32

    def __init__(self, trainer: Trainer, port: int = 0) -> None:
        self.trainer = trainer
        self.token = secrets.token_urlsafe(16)
        self.page = routes.page()
        self._open: dict[threading.Thread, socket] = {}
        self._loop = threading.Thread(
            target=self.serve_forever, args=(0.1,), name="fastnn-server", daemon=True
        )
        try:
            super().__init__((ADDRESS, port), Handler)
        except OSError as error:
            raise OSError(_port_message(port, error)) from None

    def server_bind(self) -> None:
        """Take the port, and ask no name server what the address is called."""
        socketserver.TCPServer.server_bind(self)
        self.host = f"{ADDRESS}:{self.server_address[1]}"
        self.url = f"http://{self.host}/{self.token}/"

    def start(self) -> None:
        """Begin to train and to serve; returns at once."""
        self.trainer.start()
        self._loop.start()

    def close(self) -> None:
        """End connections, trainer and every thread; once it returns, nothing is left."""
        if self._loop.is_alive():
            self.shutdown()
            self._loop.join()
        self.server_close()
        self.trainer.close()
        for thread, connection in list(self._open.items()):
            with suppress(OSError):
                connection.shutdown(SHUT_RD)
            thread.join()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection a thread of its own."""
        if len(self._open) >= MOST_CONNECTIONS:
            self.shutdown_request(request)
            return
        thread = threading.Thread(
            target=self._serve, args=(request, client_address), name="fastnn-request", daemon=True
        )
        self._open[thread] = request
        thread.start()

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            del self._open[threading.current_thread()]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that went away in the middle of an answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class RefusedError(Exception):
    """A request that is not served: status, and why; ends its connection."""

    def __init__(self, status: HTTPStatus, why: str, allow: str = "") -> None:
        super().__init__(why)
        self.status = status
        self.allow = allow


class Handler(BaseHTTPRequestHandler):
    """One connection: checks each request, and answers it in a single write."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 10  # seconds that a connection may be silent
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer a request of any method."""
        try:
            content = self._content()
        except RefusedError as refusal:
            self._refuse(refusal)
        except CancelledError:
            self._refuse(RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "the playground ends"))
        except (ValueError, TypeError) as error:
            self._answer(HTTPStatus.BAD_REQUEST, routes.as_json({"error": str(error)}))
        except Exception as error:
            self._refuse(RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, f"fastnn failed: {error}"))
            raise
        else:
            self._answer(HTTPStatus.OK, content)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815 - so named

    def _content(self) -> routes.Content:
        """Return what a request asks for, after every check."""
        name, query = self._admitted()
        posted = name in routes.POSTS
        if not posted and name not in self.server.page and name not in routes.GETS:
            raise RefusedError(HTTPStatus.NOT_FOUND, "no such page")
        methods = ("POST",) if posted else ("GET", "HEAD")
        if self.command not in methods:
            raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "no such method", ", ".join(methods))
        if posted:
            body = self._body(routes.POSTS[name].largest)
            routes.parsed_query(query, ())
            return routes.done(self.server.trainer, name, body)
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "expected no body")
        if name in self.server.page:
            return self.server.page[name]
        return routes.read(self.server.trainer, name, query)

    def _admitted(self) -> tuple[str, str]:
        """Return the word after the token and the query of a request that may be served.

        A page of another site reaches this server by a name of its own (Host), or says where it
        comes from (Origin); other users of the machine do not know the token.
        """
        if self.request_version == "HTTP/0.9":
            raise RefusedError(HTTPStatus.BAD_REQUEST, "expected HTTP/1.1")
        if len(self.path) > LONGEST_TARGET:
            raise RefusedError(HTTPStatus.REQUEST_URI_TOO_LONG, "the address is too long")
        if self.headers.get_all("Host") != [self.server.host]:
            raise RefusedError(HTTPStatus.FORBIDDEN, "wrong Host")
        origin = f"http://{self.server.host}"
        if self.headers.get_all("Origin", [origin]) != [origin]:
            raise RefusedError(HTTPStatus.FORBIDDEN, "wrong Origin")
        path, _, query = self.path.partition("?")
        _, token, name = [*path.split("/", 2), "", ""][:3]
        if path.count("/") < 2 or not self._is_token(token):
            raise RefusedError(
                HTTPStatus.FORBIDDEN, "wrong token: open the address that fastnn printed"
            )
        return name, query

    def _is_token(self, word: str) -> bool:
        """Compare in a time that does not tell how much of the word is right."""
        return compare_digest(word.encode("latin-1", "replace"), self.server.token.encode())

    def _body(self, largest: int) -> bytes:
        """Read what a POST brings, once its headers are right."""
        if not self._is_token(self.headers.get("X-Fastnn-Token", "")):
            raise RefusedError(HTTPStatus.FORBIDDEN, "wrong X-Fastnn-Token")
        if self.headers.get_content_type() != routes.JSON:
            raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"expected {routes.JSON}")
        lengths = self.headers.get_all("Content-Length", [])
        if not lengths or "Transfer-Encoding" in self.headers:
            raise RefusedError(HTTPStatus.LENGTH_REQUIRED, "expected a Content-Length")
        text = lengths[0]
        if len(lengths) > 1 or not (text.isascii() and text.isdecimal() and len(text) < 16):
            raise RefusedError(
                HTTPStatus.BAD_REQUEST, "expected one Content-Length, a whole number"
            )
        if int(text) > largest:
            why = f"body: expected at most {largest:,} bytes, got {int(text):,}"
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why)
        if "Expect" in self.headers:
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            body = self.rfile.read(int(text))
        except TimeoutError:
            raise RefusedError(HTTPStatus.REQUEST_TIMEOUT, "the body did not come") from None
        if len(body) < int(text):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "the body ended early")
        return body

    def _answer(self, status: HTTPStatus, content: routes.Content, more: str = "") -> None:
        kind, body = content
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n{HEADERS}{more}"
            f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.wfile.write(head.encode() + (b"" if self.command == "HEAD" else body))

    def _refuse(self, refusal: RefusedError) -> None:
        """Say why, and end the connection: what it still sends is no next request."""
        self.close_connection = True
        more = "Connection: close\r\n" + (f"Allow: {refusal.allow}\r\n" if refusal.allow else "")
        self._answer(refusal.status, routes.as_json({"error": str(refusal)}), more)
        with suppress(OSError):  # a connection closed on unread bytes would lose the answer
            self.connection.shutdown(SHUT_WR)
            self.connection.settimeout(1)
            for _ in range(MOST_UNREAD // 2**16):
                if not self.rfile.read1(2**16):
                    break

    def handle_expect_100(self) -> bool:
        """Ask for the body when it is known to be welcome, not before."""
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no HTTP, in the form of every other answer."""
        status = HTTPStatus(code)
        self._refuse(RefusedError(status, message or status.phrase))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a line per frame would bury the address."""


def _port_message(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        remedy = "end the program that holds it, or take --port 0: any free one"
        return check.message("port", "a free one", f"{port}, which is in use", remedy)
    if error.errno == errno.EACCES:
        return check.message("port", "one above 1023", port)
    return f"port {port}: {error.strerror}"
