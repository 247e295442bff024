"""A TCP proxy on loopback for tests, that cuts connections when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable


class TcpProxy:
    """Hands everything on to a port, until `cut_answers` or `stop`; an async context manager."""

    def __init__(self, port: int) -> None:
        """`port`: whom it speaks for, on 127.0.0.1."""
        self.target = port
        self.port = 0
        self.cuts = 0
        """Connections that were cut instead of being given an answer."""
        self._cut: Callable[[bytes], bool] | None = None
        self._doomed: set[asyncio.StreamWriter] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> TcpProxy:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Take connections; after `stop` on the same port again."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut all connections and take none."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    def cut_answers(self, after: Callable[[bytes], bool] | None) -> None:
        """Cut the next connection on which a request comes that `after` is true for, when its answer comes: the
        request has been handed on. None: no more."""
        self._cut = after

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            there_reader, there = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers |= {writer, there}
            await asyncio.gather(self._requests(reader, there, writer), self._answers(there_reader, writer, there))
            self._writers -= {writer, there}

    async def _requests(
        self, reader: asyncio.StreamReader, there: asyncio.StreamWriter, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self._cut is not None and self._cut(data):
                    self._cut = None
                    self._doomed.add(writer)
                there.write(data)
                await there.drain()
        there.close()

    async def _answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, there: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if writer in self._doomed:
                    self._doomed.discard(writer)
                    self.cuts += 1
                    writer.transport.abort()
                    there.transport.abort()
                    return
                writer.write(data)
                await writer.drain()
        writer.close()
