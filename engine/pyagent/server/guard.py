"""The server's outermost layer: Host and Origin, body limits, who is asking, and the headers of every response."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from time import perf_counter
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pyagent.errors import NotFound, PyAgentError
from pyagent.graph.show.style import STYLE
from pyagent.server import PORT
from pyagent.server.capabilities import PREFIX, grant_of, refusal, use_grant
from pyagent.server.errors import Refused, error_response, unexpected
from pyagent.server.limits import Limits, TooMany, client_of
from pyagent.server.security import Keys
from pyagent.vault import TokenRefused

MAX_BODY = 8 * 1024 * 1024
"""Bytes that a request may carry."""
STRANGERS_BODY = 1024 * 1024
"""Bytes that a request without a key may carry: the answer to a form."""
BODY_SECONDS = 60.0
"""How long a body may take to come."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
SOCKET_TOKEN = "bearer."  # noqa: S105  what the subprotocol that carries the token begins with
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
WEBHOOKS = ("/webhooks/", "/webhooks-test/")
"""Where the world sends requests: each webhook itself says who may, from which pages, and how much."""
_OPEN_PATHS = frozenset({"/healthz", "/readyz"})
_OPEN = ("/static/", "/reports/", "/forms/", "/shared/")
"""Where requests need no token: what is there asks for a key of its own, or is nobody's secret."""
_PICTURE = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


# Scripts and styles come from this server alone; the one inline style is that of drawn graphs.
def policy(*, style_nonce: str = "") -> str:
    """The content security policy of a page; `style_nonce`: styles that carry it may be added by its scripts."""
    styles = f"'nonce-{style_nonce}'" if style_nonce else f"'sha256-{_PICTURE}'"
    return (
        f"default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' {styles}; "
        "img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; "
        "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


_HEADERS = {
    "Content-Security-Policy": policy(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
_NO_STORE = (b"cache-control", b"no-store")
_LOCKED = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>PyAgent</title>
<link rel="icon" href="/static/icon.svg">
<link rel="stylesheet" href="/static/style.css"><body><main><h1>PyAgent</h1>
<p>This page belongs to whoever started the server. Open the link that it printed, or print a new one:</p>
<pre>pyagent open{port}</pre></main></body></html>"""


def port_option(port: int) -> str:
    """What `pyagent open` needs beside itself to find the server on this port."""
    return "" if port == PORT else f" --port {port}"


class Guard:
    """Lets through what comes from the user's own browser or programs, and answers everything else itself."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: Keys,
        port: int,
        hosts: Collection[str] = (),
        limits: Limits | None = None,
        count: Callable[[Scope, int, float], None] = lambda scope, status, seconds: None,
        graph_of: Callable[[str], Awaitable[str]] | None = None,
    ) -> None:
        """`hosts`: names beside loopback that the server may be called by; `count` is told of each answer that begins:
        its status, and how many seconds that took; `graph_of` gives the id of a run's graph, and raises `NotFound`."""
        self.app = app
        self.count = count
        self.graph_of = graph_of or _no_run
        self.keys = keys
        self.limits = limits or Limits()
        self.port = port
        self.hosts = LOOPBACK | {host.lower() for host in hosts}

    @property
    def cookie(self) -> str:
        """The cookie's name. Cookies do not know ports; several servers on one machine must not share one."""
        return f"pyagent_{self.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            if await self._lets_socket_in(scope):
                await self.app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        started = False
        came = perf_counter()

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self.count(scope, int(message["status"]), perf_counter() - came)
                _add_headers(message, stored=scope["path"].startswith("/static/"))
            await send(message)

        refusal = await self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, answer)
            return
        if scope["method"] not in _SAFE and not scope["path"].startswith(WEBHOOKS):
            most = MAX_BODY if "pyagent.who" in scope else STRANGERS_BODY
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    receive = await _read_first(receive, most)
            except (Refused, TimeoutError) as error:
                refused = error if isinstance(error, Refused) else _slow()
                await error_response(refused, {"Connection": "close"})(scope, receive, answer)
                return
        try:
            await self.app(scope, receive, answer)
        except Exception as error:
            # The application's own handler has answered, and raised it again for the server to print.
            if not started:
                await error_response(unexpected(error))(scope, receive, answer)

    async def _refusal(self, scope: Scope) -> Response | None:
        use_grant(None)
        headers = Headers(scope=scope)
        method, path = str(scope["method"]), str(scope["path"])
        if path.startswith(WEBHOOKS):
            return error_response(misnamed) if (misnamed := self._misnamed(headers)) is not None else None
        if (elsewhere := self._elsewhere(headers)) is not None:
            return error_response(elsewhere)
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit() and len(length) < 20) or int(length) > MAX_BODY:
            return error_response(_too_large(MAX_BODY), {"Connection": "close"})
        if path in _OPEN_PATHS or path.startswith(_OPEN):
            return None
        if path == "/" and "once=" in scope.get("query_string", b"").decode("latin-1"):
            return None
        return await self._unauthorized(scope, headers, method, path)

    def _misnamed(self, headers: Headers) -> Refused | None:
        """What is wrong with where the request says it goes."""
        host = headers.get("host", "")
        # A page elsewhere can point its own name at 127.0.0.1; the name then stands in Host.
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            name = ""
        if name not in self.hosts:
            return Refused(
                f"the server does not go by the name {host!r}",
                code="server.host",
                hint="Use http://127.0.0.1, or start it with --host.",
            )
        return None

    def _elsewhere(self, headers: Headers) -> Refused | None:
        """What is wrong with where the request says it goes and comes from."""
        if (misnamed := self._misnamed(headers)) is not None:
            return misnamed
        host, origin = headers.get("host", ""), headers.get("origin")
        if origin is not None and origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
            return Refused(
                f"requests from {origin} are not taken", code="server.origin", hint="Use this server's own page."
            )
        return None

    async def _lets_socket_in(self, scope: Scope) -> bool:
        """Whether a WebSocket may be opened; one that shows no key may, and must send it first (`sockets`)."""
        use_grant(None)
        headers = Headers(scope=scope)
        if self._elsewhere(headers) is not None:
            return False
        offered = [part.strip() for part in headers.get("sec-websocket-protocol", "").split(",")]
        scheme, _, given = headers.get("authorization", "").partition(" ")
        tokens = [part.removeprefix(SOCKET_TOKEN) for part in offered if part.startswith(SOCKET_TOKEN)]
        tokens += [given.strip()] if scheme.lower() == "bearer" else []
        if any(self.keys.is_token(token) for token in tokens):
            scope["pyagent.who"] = "token"
            return True
        for token in tokens:
            if token.startswith(PREFIX):
                return await self._granted(scope, token, "GET", str(scope["path"])) is None
        session = _cookie(headers.get("cookie", ""), self.cookie)
        # Browsers open WebSockets to anywhere with cookies, and always say from where.
        if headers.get("origin") is not None and self.keys.is_session(session):
            scope["pyagent.who"] = f"session {session[:40]}"
            return True
        if tokens:
            with suppress(TooMany):
                self.limits.failures.take(f"client {client_of(HTTPConnection(scope))}")
        return not tokens and not self.failed_too_often(scope)

    def failed_too_often(self, scope: Scope) -> bool:
        """Whether the client has shown so many wrong keys that no more are looked at."""
        return self.limits.failures.wait(f"client {client_of(HTTPConnection(scope))}") > 0

    async def _granted(self, scope: Scope, token: str, method: str, path: str) -> PyAgentError | None:
        """Why a token with capabilities does not open that; None where it does."""
        try:
            grant = await grant_of(token)
        except TokenRefused as error:
            try:
                self.limits.failures.take(f"client {client_of(HTTPConnection(scope))}")
            except TooMany as too_many:
                return too_many
            return error
        except PyAgentError as error:
            return error
        if (refused := await refusal(grant, method, path, self.graph_of)) is None:
            scope["pyagent.who"] = f"token {grant.ids[0]}"
            use_grant(grant)
        return refused

    async def _unauthorized(self, scope: Scope, headers: Headers, method: str, path: str) -> Response | None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.keys.is_token(given.strip()):
            scope["pyagent.who"] = "token"
            return None
        if scheme.lower() == "bearer" and given.strip().startswith(PREFIX):
            error = await self._granted(scope, given.strip(), method, path)
            return None if error is None else error_response(error)
        session = _cookie(headers.get("cookie", ""), self.cookie)
        if self.keys.is_session(session):
            scope["pyagent.who"] = f"session {session[:40]}"
            origin = headers.get("origin")
            # SameSite keeps other sites out; a request that changes something also says that it is from our page.
            if method in _SAFE or origin is not None or headers.get("sec-fetch-site") == "same-origin":
                return None
            return error_response(
                Refused(
                    "the request does not say where it comes from",
                    code="server.origin",
                    hint="Send `Origin`, or the token as `Authorization: Bearer …` instead of the cookie.",
                )
            )
        if given:
            # The right key opens always: whoever guesses wrongly on this machine locks nobody out.
            try:
                self.limits.failures.take(f"client {client_of(HTTPConnection(scope))}")
            except TooMany as error:
                return error_response(error)
        if path == "/":
            return HTMLResponse(_LOCKED.format(port=port_option(self.port)), 401)
        return error_response(_unknown(), {"WWW-Authenticate": "Bearer"})


