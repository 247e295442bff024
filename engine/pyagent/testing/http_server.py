"""A small HTTP server on loopback for tests of nodes and graphs: routes are functions, requests are recorded."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """A request as it came."""

    method: str
    path: str
    """Decoded, without query."""
    query: Mapping[str, str]
    """Of a name that is given several times the last value; see `pairs`."""
    pairs: tuple[tuple[str, str], ...]
    """All names and values of the query, in order."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    parts: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the names in braces of the route stand for."""

    def json(self) -> Any:
        """The body as JSON. Raises `ValueError`."""
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        """The body as a URL-encoded form."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True, kw_only=True)
class HttpReply:
    """An answer; a route may return its body alone instead."""

    body: Any = b""
    """Bytes, text, or any JSON value."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """`Content-Type` is there by the kind of the body."""


Route: TypeAlias = Callable[[HttpRequest], Any]


class HttpServer:
    """A server on 127.0.0.1 that runs while the `with` block does.

        with HttpServer() as server:
            server.route("GET", "/items/{id}", lambda request: {"id": request.parts["id"]})

    What is not routed is 404, a route that raises 500 with the error's text. Routes are called in threads. Nodes reach
    it if the setting PYAGENT_ALLOW_PRIVATE names 127.0.0.1.
    """

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        """All requests so far."""
        self._came = threading.Condition()
        self._routes: list[tuple[str, re.Pattern[str], Route]] = []
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>`, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def route(self, method: str, path: str, answer: Route | HttpReply | Any) -> None:
        """Answer requests to `path`; `{name}` in it stands for one part, `{name...}` for the rest.

        `answer` is a function of the request, or the answer itself. A later route goes before an earlier one.
        """
        pattern = re.sub(
            r"\\{(\w+)(\\\.\\\.\\\.)?\\}",
            lambda name: f"(?P<{name[1]}>{'.*' if name[2] else '[^/]+'})",
            re.escape(path),
        )
        function: Route = answer if callable(answer) else lambda _: answer
        self._routes.insert(0, (method.upper(), re.compile(pattern), function))

    def asked(self, path: str) -> list[HttpRequest]:
        """The requests to this path so far."""
        return [request for request in self.requests if request.path == path]

    def wait(self, path: str, count: int = 1, timeout: float = 30) -> bool:
        """Wait until so many requests to this path came, at most `timeout` seconds; False if they did not."""
        with self._came:
            return self._came.wait_for(lambda: len(self.asked(path)) >= count, timeout)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request: HttpRequest) -> HttpReply:
        """Record the request and find its answer."""
        with self._came:
            self.requests.append(request)
            self._came.notify_all()
        allowed: list[str] = []
        for method, pattern, function in self._routes:
            if (found := pattern.fullmatch(request.path)) is None:
                continue
            if method not in (request.method, {"HEAD": "GET"}.get(request.method)):
                allowed.append(method)
                continue
            parts = {name: str(value) for name, value in found.groupdict().items()}
            try:
                answer = function(replace(request, parts=parts))
            except Exception as error:
                return HttpReply(status=500, body=f"{type(error).__name__}: {error}")
            return answer if isinstance(answer, HttpReply) else HttpReply(body=answer)
        return HttpReply(status=405 if allowed else 404, headers={"Allow": ", ".join(allowed)} if allowed else {})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a kept connection would hold up the end of the test
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    owner: HttpServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one packet

    def _handle(self) -> None:
        address = urlsplit(self.path)
        pairs = tuple(parse_qsl(address.query, keep_blank_values=True))
        reply = self.owner.answer(
            HttpRequest(
                method=self.command,
                path=unquote(address.path),
                query=dict(pairs),
                pairs=pairs,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self._body(),
            )
        )
        body, media_type = _encoded(reply.body)
        headers = {"Content-Type": media_type, "Content-Length": str(len(body)), **reply.headers}
        try:
            self.send_response(reply.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            self.wfile.flush()
        except ConnectionError:
            self.close_connection = True  # the client has gone

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what came is in `requests`."""


def _encoded(body: Any) -> tuple[bytes, str]:
    if isinstance(body, bytes):
        return body, "application/octet-stream"
    if isinstance(body, str):
        return body.encode(), "text/plain; charset=utf-8"
    return json.dumps(body, ensure_ascii=False).encode(), "application/json"


__all__ = ["HttpReply", "HttpRequest", "HttpServer", "Route"]
