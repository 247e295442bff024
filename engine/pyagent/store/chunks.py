"""How a large payload lies in a file or an object: compressed chunks that are read and checked one by one.

First a tag byte, then the chunks, each passed through the codec by itself, so that a range is read without the rest and
nobody needs the whole in memory. Behind the chunks stands an index with each chunk's length in the file and a hash of
its content (of a sealed one, under a key), and behind that a footer of fixed size: content size, chunk size, number of
chunks.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from pyagent.native import Blake3
from pyagent.store import codec, sealing

CHUNK = 1024 * 1024
"""Bytes of content that are compressed, kept and read together."""
CHUNKED = b"\x02"
"""The first byte; others are the codec's, of files that were kept whole."""
_TAIL = 16 * 1024
"""Bytes that are read to begin with: the footer, and the index of 800 chunks."""
_ENTRY = struct.Struct("<I16s")
_FOOTER = struct.Struct("<QII")


class Pieces(Protocol):
    """A file or an object, of which pieces are read."""

    def tail(self, count: int) -> tuple[bytes, int]:
        """The last `count` bytes, fewer if there are not so many, and the length of the whole."""
        ...

    def piece(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`; fewer where it ends before."""
        ...


@dataclass(frozen=True, slots=True)
class Index:
    """Where the chunks of a payload lie."""

    size: int
    """Bytes of the content."""
    chunk: int
    entries: tuple[tuple[int, bytes], ...]
    """Of each chunk, its length as it is kept and the hash of its content."""


def write(source: BinaryIO, file: BinaryIO) -> tuple[str, int]:
    """Write what can be read from the source, a chunk at a time; returns the content's digest and its size in bytes."""
    whole = Blake3()
    index: list[bytes] = []
    size = 0
    file.write(CHUNKED)
    while chunk := full(source):
        whole.update(chunk)
        size += len(chunk)
        stored = codec.encode(chunk)
        file.write(stored)
        index.append(_ENTRY.pack(len(stored), sealing.fingerprint(chunk) or Blake3(chunk).digest(16)))
    file.writelines(index)
    file.write(_FOOTER.pack(size, CHUNK, len(index)))
    return whole.hexdigest(), size


def full(source: BinaryIO) -> bytes:
    """The next chunk, full but for the last one; a pipe or a slow disk may give less at once."""
    chunk = source.read(CHUNK)
    while 0 < len(chunk) < CHUNK and (more := source.read(CHUNK - len(chunk))):
        chunk += more
    return chunk


def index_of(pieces: Pieces) -> Index:
    """Where the chunks lie. Raises `ValueError` if that is damaged."""
    tail, length = pieces.tail(_TAIL)
    if len(tail) < _FOOTER.size:
        raise ValueError("footer")
    size, chunk, count = _FOOTER.unpack_from(tail, len(tail) - _FOOTER.size)
    behind = count * _ENTRY.size + _FOOTER.size
    if chunk == 0 or count != -(-size // chunk) or 1 + behind > length:
        raise ValueError("footer")
    if behind > len(tail):
        tail, _ = pieces.tail(behind)
    entries = tuple(_ENTRY.iter_unpack(tail[len(tail) - behind : len(tail) - _FOOTER.size]))
    if 1 + sum(stored for stored, _ in entries) + behind != length:
        raise ValueError("index")
    return Index(size, chunk, entries)


def read(pieces: Pieces, index: Index, start: int, end: int | None) -> bytes:
    """The content from `start` up to `end` (None: to its end). Raises `ValueError` if it is damaged, and `StoreError`
    (`store.codec`)."""
    stop = index.size if end is None else min(end, index.size)
    if start >= stop:
        return b""
    first, last = start // index.chunk, (stop - 1) // index.chunk
    wanted = index.entries[first : last + 1]
    place = 1 + sum(stored for stored, _ in index.entries[:first])
    kept = memoryview(pieces.piece(place, place + sum(stored for stored, _ in wanted)))
    found: list[bytes] = []
    at = 0
    for stored, expected in wanted:
        chunk = codec.decode(bytes(kept[at : at + stored]), limit=index.chunk)
        if Blake3(chunk).digest(16) != expected and not sealing.is_fingerprint_of(expected, chunk):
            raise ValueError("chunk")
        found.append(chunk)
        at += stored
    joined = found[0] if len(found) == 1 else b"".join(found)
    offset = first * index.chunk
    return joined[start - offset : stop - offset]