def _add_headers(message: Message, *, stored: bool) -> None:
    """Give an answer that begins the headers of all answers, where it has none of its own; `stored`: browsers may."""
    headers = list(message.get("headers", ()))
    own = {name.lower() for name, _ in headers}
    headers += [header for header in _RAW_HEADERS if header[0] not in own]
    if not stored and _NO_STORE[0] not in own:
        headers.append(_NO_STORE)
    message["headers"] = headers


def _unknown() -> Refused:
    return Refused(
        "who is asking?",
        code="server.unauthorized",
        hint="Send the token as `Authorization: Bearer …`, or open the link that `pyagent open` prints.",
    )


async def _no_run(run_id: str) -> str:
    raise NotFound(f"no run {run_id}", code="run.not_found", hint="This server knows none.")


def _too_large(most: int) -> Refused:
    return Refused(
        f"the request is larger than {most // 1024 // 1024} MiB",
        code="server.too_large",
        hint="Give large data as a file that the graph reads.",
    )


def _slow() -> Refused:
    return Refused(
        f"the request did not come within {BODY_SECONDS:.0f} seconds",
        code="server.slow",
        hint="Send it faster, or less.",
    )


async def _read_first(receive: Receive, most: int) -> Receive:
    """A `receive` that gives the body, read as a whole. Raises `Refused` for a larger one.

    Read before the application sees the request, because it takes an error in the middle of a body for its own.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        if len(body) > most:
            raise _too_large(most)
        if not message.get("more_body", False):
            break
    given = False

    async def replay() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}
        return await receive()

    return replay


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""
