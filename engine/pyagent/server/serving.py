"""Runs the server in this process: its socket, its background work, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn

from pyagent.errors import PyAgentError, SetupError
from pyagent.runtime.engine import Engine
from pyagent.runtime.metric_export import exporting
from pyagent.runtime.retention import keep_forgetting, retention_from_environment
from pyagent.runtime.triggers import TriggerHost
from pyagent.server import PORT
from pyagent.server.app import create_app
from pyagent.server.context import ServerContext
from pyagent.server.security import Keys
from pyagent.server.shares import Shares

_NEAR = 20
"""Ports above the default one that are tried when none was asked for."""
_PARTING = 2.0
"""Seconds that readers of streams get to take the last word."""
logger = logging.getLogger("pyagent.server")


class PortInUse(SetupError):
    """Another program listens on the port."""

    code = "server.port_in_use"
    hint = "Stop that program, or give another --port (PORT= with make)."


class PageServer:
    """A server that is up and can hand out links to its page."""

    def __init__(self, context: ServerContext, host: str) -> None:
        self._context = context
        self.port = context.port
        """The port that it listens on."""
        shown = "127.0.0.1" if host in ("0.0.0.0", "") else host  # noqa: S104  what to show, not to listen on
        self.address = f"http://{f'[{shown}]' if ':' in shown else shown}:{context.port}"

    def link(self, run: str = "") -> str:
        """An address that opens the page once; with a run, its view."""
        return f"{self.address}/?once={self._context.keys.new_link()}" + (f"&run={run}" if run else "")


def listen(host: str, port: int | None) -> socket.socket:
    """A socket that listens; without a port on the default one or a free one above it.

    Raises `PortInUse` (`server.port_in_use`), `SetupError` (`server.address`).
    """
    if port is not None and not 0 <= port <= 65535:
        # Python's resolver would take it modulo 65536.
        raise SetupError(f"there is no port {port}", code="server.address", hint="Give a --port from 1024 to 65535.")
    tried = range(PORT, PORT + _NEAR) if port is None else (port,)
    for number in tried:
        try:
            return _bound(host, number)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise SetupError(
                    f"cannot listen on {host}:{number}: {error.strerror or error}",
                    code="server.address",
                    hint="Give an address of this machine with --host, and a --port from 1024 to 65535.",
                ) from None
    if port is None:
        return _bound(host, 0)
    raise PortInUse(f"port {port} of {host} is in use")


def _bound(host: str, port: int) -> socket.socket:
    kind, _, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # asyncio sends small answers at once only where the protocol is named: others wait 40 ms for the next packet.
    made = socket.socket(kind, socket.SOCK_STREAM, protocol)
    try:
        # A server that is started again must not wait for the old one's connections to be forgotten.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(128)
    except BaseException:
        made.close()
        raise
    return made


class _Uvicorn(uvicorn.Server):
    """Uvicorn without its signal handlers: the command line has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def serving(
    engine: Engine,
    *,
    token: str,
    host: str = "127.0.0.1",
    port: int | None = None,
    work: bool = True,
    shares: Path | None = None,
) -> AsyncGenerator[PageServer]:
    """A server that is up inside the block; `work` also executes runs. At the end runs are handed over as they stand.

    `token` is what programs show, and what all its keys come from: `read_token` of a file beside the engine's store.
    `shares`: where links to runs are kept (`shares_file`); without it they end with the server.
    Raises `SetupError` (`server.*`).
    """
    retention = retention_from_environment()
    keys = Keys(token)
    bound = listen(host, port)
    context = ServerContext(engine=engine, keys=keys, port=bound.getsockname()[1], shares=Shares(shares))
    engine.observers.append(context.metrics.runs)
    application = create_app(context, hosts=(host,))
    config = uvicorn.Config(
        application,
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=30,
        # What a proxy would say of the client's address anybody on this machine can say, and limits go by it.
        proxy_headers=False,
        ws_max_size=64 * 1024,
    )
    server = _Uvicorn(config)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    worker = context.working = asyncio.create_task(_work(engine)) if work else None
    triggers = asyncio.create_task(_host_triggers(engine)) if work else None
    forgetting = asyncio.create_task(keep_forgetting(engine.store, retention)) if work else None
    async with exporting(context.metrics.snapshot):
        try:
            yield PageServer(context, host)
        finally:
            context.stopping.set()
            engine.observers.remove(context.metrics.runs)
            # New connections go to the next server; those there are get their answers, and streams their last word.
            for listening in server.servers:
                listening.close()
            await asyncio.gather(_handed_over(forgetting, triggers, worker), context.streams.closed(_PARTING))
            server.should_exit = True
            await asyncio.gather(task, return_exceptions=True)
            bound.close()


async def _handed_over(*background: asyncio.Task[None] | None) -> None:
    """End what works in the background, one after the other: nothing new begins, then runs are left to others."""
    for task in background:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _work(engine: Engine) -> None:
    """Execute runs; a store that cannot be reached for a while does not end it."""
    while True:
        try:
            await engine.work()
        except PyAgentError as error:
            logger.error("%s", error)
            await asyncio.sleep(1)


async def _host_triggers(engine: Engine) -> None:
    """Run what starts active graphs; what goes wrong with one of them is told with it, this is for the rest."""
    while True:
        try:
            await TriggerHost(engine).run()
        except PyAgentError as error:
            logger.error("%s", error)
            await asyncio.sleep(1)
