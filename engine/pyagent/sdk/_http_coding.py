"""Unpacks the codings of HTTP bodies piece by piece, so that a bomb does not fill the memory (RFC 9110, 8.4)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import TypeAlias

from pyagent.errors import NodeError

PIECE = 256 * 1024
"""Most bytes that are unpacked at once."""

Decode: TypeAlias = Callable[[bytes], Iterator[bytes]]


class BodyTooLarge(NodeError):
    """The body is larger than was allowed; the rest was not read."""

    code = "node.http_size"
    hint = "Raise `max_size` if so much is expected."

    def __init__(self, most: int, told: int | None = None) -> None:
        size = f"{told} bytes by its own word" if told is not None else "larger"
        super().__init__(f"the body is {size}; at most {most} bytes are allowed", details={"max_size": most})


class BadCoding(NodeError):
    """The body cannot be unpacked."""

    code = "node.http_coding"
    hint = "The server's answer is damaged; try again, or ask for it plain: headers: {Accept-Encoding: identity}."


def decoder(coding: str) -> tuple[Decode, Callable[[], None]]:
    """For a content coding: what unpacks a chunk, and what checks that the end was reached.

    Raises `BadCoding` for one that is not known; so do both functions for damaged bodies.
    """
    if coding in ("", "identity"):
        return (lambda chunk: iter((chunk,))), (lambda: None)
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise BadCoding(f"the body is packed by {coding[:40]!r}, which was not asked for")
    unpacker = _Unpacker(coding == "deflate")
    return unpacker.decode, unpacker.end


class _Unpacker:
    def __init__(self, deflate: bool) -> None:
        self._deflate = deflate
        self._window = zlib.MAX_WBITS if deflate else zlib.MAX_WBITS | 16
        self._stream = zlib.decompressobj(self._window)
        self._begun = False

    def decode(self, chunk: bytes) -> Iterator[bytes]:
        try:
            while chunk:
                if self._stream.eof:
                    # Another member follows the first; what is no member is padding.
                    if self._deflate or not chunk.startswith(b"\x1f"):
                        return
                    self._stream = zlib.decompressobj(self._window)
                yield self._some(chunk)
                chunk = self._stream.unconsumed_tail or self._stream.unused_data
            while not self._stream.eof and (piece := self._stream.decompress(b"", PIECE)):
                yield piece
        except zlib.error as error:
            raise BadCoding(f"the body cannot be unpacked: {error}") from error

    def _some(self, chunk: bytes) -> bytes:
        try:
            return self._stream.decompress(chunk, PIECE)
        except zlib.error:
            if not self._deflate or self._begun:
                raise
            # Some servers take `deflate` to mean the bare stream.
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._stream.decompress(chunk, PIECE)
        finally:
            self._begun = True

    def end(self) -> None:
        if not self._stream.eof:
            raise BadCoding("the body ends before what it packs does")
