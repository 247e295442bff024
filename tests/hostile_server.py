"""A web server that does everything wrong: hangs, drips, lies, breaks off, redirects in circles, sends gigabytes."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

CHUNK = b"x" * 65_536
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BINARY = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"


@dataclass
class HostileServer:
    """Each path is one way to be hostile: a method's name with `-` for `_`."""

    port: int = 0
    sent: int = 0
    """Bytes of endless bodies that were taken by the system."""
    connections: int = 0
    requests: list[str] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    """A request came."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, path, _ = head.split(b"\r\n")[0].decode().split(" ", 2)
                self.requests.append(f"{method} {path}")
                self.reached.set()
                name = path.strip("/").partition("/")[0].partition("?")[0].replace("-", "_")
                if await getattr(self, name)(writer) is not True:
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    # -- it is silent or slow ---------------------------------------------------------------------------------------

    async def silent(self, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def silent_in_headers(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, b"HTTP/1.1 200 OK\r\nContent-Ty")
        await asyncio.Event().wait()

    async def silent_after_headers(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, JSON + b"Content-Length: 100\r\n\r\n{")
        await asyncio.Event().wait()

    async def drip(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, JSON + b"Content-Length: 100000\r\n\r\n")
        while True:
            await self._write(writer, b" ")
            await asyncio.sleep(0.1)

    async def drip_headers(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, b"HTTP/1.1 200 OK\r\n")
        for number in range(100_000):
            await self._write(writer, b"X-%d: y\r\n" % number)
            await asyncio.sleep(0.1)

    # -- it lies or breaks off ---------------------------------------------------------------------------------------

    async def closes(self, writer: asyncio.StreamWriter) -> None:
        pass

    async def breaks_off(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, JSON + b'Content-Length: 100\r\n\r\n{"a": 1}')

    async def breaks_off_chunked(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, JSON + b'Transfer-Encoding: chunked\r\n\r\n8\r\n{"a": 1}\r\n')

    async def resets(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, JSON + b"Content-Length: 100\r\n\r\n{")
        writer.transport.abort()

    async def says_less(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, JSON + b'Content-Length: 3\r\n\r\n{"a": 1}')

    async def says_two_lengths(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, JSON + b'Content-Length: 8\r\nContent-Length: 3\r\n\r\n{"a": 1}')

    async def broken_chunks(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, JSON + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n")

    async def no_http(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, b"SSH-2.0-OpenSSH_9.6\r\n")

    async def broken_json(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, JSON + b'Content-Length: 7\r\n\r\n{"a": 1')

    async def wrong_charset(self, writer: asyncio.StreamWriter) -> None:
        await self._write(
            writer, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 1\r\n\r\n\xfc"
        )

    async def no_charset(self, writer: asyncio.StreamWriter) -> None:
        await self._write(
            writer, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=kling\xf6n\r\nContent-Length: 1\r\n\r\n\xfc"
        )

    async def not_gzip(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, JSON + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}")

    async def half_gzip(self, writer: asyncio.StreamWriter) -> None:
        body = zlib.compress(b'{"a": "' + b"b" * 1000 + b'"}', wbits=31)[:-12]
        await self._write(writer, JSON + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async def unknown_coding(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, JSON + b"Content-Encoding: zstd\r\nContent-Length: 2\r\n\r\n{}")

    # -- it sends too much -------------------------------------------------------------------------------------------

    async def huge_header(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, b"HTTP/1.1 200 OK\r\nX: " + CHUNK * 40 + b"\r\n\r\n{}")

    async def endless_headers(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, b"HTTP/1.1 200 OK\r\n")
        while True:
            await self._write(writer, b"X: y\r\n" * 1000)

    async def gigabytes(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, BINARY + b"\r\n")
        await self._endless(writer)

    async def gigabytes_told(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, BINARY + b"Content-Length: 8000000000\r\n\r\n")
        await self._endless(writer)

    async def gigabytes_chunked(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, JSON + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            await self._write(writer, b"10000\r\n" + CHUNK + b"\r\n")
            self.sent += len(CHUNK)

    async def gigabytes_of_error(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, b"HTTP/1.1 500 Oh\r\nContent-Type: text/plain\r\n\r\n")
        await self._endless(writer)

    async def bomb(self, writer: asyncio.StreamWriter) -> None:
        """A megabyte that is a gigabyte once it is unpacked."""
        await self._write(writer, JSON + b"Content-Encoding: gzip\r\n\r\n")
        packer = zlib.compressobj(9, wbits=31)
        for _ in range(1024):
            await self._write(writer, packer.compress(b" " * (1 << 20)))
        await self._write(writer, packer.flush())

    async def megabytes(self, writer: asyncio.StreamWriter) -> None:
        """100 MiB, honestly."""
        await self._write(writer, BINARY + b"Content-Length: %d\r\n\r\n" % (1600 * len(CHUNK)))
        for _ in range(1600):
            await self._write(writer, CHUNK)

    # -- it leads astray ---------------------------------------------------------------------------------------------

    async def circle(self, writer: asyncio.StreamWriter) -> bool:
        await self._write(writer, b"HTTP/1.1 302 Found\r\nLocation: /circle\r\nContent-Length: 0\r\n\r\n")
        return True

    async def longer_and_longer(self, writer: asyncio.StreamWriter) -> bool:
        there = f"/longer-and-longer/{len(self.requests)}"
        await self._write(writer, f"HTTP/1.1 302 Found\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n".encode())
        return True

    async def metadata(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/meta-data/\r\n\r\n")

    async def this_machine(self, writer: asyncio.StreamWriter) -> None:
        await self._write(writer, b"HTTP/1.1 302 Found\r\nLocation: http://[::ffff:127.0.0.2]/\r\n\r\n")

    async def endless_pages(self, writer: asyncio.StreamWriter) -> bool:
        await self._answer(writer, b'[{"page": %d}]' % len(self.requests))
        return True

    async def closes_kept(self, writer: asyncio.StreamWriter) -> bool:
        """The first answer on a connection promises that it stays, and then it closes."""
        await self._answer(writer, b'{"request": %d}' % len(self.requests))
        return False

    async def honest(self, writer: asyncio.StreamWriter) -> bool:
        await self._answer(writer, b'{"honest": true}')
        return True

    async def _answer(self, writer: asyncio.StreamWriter, body: bytes) -> None:
        await self._write(writer, JSON + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    async def _endless(self, writer: asyncio.StreamWriter) -> None:
        while True:
            await self._write(writer, CHUNK)
            self.sent += len(CHUNK)

    @staticmethod
    async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def hostile_server() -> AsyncIterator[HostileServer]:
    """A server in this event loop."""
    hostile = HostileServer()
    tasks: set[asyncio.Task[Any]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await hostile.handle(reader, writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    hostile.port = server.sockets[0].getsockname()[1]
    try:
        yield hostile
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
