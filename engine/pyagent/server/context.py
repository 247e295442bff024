"""What the routes share: the engine, the keys, and the sign that the server is about to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

from fastapi import Request

from pyagent.errors import NotFound
from pyagent.graph.yaml import Document
from pyagent.runtime.engine import Engine
from pyagent.runtime.graph_watch import GraphWatch
from pyagent.server.capabilities import actor, require_graph
from pyagent.server.limits import Limits
from pyagent.server.lookups import Lookups
from pyagent.server.measures import ServerMetrics
from pyagent.server.security import Keys
from pyagent.server.shares import Shares
from pyagent.server.texts import GivenTexts, ReadTexts
from pyagent.server.timelines import Timelines
from pyagent.server.workers import Workers

T = TypeVar("T")


class Streams:
    """The streams that readers have open."""

    def __init__(self) -> None:
        self._open = 0
        self._none = asyncio.Event()
        self._none.set()
        self._read: dict[object, int] = {}

    @property
    def count(self) -> int:
        """How many are open."""
        return self._open

    def lag(self, last: int) -> int:
        """Events that the slowest of those who follow all runs has yet to read; `last`: the newest cursor."""
        return max(0, last - min(self._read.values(), default=last))

    @contextmanager
    def reading(self, after: int) -> Generator[Callable[[int], None]]:
        """One that follows all runs inside the block; what it yields is told how far it has read."""
        me = object()
        self._read[me] = after
        try:
            yield partial(self._read.__setitem__, me)
        finally:
            del self._read[me]

    @contextmanager
    def one(self) -> Generator[None]:
        """A stream that is open inside the block."""
        self._open += 1
        self._none.clear()
        try:
            yield
        finally:
            self._open -= 1
            if not self._open:
                self._none.set()

    async def closed(self, timeout: float) -> None:
        """Return when no stream is open, at the latest after `timeout` seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._none.wait(), timeout)


@dataclass(kw_only=True)
class ServerContext:
    """One server's parts."""

    engine: Engine
    keys: Keys
    port: int = 0
    texts: GivenTexts = field(default_factory=GivenTexts)
    read: ReadTexts = field(default_factory=ReadTexts)
    forms: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One form is answered at a time, so that none is answered twice."""
    streams: Streams = field(default_factory=Streams)
    limits: Limits = field(default_factory=Limits)
    shares: Shares = field(default_factory=Shares)
    timelines: Timelines = field(default_factory=Timelines)
    workers: Workers = field(default_factory=Workers)
    """For what takes long of graphs that are sent here."""
    lookups: Lookups = field(default_factory=Lookups)
    """For folders, which may lie on a disk that does not answer."""
    metrics: ServerMetrics = field(init=False)
    watch: GraphWatch = field(init=False)
    working: asyncio.Task[None] | None = None
    """What executes runs here; None for a server that only shows them."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set before the server stops: streams end, so that their readers come back to the next one."""
    _saving: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary[str, asyncio.Lock])

    def __post_init__(self) -> None:
        self.metrics = ServerMetrics(self.engine, self.streams)
        self.watch = GraphWatch(self.engine.library)

    def saving(self, graph_id: str) -> asyncio.Lock:
        """A graph is saved once at a time: others' saves are merged instead of tried again and again."""
        lock = self._saving.get(graph_id)
        if lock is None:
            lock = self._saving[graph_id] = asyncio.Lock()
        return lock

    async def apart(self, size: int, work: Callable[[], T], /, *, who: str | None = None) -> T:
        """What `work` returns, which looks through graphs of `size` characters, done in a thread: of what takes long
        only a few are done at a time. `who` asks, left out whoever has the token. Raises `Refused` (`server.busy`)."""
        return await self.workers.by_size(size, who or actor(), work)

    async def version(self, hash: str) -> Document:
        """A version of a graph that the store has. Raises `NotFound`."""
        text = (await self.engine.store.get_graph(hash)).text
        return await self.apart(len(text), lambda: self.read.load(text))

    async def graph_of(self, run_id: str) -> str:
        """The id of a run's graph. Raises `NotFound`."""
        return (await self.engine.store.get_run(run_id)).graph_id


def context_of(request: Request) -> ServerContext:
    """The server that a request came to."""
    return request.app.state.context


async def require_run(server: ServerContext, run_id: str) -> None:
    """Raises `Refused` (`server.capability`) where whoever asks may not look at that run, and `NotFound` for one that
    is not there, unless they may not look at all: which runs there are is not told either."""
    try:
        graph_id = await server.graph_of(run_id)
    except NotFound:
        require_graph(None)
        raise
    require_graph(graph_id)


__all__ = ["ServerContext", "context_of", "require_run"]
